/** Each row breaks one rule on a secret that is otherwise in order; the sentences are written by hand. */
import { describe, expect, test } from 'vitest';
import type { FleetSecret } from '../../../lambdas/contract/fleet.ts';
import type { SecretSettings } from '../../../lambdas/contract/settings.ts';
import { derivedToken } from '../../../lambdas/contract/tokens.ts';
import { checks } from '../../../lambdas/reconcile/checks.ts';
import { decide } from '../../../lambdas/reconcile/decide.ts';
import { observed } from '../../../lambdas/reconcile/observed.ts';
import type { RolloutSeen } from '../../../lambdas/reconcile/rollouts-seen.ts';
import { suspicionOf } from '../../../lambdas/reconcile/suspicion.ts';

const now = new Date('2026-03-10T12:00:00Z');
const [v1, v2, v3] = ['version-1', 'version-2', 'version-3'];

const [promoted, retired] = [derivedToken(v2, 'promoted'), derivedToken(v2, 'retired')];

interface Situation {
  readonly secret: Partial<SecretSettings>;
  readonly seen: Partial<FleetSecret>;
  readonly labels: Readonly<Record<string, readonly string[]>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Version -> when it was made. */
  readonly made: Readonly<Record<string, string>>;
  /** Version -> its rollout. */
  readonly rollouts: Readonly<Record<string, RolloutSeen>>;
}

