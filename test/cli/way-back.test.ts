/** `rollback` and `resume` of keys that stored data is under: what is asked of the rollout, and when that is refused. */
import { describe, expect, test } from 'vitest';
import { classOf } from '../../lambdas/classes/registry.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { derivedToken } from '../../lambdas/contract/tokens.ts';
import { phaseOf } from '../../lib/operations/phase.ts';
import { resume, takenUp } from '../../lib/operations/resume.ts';
import { prepareRollback, rollBack } from '../../lib/operations/rollback.ts';
import type { Walked } from '../../lib/operations/rollout-standing.ts';
import { executionArn, type Subject } from '../../lib/operations/subject.ts';
import { arn, now, overview, sighting, state, subject, walked } from './sightings.ts';

const plan = 'overlap-and-reencrypt';
const options = { variable: 'KEY', accepted: 'OLD', format: { encoding: 'fernet' } };
const key = (fill: number) => `${Buffer.alloc(32, fill).toString('base64url')}=`;
const promoted = derivedToken('root', 'promoted');
const retired = derivedToken('root', 'retired');

function about(): Subject {
  const { deployment, secret } = subject('JWT_SECRET');
  const secretClass = classOf('encryption-keyring');
  if (secretClass === undefined) throw new Error('no such class');
  const settings = { ...secret.settings, class: secretClass.id, options, plan };
  return { deployment, secret: { ...secret, class: secretClass, plan, settings } };
}

type Versions = Parameters<typeof overview>[0] extends infer Shown | undefined
  ? NonNullable<Shown extends { versions?: infer V } ? V : never>
  : never;

const introducedVersions: Versions = {
  root: { labels: ['AWSCURRENT'], age: 60 },
  before: { labels: ['AWSPREVIOUS'], age: 90_000 },
};
const promotedVersions: Versions = {
  before: { labels: ['KEYTURN_BEFORE'], age: 90_000 },
  root: { labels: ['AWSPREVIOUS'], age: 60 },
  [promoted]: { labels: ['AWSCURRENT', 'KEYTURN_PHASE'], age: 30 },
};

const base: RolloutState = { ...state, plan, versionId: 'root', previousVersionId: 'before' };
const atPromoted: RolloutState = {
  ...base,
  versionId: promoted,
  lastProvenVersionId: 'root',
  phase: 'promoted',
};

/** An account that shows these versions and this execution; it keeps what is started. */
function account(versions: Versions, execution: Walked, tags: Readonly<Record<string, string>> = {}) {
  const started: RolloutState[] = [];
  const known = new Map([
    [executionArn(about(), { secretId: arn, versionId: 'root', attempt: 1 }), execution],
  ]);
  const ports = {
    clock: { now: () => now, sleep: async () => {} },
    secrets: {
      overview: async () => overview({ versions, tags }),
      read: async (_secretId: string, versionId: string) => ({
        versionId,
        labels: [],
        createdAt: now,
        value: new Sensitive(JSON.stringify({ KEY: key(1), OLD: key(2) })),
      }),
    },
    rollouts: {
      describe: async (of: string) => {
        const found = known.get(of)?.execution;
        return found === undefined ? null : { ...found, arn: of };
      },
      states: async (of: string) => known.get(of)?.states ?? [],
      start: async (_machine: string, _name: string, input: string) => {
        started.push(JSON.parse(input));
        return true;
      },
    },
  } as unknown as OperatorPorts & Parameters<typeof prepareRollback>[2];
  return { ports, started };
}

const stalledAt = (stage: string, known: RolloutState) =>
  walked({ error: 'RolloutStalled' }, [
    [stage, known],
    ['stall', { ...known, failure: { Error: 'DataLeft' } }],
  ]);

describe('rollback asks the rollout to go back by itself', () => {
  test.each([
    ['introduced', introducedVersions, base, 'before'],
    ['promoted', promotedVersions, atPromoted, 'root'],
  ] as const)('from %s', async (_phase, versions, known, restored) => {
    const { ports, started } = account(versions, stalledAt('redeploy', known));
    const prepared = await prepareRollback(about(), null, ports);
    expect(prepared).toMatchObject({ restored, givenUp: known.versionId });
    await rollBack(about(), prepared, ports);
    expect(started).toEqual([{ ...known, goBack: true, attempt: known === base ? 2 : 1 }]);
  });

  test('not to another version than the one that has every key', async () => {
    const { ports } = account(promotedVersions, stalledAt('redeploy', atPromoted));
    await expect(prepareRollback(about(), 'before', ports)).rejects.toMatchObject({
      message: expect.stringContaining('goes back to version root only'),
    });
  });

  test('not once the old key is retired', async () => {
    const versions = {
      ...promotedVersions,
      [promoted]: { labels: ['AWSPREVIOUS'], age: 30 },
      root: { labels: [], age: 60 },
      [retired]: { labels: ['AWSCURRENT'], age: 20 },
    };
    const known: RolloutState = { ...atPromoted, versionId: retired, phase: 'retired' };
    const { ports } = account(versions, stalledAt('redeploy', known));
    await expect(prepareRollback(about(), null, ports)).rejects.toMatchObject({
      code: 'OperationRefused',
      message: expect.stringContaining('The old key of JWT_SECRET is retired'),
    });
  });

  test('not while the rollout runs', async () => {
    const { ports } = account(promotedVersions, walked({ status: 'RUNNING' }, [['reencrypt', atPromoted]]));
    await expect(prepareRollback(about(), null, ports)).rejects.toMatchObject({
      message: expect.stringContaining('is under way'),
    });
  });
});

