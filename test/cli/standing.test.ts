/** Where a rollout stands, decided from labels, tags and executions. */
import { describe, expect, test } from 'vitest';
import type { OperatorRollouts } from '../../lambdas/contract/operator-ports.ts';
import { derivedToken } from '../../lambdas/contract/tokens.ts';
import { attemptInCharge, standingOf, type Walked } from '../../lib/operations/rollout-standing.ts';
import { executionArn } from '../../lib/operations/subject.ts';
import { arn, minutesAgo, now, overview, type Shown, state, subject, walked } from './sightings.ts';

const failure = {
  Error: 'ProbeInconclusive',
  Cause: '{"errorMessage":"The probe of X gave no clear answer."}',
};
const back = { ...state, versionId: 'new', previousVersionId: 'old', rolledBackFrom: 'old' };
const fresh: Shown['versions'] = {
  new: { labels: ['AWSCURRENT'], age: 60 },
  old: { labels: ['AWSPREVIOUS'], age: 90 },
};

const rows: readonly {
  situation: string;
  shown: Shown;
  walk: Walked | null;
  is: object;
  overtaken?: boolean;
}[] = [
  { situation: 'the tag names the current version', shown: {}, walk: null, is: { is: 'completed' } },
  {
    situation: 'the tag names the current version, but the other one has been rolled out since',
    shown: {},
    walk: null,
    overtaken: true,
    is: { is: 'missing', since: null },
  },
  {
    situation: 'the tags name the current version and the one before it',
    shown: { tags: { 'keyturn:completed': 'new', 'keyturn:rolled-back': 'old' } },
    walk: null,
    is: { is: 'rolled-back', from: 'old' },
  },
  {
    situation: 'an execution runs',
    shown: { tags: {} },
    walk: walked({ status: 'RUNNING', stoppedAt: null }, [
      ['settle', state],
      ['redeploy', state, { error: 'ConsumersNotHealthy', cause: '{"errorMessage":"backend: 0 of 1."}' }],
    ]),
    is: {
      is: 'running',
      trying: { stage: 'redeploy', failures: 1, reason: 'backend: 0 of 1.' },
      goingBack: false,
    },
  },
  {
    situation: 'an execution goes back to the current version, which was completed once',
    shown: {},
    walk: walked({ status: 'RUNNING', stoppedAt: null }, [
      ['redeploy', { ...state, versionId: 'old', previousVersionId: 'new' }],
      ['redeploy 2', back],
    ]),
    is: { is: 'running', goingBack: true },
  },
  {
    situation: 'an execution stalled on its way back to the current version',
    shown: {},
    walk: walked({ error: 'RolloutStalled' }, [
      ['roll-back', { ...state, versionId: 'old', previousVersionId: 'new' }],
      ['redeploy 2', back],
      ['stall', { ...back, failure }],
      ['stalled', { ...back, failure }],
    ]),
    is: { is: 'stalled', at: 'redeploy 2', code: 'ProbeInconclusive', state: { rolledBackFrom: 'old' } },
  },
  {
    situation: 'an execution went back, to its end',
    shown: { tags: { 'keyturn:completed': 'new', 'keyturn:rolled-back': 'old' } },
    walk: walked({ error: 'RolloutRolledBack' }, [
      ['rolled-back', back],
      ['rolled back', back],
    ]),
    is: { is: 'rolled-back', from: 'old' },
  },
  {
    situation: 'an execution stalled',
    shown: { tags: {} },
    walk: walked({ error: 'RolloutStalled' }, [
      ['prove', state],
      ['stall', { ...state, failure }],
      ['stalled', { ...state, failure }],
    ]),
    is: {
      is: 'stalled',
      at: 'prove',
      code: 'ProbeInconclusive',
      reason: 'The probe of X gave no clear answer.',
      when: minutesAgo(50),
    },
  },
  {
    situation: 'somebody stopped the execution',
    shown: { tags: {} },
    walk: walked({ status: 'ABORTED' }, [['prove', state]]),
    is: { is: 'stalled', at: 'prove', code: 'ABORTED' },
  },
  {
    situation: 'the execution succeeded for another version’s sake, and this one was made current again',
    shown: { tags: { 'keyturn:completed': 'old' } },
    walk: walked({ status: 'SUCCEEDED' }, []),
    is: { is: 'missing', why: 'it was made current again after its own rollout was over' },
  },
  {
    situation: 'nothing ever rotated',
    shown: { tags: {}, rotated: null, versions: fresh },
    walk: null,
    is: { is: 'none' },
  },
  {
    situation: 'a first rotation has moved the label and is being closed',
    shown: { tags: {}, rotated: null, versions: { new: { labels: ['AWSCURRENT', 'AWSPENDING'], age: 1 } } },
    walk: null,
    is: { is: 'starting' },
  },
  {
    situation: 'a rotation ended a minute ago',
    shown: { tags: {}, rotated: minutesAgo(1), versions: { new: { labels: ['AWSCURRENT'], age: 2 } } },
    walk: null,
    is: { is: 'starting' },
  },
  {
    situation: 'a rotation ended an hour ago, and its event was lost',
    shown: { tags: { 'keyturn:completed': 'old' }, rotated: minutesAgo(59), versions: fresh },
    walk: null,
    is: { is: 'missing', why: 'the event of its rotation started nothing' },
  },
  {
    situation: 'a value was typed in after the last rotation',
    shown: { tags: { 'keyturn:completed': 'old' }, rotated: minutesAgo(89), versions: fresh },
    walk: null,
    is: { is: 'missing', why: 'it was put in by hand, not by a rotation' },
  },
  { situation: 'the secret is empty', shown: { versions: {}, tags: {} }, walk: null, is: { is: 'none' } },
];