/** Version 2 is current and completed, a day old; the next rotation is due in a month. */
const inOrder: Situation = {
  secret: {},
  seen: {},
  labels: { [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT'] },
  tags: { 'keyturn:completed': v2 },
  made: { [v1]: '2026-02-09T02:00:00Z', [v2]: '2026-03-09T02:00:00Z' },
  rollouts: {},
};

function judged(broken: Partial<Situation>) {
  const situation = { ...inOrder, ...broken };
  const secret: SecretSettings = {
    key: 'TOKEN',
    id: 'shop/token',
    class: 'opaque-token',
    options: {},
    plan: 'redeploy-and-prove',
    restorable: true,
    window: null,
    together: false,
    cutover: false,
    consumers: [],
    probe: null,
    ...situation.secret,
  };
  const seen: FleetSecret = {
    arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/token-AbCdEf',
    name: 'shop/token',
    rotationEnabled: true,
    scheduled: true,
    labels: new Map(Object.entries(situation.labels)),
    tags: new Map(Object.entries(situation.tags)),
    lastRotatedAt: new Date('2026-03-09T02:00:30Z'),
    nextRotationAt: new Date('2026-04-09T03:59:59Z'),
    createdAt: new Date('2026-01-01T00:00:00Z'),
    deleted: false,
    ...situation.seen,
  };
  const made = new Map(Object.entries(situation.made).map(([id, time]) => [id, new Date(time)]));
  const rolloutOf = (versionId: string) => situation.rollouts[versionId] ?? null;
  return {
    decision: decide(observed({ secret, seen, made, now, spread: 1_000 }, rolloutOf)),
    suspicion: suspicionOf(secret, seen, { now, spread: 1_000 }, rolloutOf),
  };
}

const since = (time: string, status: RolloutSeen['status'] = 'FAILED'): RolloutSeen => ({
  status,
  attempt: 1,
  startedAt: new Date(time),
});
const pending = { ...inOrder.labels, [v3]: ['AWSPENDING'] };
const pendingMade = (time: string) => ({ ...inOrder.made, [v3]: time });
const backAt1 = { [v1]: ['AWSCURRENT'], [v2]: ['AWSPREVIOUS'] };

describe('a secret that another service rotates', () => {
  const made = { [v1]: '2026-03-09T02:00:00Z', [v2]: '2026-03-10T11:59:30Z' };
  const rotated = { lastRotatedAt: new Date('2026-03-10T11:59:50Z') };
  const tags = { 'keyturn:completed': v1 };

  test('its rollout begins without the grace that an event of ours would have', () => {
    const ours = judged({ made, seen: rotated, tags });
    const observed = judged({ made, seen: rotated, tags, secret: { observed: true } });
    expect(ours).toMatchObject({ decision: { is: 'nothing' }, suspicion: null });
    expect(observed).toMatchObject({
      decision: { is: 'start', state: { versionId: v2, previousVersionId: v1, attempt: 1 } },
      suspicion: 'rollout',
    });
  });

  test('no command of ours is named for what only its service can mend', () => {
    const seen = { nextRotationAt: new Date('2026-03-01T03:59:59Z') };
    expect(judged({ seen }).decision).toMatchObject({
      next: expect.stringContaining('keyturn rotate TOKEN'),
    });
    expect(judged({ seen, secret: { observed: true } }).decision).toMatchObject({
      next: expect.stringContaining('keyturn status TOKEN'),
    });
    const stuck = {
      labels: pending,
      made: pendingMade('2026-03-10T02:00:00Z'),
    };
    expect(judged({ ...stuck }).decision).toMatchObject({
      next: expect.stringContaining('keyturn discard TOKEN'),
    });
    expect(judged({ ...stuck, secret: { observed: true } }).decision).toMatchObject({
      next: expect.stringContaining('keyturn status TOKEN'),
    });
  });
});

test('the order of the checks', () => {
  expect(checks.map(({ id }) => id)).toEqual([
    'deleted',
    'value-rejected',
    'rotation-under-way',
    'rollout-missing',
    'rotation-stuck',
    'hold-stopped',
    'consumers-stopped',
    'rollout-stalled',
    'rollout-late',
    'rollout-under-way',
    'edited-by-hand',
    'rotation-off',
    'rotation-overdue',
    'supply-due',
  ]);
});

describe('nothing is done about a secret', () => {
  const rows: readonly [string, Partial<Situation>, string, string | null][] = [
    ['in order', {}, 'in-order', null],
    [
      'that has never rotated and was filled by hand',
      { seen: { lastRotatedAt: null }, tags: {} },
      'in-order',
      null,
    ],
    [
      'without any version',
      { seen: { lastRotatedAt: null }, tags: {}, labels: {}, made: {} },
      'in-order',
      null,
    ],
    ['that waits for its deletion', { seen: { deleted: true }, tags: {} }, 'deleted', null],
    [
      'whose rotation began an hour ago',
      { labels: pending, made: pendingMade('2026-03-10T11:00:00Z') },
      'rotation-under-way',
      'pending',
    ],
    [
      'whose rotation has not been closed for a minute',
      {
        tags: { 'keyturn:completed': v1 },
        labels: { ...inOrder.labels, [v2]: ['AWSCURRENT', 'AWSPENDING'] },
        made: { ...inOrder.made, [v2]: '2026-03-10T11:59:00Z' },
      },
      'rotation-under-way',
      'rollout',
    ],
    [
      'on whose current version AWSPENDING has stayed',
      { labels: { ...inOrder.labels, [v2]: ['AWSCURRENT', 'AWSPENDING'] } },
      'in-order',
      null,
    ],
    [
      'whose rollout runs',
      { tags: { 'keyturn:completed': v1 }, rollouts: { [v2]: since('2026-03-09T02:01:00Z', 'RUNNING') } },
      'rollout-under-way',
      null,
    ],
    [
      'whose rollout has a minute left to begin by its event',
      {
        tags: { 'keyturn:completed': v1 },
        seen: { lastRotatedAt: new Date('2026-03-10T11:59:00Z') },
        made: { ...inOrder.made, [v2]: '2026-03-10T11:58:30Z' },
      },
      'rollout-missing',
      null,
    ],
    [
      'that was rolled back to the end',
      {
        labels: backAt1,
        tags: { 'keyturn:completed': v1, 'keyturn:rolled-back': v2 },
        rollouts: { [v2]: since('2026-03-09T02:01:00Z') },
      },
      'in-order',
      null,
    ],
    [
      'whose rollout holds the old value, longer than others may run',
      {
        secret: { holdSeconds: 7 * 86_400 },
        tags: { 'keyturn:completed': v1 },
        labels: { [v2]: ['AWSPREVIOUS'], [promoted]: ['AWSCURRENT', 'KEYTURN_PHASE'] },
        made: { ...inOrder.made, [promoted]: '2026-03-03T03:00:00Z' },
        rollouts: { [v2]: since('2026-03-03T02:01:00Z', 'RUNNING') },
      },
      'rollout-under-way',
      null,
    ],
    [
      'whose rollout has retired the old value, and the first phase has no label any more',
      {
        tags: { 'keyturn:completed': v1 },
        labels: { [promoted]: ['AWSPREVIOUS'], [retired]: ['AWSCURRENT', 'KEYTURN_PHASE'] },
        made: { ...inOrder.made, [promoted]: '2026-03-09T03:00:00Z', [retired]: '2026-03-09T04:00:00Z' },
        rollouts: { [v2]: since('2026-03-09T02:01:00Z', 'RUNNING') },
      },
      'rollout-under-way',
      'rollout',
    ],
    [
      'that is being rolled back',
      {
        labels: backAt1,
        tags: { 'keyturn:completed': v1 },
        rollouts: { [v2]: since('2026-03-09T02:01:00Z', 'RUNNING') },
      },
      'rollout-under-way',
      null,
    ],
    [
      'whose last rollout but one had stopped',
      { rollouts: { [v1]: since('2026-02-09T02:01:00Z') } },
      'in-order',
      'rollout',
    ],
    [
      'that is due since this morning',
      { seen: { nextRotationAt: new Date('2026-03-10T03:59:59Z') } },
      'in-order',
      null,
    ],
  ];
  test.each(rows)('%s', (_what, broken, because, suspicion) => {
    const found = judged(broken);
    expect(found.decision).toMatchObject({ is: 'nothing', because });
    expect(found.suspicion).toBe(suspicion);
  });
});

describe('a person is told', () => {
  const rows: readonly [string, Partial<Situation>, string, string, string][] = [
    [
      'of a pending version that createSecret filled and that goes no further',
      { labels: pending, made: pendingMade('2026-03-10T05:00:00Z') },
      'rotation-stuck',
      'The rotation of shop/token to version version-3 has been open for 7 hours: it has a value, so setSecret, testSecret or finishSecret does not get through; the label AWSPENDING is on it.',
      'npx keyturn discard TOKEN',
    ],
    [
      'of a pending version that was never filled',
      {
        labels: pending,
        tags: { ...inOrder.tags, 'keyturn:pending-since': `${v3} 2026-03-10T05:00:00.000Z` },
      },
      'rotation-stuck',
      'The rotation of shop/token to version version-3 has been open for 7 hours: it has no value, so createSecret does not get through; the label AWSPENDING is on it.',
      'npx keyturn discard TOKEN',
    ],
    [
      'of a rotation that Secrets Manager does not close',
      {
        tags: { 'keyturn:completed': v1 },
        labels: { ...inOrder.labels, [v2]: ['AWSCURRENT', 'AWSPENDING'] },
        made: { ...inOrder.made, [v2]: '2026-03-10T04:00:00Z' },
      },
      'rotation-stuck',
      'The rotation of shop/token to version version-2 has been open for 8 hours: finishSecret made it current, and Secrets Manager has not closed the rotation; its label AWSPENDING is still there.',
      'npx keyturn discard TOKEN',
    ],
    [
      'of a rejected value that its target may hold',
      {
        secret: { restorable: false },
        labels: pending,
        made: pendingMade('2026-03-10T11:00:00Z'),
        tags: { ...inOrder.tags, 'keyturn:rejected': `${v3} 3 event` },
      },
      'rotation-stuck',
      'The pending value of shop/token (version version-3) was rejected 3 times, and its target may hold it all the same: only its target can tell, so it is kept.',
      'npx keyturn discard TOKEN',
    ],
    [
      'of a rejected value beside which another was made current',
      {
        labels: pending,
        made: pendingMade('2026-03-08T11:00:00Z'),
        tags: { ...inOrder.tags, 'keyturn:rejected': `${v3} 4 event` },
      },
      'rotation-stuck',
      'The pending value of shop/token (version version-3) was rejected 4 times, and AWSCURRENT has moved since it was made, so it is kept.',
      'npx keyturn discard TOKEN',
    ],
    [
      'of a rollout that stopped',
      { tags: { 'keyturn:completed': v1 }, rollouts: { [v2]: since('2026-03-09T02:01:00Z') } },
      'rollout-stalled',
      'Version version-2 of shop/token is current, and the rollout that began 33 hours ago has stopped: consumers may run with the old value.',
      'npx keyturn resume TOKEN',
    ],
    [
      'of consumers that a rollout has stopped, and that a typed value keeps stopped',
      {
        labels: { [v2]: ['AWSPREVIOUS'], [v3]: ['AWSCURRENT'] },
        made: pendingMade('2026-03-09T03:00:00Z'),
        tags: { 'keyturn:completed': v1, 'keyturn:stopped': `${v2} 2026-03-09T02:02:00.000Z` },
        rollouts: { [v2]: since('2026-03-09T02:01:00Z') },
      },
      'consumers-stopped',
      'The consumers of shop/token were stopped at 2026-03-09T02:02:00.000Z to move its data, and no rollout that would start them is under way.',
      'npx keyturn resume TOKEN',
    ],
    [
      'of a rollout that somebody aborted',
      {
        tags: { 'keyturn:completed': v1 },
        rollouts: { [v2]: since('2026-03-07T02:01:00Z', 'ABORTED') },
      },
      'rollout-stalled',
      'Version version-2 of shop/token is current, and the rollout that began 3 days ago has stopped: consumers may run with the old value.',
      'npx keyturn resume TOKEN',
    ],
    [
      'of a roll-back that stopped half way',
      {
        labels: backAt1,
        tags: { 'keyturn:completed': v1 },
        rollouts: { [v2]: since('2026-03-09T02:01:00Z', 'TIMED_OUT') },
      },
      'rollout-stalled',
      'Version version-2 of shop/token was given up, and the rollout that began 33 hours ago ended before every consumer was seen to run with the previous one again.',
      'npx keyturn resume TOKEN',
    ],
    [
      'of a rollout that was not completed, and that Step Functions has forgotten',
      {
        seen: { lastRotatedAt: new Date('2025-12-01T02:00:30Z') },
        made: { [v1]: '2025-11-01T02:00:00Z', [v2]: '2025-12-01T02:00:00Z' },
        tags: {},
      },
      'rollout-stalled',
      'The rollout of shop/token was never completed, and what Step Functions knew of it is gone after 90 days. It is not started again without a person.',
      'npx keyturn resume TOKEN',
    ],
    [
      'of a rollout that does not end',
      {
        tags: { 'keyturn:completed': v1 },
        rollouts: { [v2]: since('2026-03-06T02:00:00Z', 'RUNNING') },
      },
      'rollout-late',
      'The rollout of version version-2 of shop/token has been running for 4 days; at most 3 days are expected.',
      'npx keyturn status TOKEN',
    ],
    [
      'of a value that somebody typed',
      { labels: { [v2]: ['AWSPREVIOUS'], [v3]: ['AWSCURRENT'] }, made: pendingMade('2026-03-10T08:00:00Z') },
      'edited-by-hand',
      'Version version-3 of shop/token was made by hand after the rotation of 2026-03-09T02:00:30.000Z. No consumer is restarted for it: those that run may have another value.',
      'npx keyturn rotate TOKEN',
    ],
    [
      'of a rollout that stopped after it had published a phase',
      {
        tags: { 'keyturn:completed': v1 },
        labels: { [v2]: ['AWSPREVIOUS'], [promoted]: ['AWSCURRENT', 'KEYTURN_PHASE'] },
        made: { ...inOrder.made, [promoted]: '2026-03-09T03:00:00Z' },
        rollouts: { [v2]: since('2026-03-09T02:01:00Z') },
      },
      'rollout-stalled',
      `Version ${promoted} of shop/token is current, and the rollout that began 33 hours ago has stopped: consumers may run with the old value.`,
      'npx keyturn resume TOKEN',
    ],
    [
      'of an old version that somebody made current again',
      { labels: backAt1 },
      'edited-by-hand',
      'Version version-1 of shop/token was made current again by hand. No consumer is restarted for it: those that run may have another value.',
      'npx keyturn rotate TOKEN',
    ],
    [
      'of a schedule that does nothing',
      { seen: { rotationEnabled: false, nextRotationAt: null } },
      'rotation-off',
      'The secret shop/token has a schedule and its rotation is switched off: it will not rotate.',
      'npx keyturn rotate TOKEN',
    ],
    [
      'of a rotation that is overdue',
      { seen: { nextRotationAt: new Date('2026-03-07T03:59:59Z') } },
      'rotation-overdue',
      'The secret shop/token should have rotated by 2026-03-07T03:59:59.000Z, 3 days ago.',
      'npx keyturn rotate TOKEN',
    ],
    [
      'of a value that a person has to renew',
      {
        secret: { remindAfterDays: 90 },
        seen: { lastRotatedAt: new Date('2025-12-01T02:00:30Z'), nextRotationAt: null, scheduled: false },
        made: { [v1]: '2025-09-01T02:00:00Z', [v2]: '2025-12-01T02:00:00Z' },
      },
      'supply-due',
      'The value of shop/token is 99 days old; a new one is due after 90 days, and only a person can supply it.',
      'npx keyturn supply TOKEN',
    ],
  ];
  test.each(rows)('%s', (_what, broken, finding, sentence, next) => {
    const { decision, suspicion } = judged(broken);
    expect(decision).toMatchObject({ is: 'tell', finding, sentence, next });
    expect(suspicion).not.toBeNull();
  });

  const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000).toISOString();
  test.each(rows)('%s, and is left alone until it is worth saying again', (_what, broken, finding) => {
    const { decision } = judged(broken);
    const versionId = 'versionId' in decision ? decision.versionId : '';
    const toldBefore = (hours: number) =>
      judged({
        ...broken,
        tags: {
          ...(broken.tags ?? inOrder.tags),
          'keyturn:told': `${finding} ${versionId} ${hoursAgo(hours)}`,
        },
      }).suspicion;
    expect(toldBefore(1)).toBeNull();
    const once = ['edited-by-hand', 'rotation-off'].includes(finding);
    expect(toldBefore(8 * 24) === null).toBe(once);
  });
});

describe('something is done', () => {
  test('a rollout that no event has started is started, as of the time when the rotation closed', () => {
    const { decision, suspicion } = judged({ tags: { 'keyturn:completed': v1 } });
    expect(decision).toEqual({
      is: 'start',
      because: 'rollout-missing',
      sentence:
        'The rotation of shop/token finished at 2026-03-09T02:00:30.000Z and no rollout of version version-2 was started: it is started now.',
      state: {
        versionId: v2,
        previousVersionId: v1,
        publishedAt: new Date('2026-03-09T02:00:30Z'),
        attempt: 1,
      },
    });
    expect(suspicion).toBe('rollout');
  });

  /** An overlap in its hold: the version before it is pinned, the one that the rotation made is the previous. */
  const held: Partial<Situation> = {
    secret: { plan: 'overlap' },
    tags: { 'keyturn:completed': v1 },
    labels: {
      [v1]: ['KEYTURN_BEFORE'],
      [v2]: ['AWSPREVIOUS'],
      [promoted]: ['AWSCURRENT', 'KEYTURN_PHASE'],
    },
    made: { ...inOrder.made, [promoted]: '2026-03-09T03:00:00Z' },
  };
  const stopped = (status: RolloutSeen['status'], attempt = 1): RolloutSeen => ({
    ...since('2026-03-09T02:01:00Z', status),
    attempt,
  });

  test.each(['ABORTED', 'TIMED_OUT'] as const)(
    'an overlap that was %s in its hold is continued',
    (status) => {
      const { decision, suspicion } = judged({ ...held, rollouts: { [v2]: stopped(status) } });
      expect(decision).toEqual({
        is: 'start',
        because: 'hold-stopped',
        sentence: `The rollout of shop/token was stopped from outside (${status}) while both values were held; it is continued now (attempt 2 of at most 3).`,
        state: {
          versionId: promoted,
          previousVersionId: v1,
          lastProvenVersionId: v2,
          publishedAt: now,
          attempt: 1,
        },
      });
      expect(suspicion).toBe('rollout');
    },
  );

  test('and once more, under its next name', () => {
    const again = { ...stopped('ABORTED'), startedAt: new Date('2026-03-09T05:00:00Z') };
    const { decision } = judged({ ...held, rollouts: { [v2]: stopped('ABORTED'), [promoted]: again } });
    expect(decision).toMatchObject({ is: 'start', state: { versionId: promoted, attempt: 2 } });
  });

  const later = (status: RolloutSeen['status'], attempt = 1) => ({
    ...stopped(status, attempt),
    startedAt: new Date('2026-03-09T05:00:00Z'),
  });
  test.each<[string, Partial<Situation>, string]>([
    [
      'was stopped while data was re-encrypted',
      { ...held, secret: { plan: 'overlap-and-reencrypt' }, rollouts: { [v2]: stopped('ABORTED') } },
      'rollout-stalled',
    ],
    ['ended stalled', { ...held, rollouts: { [v2]: stopped('FAILED') } }, 'rollout-stalled'],
    [
      'was continued twice',
      { ...held, rollouts: { [v2]: stopped('ABORTED'), [promoted]: later('ABORTED', 2) } },
      'rollout-stalled',
    ],
    [
      'ended stalled after a person had resumed it',
      { ...held, rollouts: { [v2]: stopped('ABORTED'), [promoted]: later('FAILED') } },
      'rollout-stalled',
    ],
    [
      'runs since a person resumed it',
      { ...held, rollouts: { [v2]: stopped('ABORTED'), [promoted]: later('RUNNING') } },
      'rollout-under-way',
    ],
    [
      'was stopped before anything was promoted',
      { tags: { 'keyturn:completed': v1 }, rollouts: { [v2]: stopped('ABORTED') } },
      'rollout-stalled',
    ],
    [
      'was stopped once the old value was gone',
      {
        ...held,
        labels: { [promoted]: ['AWSPREVIOUS'], [retired]: ['AWSCURRENT'] },
        made: { ...held.made, [retired]: '2026-03-10T03:00:00Z' },
        rollouts: { [v2]: stopped('ABORTED') },
      },
      'rollout-stalled',
    ],
    [
      'was stopped after somebody had gone back to the phase before',
      {
        ...held,
        labels: { [promoted]: ['AWSCURRENT'], [retired]: ['AWSPREVIOUS'] },
        made: { ...held.made, [retired]: '2026-03-10T03:00:00Z' },
        rollouts: { [v2]: stopped('ABORTED') },
      },
      'rollout-stalled',
    ],
    [
      'was stopped on its way back',
      {
        ...held,
        labels: { [v2]: ['AWSCURRENT'], [promoted]: ['AWSPREVIOUS'] },
        rollouts: { [v2]: stopped('ABORTED') },
      },
      'rollout-stalled',
    ],
    [
      'was rolled back',
      { ...held, tags: { 'keyturn:rolled-back': promoted }, rollouts: { [v2]: stopped('ABORTED') } },
      'rollout-stalled',
    ],
  ])('a rollout that %s is not', (_what, situation, because) => {
    const { decision } = judged(situation);
    expect(decision.because).toBe(because);
    expect(decision.is).not.toBe('start');
  });

  test('and so it is for the first rotation of a secret', () => {
    const { decision } = judged({ tags: {}, labels: { [v2]: ['AWSCURRENT'] } });
    expect(decision).toMatchObject({ is: 'start', state: { versionId: v2, previousVersionId: null } });
  });

  test('even while a later rotation is stuck', () => {
    const { decision } = judged({
      tags: { 'keyturn:completed': v1 },
      labels: pending,
      made: pendingMade('2026-03-10T05:00:00Z'),
    });
    expect(decision).toMatchObject({ is: 'start', because: 'rollout-missing' });
  });

  test('an empty pending version is noted, since nothing else dates it', () => {
    const { decision } = judged({ labels: pending });
    expect(decision).toEqual({
      is: 'mark',
      because: 'rotation-under-way',
      versionId: v3,
      sentence:
        'A rotation of shop/token is under way; version version-3 has no value yet, and is noted as seen now.',
    });
  });

  test.each([
    ['a value that was never applied', {}],
    [
      'a version that was never filled, whatever the target',
      { secret: { restorable: false }, made: inOrder.made },
    ],
  ] as const)('the third rejection drops %s', (_what, broken) => {
    const { decision, suspicion } = judged({
      labels: pending,
      made: pendingMade('2026-03-10T11:00:00Z'),
      tags: { ...inOrder.tags, 'keyturn:rejected': `${v3} 3 event` },
      ...broken,
    });
    expect(decision).toEqual({
      is: 'drop',
      because: 'value-rejected',
      versionId: v3,
      sentence:
        'The pending value of shop/token (version version-3) was rejected 3 times. It was never current and nothing outside Secrets Manager was told of it, so AWSPENDING is taken from it; the next rotation makes a new value.',
    });
    expect(suspicion).toBe('pending');
  });

  test.each([
    ['two rejections', `${v3} 2 event`],
    ['rejections of another version', `${v1} 3 event`],
    ['a tag that somebody filled otherwise', 'hello'],
  ])('%s drop nothing', (_what, tag) => {
    const { decision } = judged({
      labels: pending,
      made: pendingMade('2026-03-10T11:00:00Z'),
      tags: { ...inOrder.tags, 'keyturn:rejected': tag },
    });
    expect(decision).toMatchObject({ is: 'nothing', because: 'rotation-under-way' });
  });
});