describe('resume', () => {
  test('of a rollout that stalled on its way back goes on going back', async () => {
    const back: RolloutState = { ...base, previousVersionId: promoted, rolledBackFrom: promoted };
    const versions: Versions = {
      ...promotedVersions,
      root: { labels: ['AWSCURRENT'], age: 60 },
      [promoted]: { labels: ['AWSPREVIOUS', 'KEYTURN_GIVEN_UP'], age: 30 },
    };
    const { ports, started } = account(versions, stalledAt('reencrypt', back), {
      'keyturn:completed': 'none',
    });
    await resume(about(), ports);
    expect(started).toEqual([{ ...back, goBack: true, attempt: 2 }]);
  });

  test.each([
    ['a roll-back', 'root', { rolledBackFrom: promoted, previousVersionId: promoted, goBack: true }],
    ['the publication of a phase', retired, { lastProvenVersionId: promoted, phase: 'retired' }],
  ] as const)('knows that %s had moved the label when its execution was ended', (_what, current, members) => {
    const phase = current === retired ? 'retired' : 'introduced';
    expect(takenUp(atPromoted, current, phase, now)).toMatchObject({ versionId: current, ...members });
  });

  test('of a value that is replaced at once goes forward, as ever', () => {
    const plain: RolloutState = { ...state, rolledBackFrom: 'old' };
    expect(takenUp(plain, 'new', null, now)).not.toHaveProperty('goBack');
  });
});

test('the phase is told by ids alone', () => {
  const seen = (versions: Versions, way: Walked | null) => ({
    ...sighting(about(), { versions }),
    walked: way,
  });
  expect(phaseOf(seen(promotedVersions, null))).toBe('promoted');
  expect(phaseOf(seen(introducedVersions, stalledAt('redeploy', base)))).toBe('introduced');
  expect(phaseOf(seen(introducedVersions, null))).toBeNull();
  expect(phaseOf(sighting(subject('JWT_SECRET'), {}))).toBeNull();
});

describe('rollback of a login that was one of two at its server', () => {
  const options = {
    dsn: 'DATABASE_URL',
    users: ['app_a', 'app_b'],
    owner: 'app_owner',
    admin: { user: 'root', password: { secret: 'team/admin', member: 'password' } },
  };
  function pair(): Subject {
    const { deployment, secret } = subject('JWT_SECRET');
    const secretClass = classOf('database-credential');
    if (secretClass === undefined) throw new Error('no such class');
    const way = secretClass.way(options);
    const settings = { ...secret.settings, class: secretClass.id, options, ...way };
    return { deployment, secret: { ...secret, class: secretClass, ...way, settings } };
  }
  const versions: Versions = {
    oldest: { labels: [], age: 180_000 },
    before: { labels: ['AWSPREVIOUS'], age: 90_000 },
    root: { labels: ['AWSCURRENT'], age: 60 },
  };
  const known: RolloutState = {
    ...state,
    plan: 'second-credential',
    versionId: 'root',
    previousVersionId: 'before',
  };
  const shown = (tags: Readonly<Record<string, string>>) => {
    const { ports } = account(versions, stalledAt('drain', known), tags);
    const value = new Sensitive(
      JSON.stringify({ DATABASE_URL: 'postgres://app_a:word@db.example.com/shop' }),
    );
    const read = async () => ({ versionId: 'before', labels: [], createdAt: now, value });
    return { ...ports, secrets: { ...ports.secrets, read } };
  };

  test('before it was disabled: to the one before, without a way to the server', async () => {
    const ports = shown({ 'keyturn:disabled': 'before' });
    expect(await prepareRollback(pair(), null, ports)).toMatchObject({ restored: 'before', givenUp: 'root' });
  });

  test.each([
    ['to the one before, once it was', { 'keyturn:disabled': 'root' }, null, 'before'],
    ['to an older one, ever', {}, 'oldest', 'oldest'],
  ])('not %s', async (_what, tags, to, named) => {
    await expect(prepareRollback(pair(), to, shown(tags))).rejects.toMatchObject({
      code: 'OperationRefused',
      message: `The value in version ${named} of JWT_SECRET was taken away at its target: to make it current would lock everybody out.`,
      hint: 'Rotate forward instead: keyturn rotate JWT_SECRET.',
    });
  });
});
