/** What `status` says of each situation that labels, tags and dates can be in. */
import { describe, expect, test } from 'vitest';
import { registry } from '../../lambdas/classes/registry.ts';
import { findingsOf, questions } from '../../lib/operations/findings.ts';
import { obstaclesTo } from '../../lib/operations/obstacles.ts';
import type { RolloutStanding } from '../../lib/operations/rollout-standing.ts';
import { now, type Shown, sighting, state, subject } from './sightings.ts';

const jwt = subject('JWT_SECRET');
const guarded = subject('SSH_ENCRYPTION_KEY');
const observed = {
  ...jwt,
  secret: {
    ...jwt.secret,
    class: registry.observed,
    settings: { ...jwt.secret.settings, options: {} },
  },
};
const supplied = subject('EXO_CLAUDE_API_KEY', 'exo');

interface Row {
  readonly situation: string;
  readonly about?: typeof jwt;
  readonly shown: Shown;
  readonly rollout?: RolloutStanding;
  readonly id: string;
  readonly weight: string;
  readonly sentence: string;
  readonly command: string | null;
}

const rows: readonly Row[] = [
  {
    situation: 'a pending version of another rotation, older than a quarter of an hour',
    shown: {
      versions: {
        stuck: { labels: ['AWSPENDING'], age: 200 },
        new: { labels: ['AWSCURRENT'], age: 9_000 },
      },
    },
    id: 'pending-stuck',
    weight: 'wrong',
    sentence:
      'AWSPENDING is on version stuck since 3 h 20 m, and AWSCURRENT is on new: a rotation began and did not finish, so Secrets Manager refuses every further one. What runs is not touched by it.',
    command: 'keyturn discard JWT_SECRET',
  },
  {
    situation: 'a pending version that is young',
    shown: {
      versions: { young: { labels: ['AWSPENDING'], age: 2 }, new: { labels: ['AWSCURRENT'], age: 9_000 } },
    },
    id: 'pending-stuck',
    weight: 'waiting',
    sentence:
      'AWSPENDING is on version young since 2 m, and AWSCURRENT is on new: a rotation is under way, or it failed and Secrets Manager is about to try it again.',
    command: null,
  },
  {
    situation: 'a first rotation that did not finish',
    shown: { versions: { stuck: { labels: ['AWSPENDING'], age: 30 } }, tags: {}, rotated: null },
    id: 'pending-stuck',
    weight: 'wrong',
    sentence:
      'AWSPENDING is on version stuck since 30 m, and no version is current: a rotation began and did not finish, so Secrets Manager refuses every further one. What runs is not touched by it.',
    command: 'keyturn discard JWT_SECRET',
  },
  {
    situation: 'a label that was moved back by hand',
    shown: {
      versions: {
        given: { labels: ['AWSPREVIOUS', 'AWSPENDING'], age: 60 },
        new: { labels: ['AWSCURRENT'], age: 9_000 },
      },
    },
    id: 'pending-took-part',
    weight: 'wrong',
    sentence:
      'AWSPREVIOUS and AWSPENDING are both on version given: it was current, and AWSCURRENT was moved back by hand. Secrets Manager takes it for an unfinished rotation, refuses the next one, and may make that version current again.',
    command: 'keyturn discard JWT_SECRET',
  },
  {
    situation: 'an empty secret',
    shown: { versions: {}, tags: {}, rotated: null },
    id: 'empty',
    weight: 'wrong',
    sentence: 'The secret has no value yet: no version is labelled AWSCURRENT.',
    command: 'keyturn rotate JWT_SECRET',
  },
  {
    situation: 'an empty secret whose value comes from a person',
    about: supplied,
    shown: { versions: {}, tags: {}, rotated: null },
    id: 'empty',
    weight: 'wrong',
    sentence: 'The secret has no value yet: no version is labelled AWSCURRENT.',
    command: 'keyturn supply EXO_CLAUDE_API_KEY',
  },
  {
    situation: 'a supplied value that no rotation has copied yet',
    about: supplied,
    shown: {
      versions: {
        typed: { labels: ['KEYTURN_SUPPLIED'], age: 90 },
        new: { labels: ['AWSCURRENT'], age: 9_000 },
      },
    },
    id: 'supplied-waiting',
    weight: 'note',
    sentence:
      'KEYTURN_SUPPLIED is on version typed since 1 h 30 m: a value that a person supplied waits; the next rotation copies it.',
    command: 'keyturn rotate EXO_CLAUDE_API_KEY',
  },
  {
    situation: 'rotation switched off',
    shown: { rotationOff: true },
    id: 'rotation-off',
    weight: 'wrong',
    sentence:
      'Rotation is switched off: no schedule fires. CancelRotateSecret does this, and a stack that is not deployed yet.',
    command: 'keyturn rotate JWT_SECRET',
  },
  {
    situation: 'a secret that waits for its deletion',
    shown: { deleted: true, rotationOff: true },
    id: 'deleted',
    weight: 'wrong',
    sentence: 'The secret is scheduled for deletion; it neither rotates nor can it be read.',
    command: null,
  },
  {
    situation: 'a window that went by',
    shown: { due: new Date('2026-11-20T10:00:00Z') },
    id: 'overdue',
    weight: 'wrong',
    sentence: 'A rotation was due by 2026-11-20 10:00 UTC, 1 d 2 h ago, and has not come.',
    command: null,
  },
  {
    situation: 'a stalled rollout',
    shown: { tags: {} },
    rollout: {
      is: 'stalled',
      attempt: 1,
      at: 'prove',
      code: 'OldValueStillAccepted',
      reason: 'The old value of JWT_SECRET is still accepted by its target.',
      when: new Date('2026-11-21T11:30:00Z'),
      state,
    },
    id: 'rollout-stalled',
    weight: 'wrong',
    sentence:
      'The rollout stalled at prove on 2026-11-21 11:30 UTC (OldValueStillAccepted): The old value of JWT_SECRET is still accepted by its target.',
    command: 'keyturn resume JWT_SECRET',
  },
  {
    situation: 'a version that was put in by hand',
    shown: {},
    rollout: { is: 'missing', why: 'it was put in by hand, not by a rotation', since: null },
    id: 'rollout-missing',
    weight: 'wrong',
    sentence:
      'Version new is current, but nothing has brought it to the consumers: it was put in by hand, not by a rotation. They may still run with another value.',
    command: 'keyturn resume JWT_SECRET',
  },
  {
    situation: 'a stage that is being tried again',
    shown: { tags: {} },
    rollout: {
      is: 'running',
      attempt: 1,
      goingBack: false,
      trying: {
        stage: 'prove',
        since: new Date('2026-11-21T11:00:00Z'),
        failures: 3,
        reason: 'The probe of JWT_SECRET gave no clear answer.',
      },
    },
    id: 'rollout-running',
    weight: 'waiting',
    sentence:
      'The rollout is at prove since 1 h. 3 tries have failed; the last: The probe of JWT_SECRET gave no clear answer.',
    command: null,
  },
  {
    situation: 'a version that was given up',
    shown: {},
    rollout: { is: 'rolled-back', from: 'old' },
    id: 'rolled-back',
    weight: 'note',
    sentence:
      'Version old was given up; version new, which was current before, is current again and runs everywhere.',
    command: 'keyturn rotate JWT_SECRET',
  },
  {
    situation: 'a consent in force',
    about: guarded,
    shown: {
      tags: { 'keyturn:consent': '2026-11-21T13:00:00Z jane: planned', 'keyturn:consent-base': 'new' },
    },
    id: 'consent',
    weight: 'note',
    sentence:
      'A consent is in force until 2026-11-21 13:00 UTC (jane: planned); it is good for one rotation.',
    command: 'keyturn rotate SSH_ENCRYPTION_KEY',
  },
];