describe('a rollout stands', () => {
  test.each(rows)('as $is.is when $situation', ({ shown, walk, is, overtaken = false }) => {
    expect(standingOf({ overview: overview(shown), now, walked: walk, overtaken })).toMatchObject(is);
  });
});

describe('the attempt in charge', () => {
  const about = subject('JWT_SECRET');

  /** Executions that exist: the version and attempt of each, and how it looks. */
  function rolloutsOf(executions: readonly (readonly [string, number, Walked])[]): OperatorRollouts {
    const byArn = new Map(
      executions.map(([versionId, attempt, way]) => [
        executionArn(about, { secretId: arn, versionId, attempt }),
        way,
      ]),
    );
    return {
      start: async () => true,
      describe: async (name) => {
        const execution = byArn.get(name)?.execution;
        return execution === undefined ? null : { ...execution, arn: name };
      },
      states: async (name) => byArn.get(name)?.states ?? [],
    };
  }

  const ended = (startedAt: Date) => walked({ status: 'SUCCEEDED', startedAt }, [['done', state]]);

  test('is the last one of the current version', async () => {
    const stalled = walked({ startedAt: minutesAgo(50) }, [['prove', state]]);
    const again = walked({ status: 'RUNNING', startedAt: minutesAgo(10) }, [['prove', state]]);
    const rollouts = rolloutsOf([
      ['old', 1, ended(minutesAgo(90_000))],
      ['new', 1, stalled],
      ['new', 2, again],
    ]);
    const { walked: found, overtaken } = await attemptInCharge(about, overview(), rollouts);
    expect(found).toMatchObject({ number: 2, execution: { status: 'RUNNING' } });
    expect(overtaken).toBe(false);
  });

  test('is that of the version before, when it went back to the current one', async () => {
    const back = { ...state, versionId: 'new', previousVersionId: 'old', rolledBackFrom: 'old' };
    const rollouts = rolloutsOf([
      ['new', 1, ended(minutesAgo(90_000))],
      ['old', 1, walked({ startedAt: minutesAgo(5), error: 'RolloutStalled' }, [['stalled', back]])],
    ]);
    const { walked: found } = await attemptInCharge(about, overview(), rollouts);
    expect(found?.execution.error).toBe('RolloutStalled');
  });

  test('is none that speaks for the current version, when the label was moved by hand', async () => {
    const rollouts = rolloutsOf([
      ['new', 1, ended(minutesAgo(90_000))],
      ['old', 1, ended(minutesAgo(5))],
    ]);
    expect((await attemptInCharge(about, overview(), rollouts)).overtaken).toBe(true);
  });

  test('is named after the first phase of an overlap, whichever phase is current', async () => {
    const promoted = derivedToken('root', 'promoted');
    const seen = overview({
      versions: {
        before: { labels: ['KEYTURN_BEFORE'], age: 90_000 },
        root: { labels: ['AWSPREVIOUS'], age: 60 },
        [promoted]: { labels: ['AWSCURRENT', 'KEYTURN_PHASE'], age: 30 },
      },
    });
    const way = walked({ status: 'RUNNING' }, [['hold', { ...state, versionId: promoted }]]);
    const { walked: found } = await attemptInCharge(about, seen, rolloutsOf([['root', 1, way]]));
    expect(found?.states.at(-1)?.name).toBe('hold');
  });
});