describe('status', () => {
  test.each(rows)('explains $situation', ({ about = jwt, shown, rollout, id, weight, sentence, command }) => {
    expect(findingsOf(sighting(about, shown, rollout))).toEqual([{ id, weight, sentence, command }]);
  });

  const silent: readonly { situation: string; about?: typeof jwt; shown: Shown }[] = [
    { situation: 'a secret as it should be', shown: {} },
    {
      situation: 'AWSPENDING that Secrets Manager left on the current version',
      shown: { versions: { new: { labels: ['AWSCURRENT', 'AWSPENDING'], age: 60 } } },
    },
    {
      situation: 'a supplied value that the current one was copied from',
      about: supplied,
      shown: {
        versions: {
          new: { labels: ['AWSCURRENT'], age: 10 },
          typed: { labels: ['KEYTURN_SUPPLIED'], age: 11 },
        },
      },
    },
    {
      situation: 'a consent that has expired',
      about: guarded,
      shown: { tags: { 'keyturn:consent': '2026-11-21T11:00:00Z jane: planned' } },
    },
    {
      situation: 'a consent that another version has used',
      about: guarded,
      shown: {
        tags: { 'keyturn:consent': '2026-11-21T13:00:00Z jane: planned', 'keyturn:consent-base': 'old' },
      },
    },
    { situation: 'a window that ended a moment ago', shown: { due: new Date('2026-11-21T11:30:00Z') } },
  ];

  test.each(silent)('is silent on $situation', ({ about = jwt, shown }) => {
    expect(findingsOf(sighting(about, shown))).toEqual([]);
  });

  test('asks each question under an id of its own, and the weighty come first', () => {
    expect(new Set(questions.map(({ id }) => id)).size).toBe(questions.length);
    const found = findingsOf(
      sighting(supplied, {
        versions: {
          typed: { labels: ['KEYTURN_SUPPLIED'], age: 1 },
          young: { labels: ['AWSPENDING'], age: 2 },
          new: { labels: ['AWSCURRENT'], age: 60 },
        },
        rotationOff: true,
      }),
    );
    expect(found.map(({ weight }) => weight)).toEqual(['wrong', 'waiting', 'note']);
  });

  test('takes the age for stuck that it is given', () => {
    const shown = {
      versions: { young: { labels: ['AWSPENDING'], age: 2 }, new: { labels: ['AWSCURRENT'], age: 60 } },
    };
    expect(findingsOf(sighting(jwt, shown), { stuckAfter: 60_000 })[0]?.weight).toBe('wrong');
  });
});

describe('what stands in the way of a rotation', () => {
  test.each([
    { situation: 'nothing', about: subject('HEALTH_CHECK_TOKEN'), shown: {}, sentence: undefined },
    {
      situation: 'a maintenance window that is not open',
      about: jwt,
      shown: {},
      sentence:
        'The secret ocore/jwt does not rotate without a person’s consent, because every session and token signed with JWT_SECRET ends at once, and this is outside its maintenance window cron(0 2 1 * ? *) of 2 h; nobody has consented.',
    },
    {
      situation: 'nothing, with a consent for the time outside the window',
      about: jwt,
      shown: {
        tags: { 'keyturn:consent': '2026-11-21T13:00:00Z jane: planned', 'keyturn:consent-base': 'new' },
      },
      sentence: undefined,
    },
    {
      situation: 'no consent',
      about: guarded,
      shown: {},
      sentence:
        'The secret ocore/jwt does not rotate without a person’s consent, because every stored SSH key and password becomes unreadable; nobody has consented.',
    },
    {
      situation: 'a consent that was used',
      about: guarded,
      shown: {
        tags: { 'keyturn:consent': '2026-11-21T13:00:00Z jane: planned', 'keyturn:consent-base': 'old' },
      },
      sentence:
        'SSH_ENCRYPTION_KEY does not rotate without a person’s consent, because every stored SSH key and password becomes unreadable; the consent on it has been used.',
    },
    {
      situation: 'nothing supplied',
      about: supplied,
      shown: {},
      sentence: 'The value of EXO_CLAUDE_API_KEY comes from a person, and none waits to be used.',
    },
    {
      situation: 'another service rotates it',
      about: observed,
      shown: {},
      sentence: 'The secret ocore/jwt is rotated by the service that manages it, not by Keyturn.',
    },
  ])('$situation', ({ about, shown, sentence }) => {
    const [first] = obstaclesTo(sighting(about, shown));
    expect(first?.sentence.replaceAll("'", '’')).toBe(sentence);
  });

  test('a pending version comes before everything that could be prepared', () => {
    const shown = {
      versions: { p: { labels: ['AWSPENDING'], age: 100 }, new: { labels: ['AWSCURRENT'], age: 200 } },
    };
    const [first, second] = obstaclesTo(sighting(guarded, shown));
    expect(first?.hint).toBe('Clear it: keyturn discard SSH_ENCRYPTION_KEY.');
    expect(second?.hint).toContain('keyturn approve SSH_ENCRYPTION_KEY');
  });

  test('the clock of these tables stands still', () => {
    expect(now.toISOString()).toBe('2026-11-21T12:00:00.000Z');
  });
});
