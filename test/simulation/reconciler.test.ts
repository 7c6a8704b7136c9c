/** Lost, doubled and late events, and a reconciler that may die at every call of its own. */
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { completedTag } from '../../lambdas/contract/marks.ts';
import { plans } from '../../lambdas/contract/plan.ts';
import type { StageId } from '../../lambdas/contract/stages.ts';
import { type FaultKind, type FaultPlan, faultKinds } from './gate.ts';
import { Checker } from './invariants.ts';
import { emptySecret, settings } from './settings.ts';
import { type Setting, secretName, World } from './world.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const everySetting = [...settings, emptySecret].map(
  (setting) => [`${setting.secretClass.id}${setting.initial === null ? ', empty' : ''}`, setting] as const,
);
const plain = settingOf(({ secretClass }) => secretClass.id === 'opaque-token');

function settingOf(is: (setting: Setting) => boolean): Setting {
  const setting = settings.find(is);
  if (setting === undefined) throw new Error('there is no such setting');
  return setting;
}

async function started(setting: Setting, faults: FaultPlan = new Map()) {
  const checker = new Checker();
  const world = new World(setting, faults, 11, checker.check);
  await world.start();
  return { world, checker };
}

const typesOf = (world: World) => world.events.map(({ type }) => type);
const tagOf = async (world: World, key: string) => {
  const { Tags = [] } = await world.asOperator('DescribeSecret', { SecretId: secretName });
  return (Tags as { Key: string; Value: string }[]).find((tag) => tag.Key === key)?.Value;
};

describe.each([
  ['lost', []],
  ['doubled', [0, 0]],
  ['an hour late', [hour]],
  ['late, and doubled', [hour, 2 * hour]],
])('every event of a rotation is %s', (_how, deliveries) => {
  test.each(everySetting)('%s: every rotation ends completed', async (_id, setting) => {
    const { world, checker } = await started(setting);
    world.deliveries = deliveries;
    world.sweepEvery();
    await world.rotate();
    await world.clock.advance(6 * hour);
    if (setting.secretClass.supplied) await world.supply();
    if (setting.secretClass.admission === 'guarded') await world.consent();
    await world.rotate();
    await world.clock.advance(6 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toContain('completed');
    expect(await tagOf(world, completedTag)).toBe(world.currentId());
  });
});

test('the sweep after the grace starts a rollout whose event was lost, once', async () => {
  const { world } = await started(plain);
  world.deliveries = [];
  world.sweepEvery();
  await world.rotate();
  await world.clock.advance(4 * minute);
  expect(world.rollouts).toEqual([]);
  await world.clock.advance(2 * minute);
  expect(world.rollouts.length).toBe(1);
  await world.clock.advance(day);
  expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
});

test('two sweeps at once start one rollout', async () => {
  const { world } = await started(plain);
  world.deliveries = [];
  const reconciler = world.sweepEvery(day);
  await world.rotate();
  await world.clock.advance(10 * minute);
  const both = Promise.all([reconciler.sweep(), reconciler.sweep()]);
  await world.clock.advance(hour);
  await both;
  const completed = reconciler.measured.filter(({ metric }) => metric === 'SweepCompleted');
  expect(completed).toEqual(
    Array.from({ length: 2 }, () => ({ metric: 'SweepCompleted', value: 1, of: { Deployment: 'shop' } })),
  );
  expect(world.gate.trace.filter((call) => call === 'StartExecution').length).toBe(2);
  expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
});

test('a fleet in order costs one look at each page, and nothing is written', async () => {
  const { world } = await started(plain);
  await world.rotate();
  await world.clock.advance(hour);
  const from = world.gate.trace.length;
  world.sweepEvery();
  await world.clock.advance(6 * minute);
  // The one secret here has no tag of a deployment, as an imported one has none: it is described.
  expect(world.gate.trace.slice(from)).toEqual([
    ...Array.from({ length: 4 }, () => 'ListExecutions'),
    'ListSecrets',
    'DescribeSecret',
  ]);
});

describe('what a person did', () => {
  test('a value that was typed starts nothing, and is told once', async () => {
    const { world } = await started(plain);
    await world.rotate();
    await world.clock.advance(hour);
    await world.edit();
    world.sweepEvery();
    await world.clock.advance(3 * day);
    expect(world.rollouts.length).toBe(1);
    expect(typesOf(world).filter((type) => type === 'Secret Edited')).toEqual(['Secret Edited']);
  });

  test('a first value is nobody’s business', async () => {
    const { world } = await started(plain);
    world.sweepEvery();
    await world.clock.advance(3 * day);
    expect(world.events).toEqual([]);
  });

  test('a rotation that was refused is told of after six hours, and then daily', async () => {
    const guarded = settingOf(({ secretClass }) => secretClass.admission === 'guarded');
    const { world } = await started(guarded);
    await world.asOperator('UntagResource', { SecretId: secretName, TagKeys: ['keyturn:consent'] });
    const reconciler = world.sweepEvery();
    await world.rotate();
    const told = () => typesOf(world).filter((type) => type === 'Rotation Stuck').length;
    await world.clock.advance(5 * hour);
    expect(told()).toBe(0);
    await world.clock.advance(2 * hour);
    expect(told()).toBe(1);
    await world.clock.advance(2 * day);
    expect(told()).toBe(3);
    const stuck = reconciler.measured.filter(({ metric }) => metric === 'RotationStuck');
    expect(stuck.at(-1)?.value).toBe(1);
    expect(stuck[0]?.value).toBe(0);
    expect(world.events.at(-1)).toMatchObject({
      type: 'Rotation Stuck',
      detail: {
        next: 'npx keyturn discard SECRET',
        reason: expect.stringContaining('it has no value, so createSecret does not get through'),
      },
    });
  });
});

describe('an overlap that somebody stops from outside', () => {
  const overlap = settingOf(({ secretClass }) => secretClass.id === 'signing-key-overlap');
  const stages: readonly StageId[] = plans[overlap.secretClass.usual.plan].stages;
  const [promoted, retired] = [stages.indexOf('promote') + 1, stages.indexOf('retire') + 1];
  const ways = stages.map((stage, index) => [stage, index + 1] as const);

  test.each(ways.filter(([, nth]) => nth > promoted && nth <= retired))(
    'before %s (stage %i): the reconciler continues it, and it completes',
    async (_stage, nth) => {
      const { world, checker } = await started(overlap);
      world.abortAt = nth;
      world.sweepEvery();
      await world.rotate();
      await world.clock.advance(6 * hour);
      checker.atEnd(world);
      expect(checker.broken).toEqual([]);
      expect(world.rollouts.map(({ end }) => end)).toEqual(['aborted', 'completed']);
      expect(typesOf(world)).not.toContain('Rollout Stalled');
      expect(await tagOf(world, completedTag)).toBe(world.currentId());
    },
  );

  test.each(ways.filter(([, nth]) => nth <= promoted || nth > retired))(
    'before %s (stage %i): nothing is held there, so a person is told',
    async (_stage, nth) => {
      const { world } = await started(overlap);
      world.abortAt = nth;
      world.sweepEvery();
      await world.rotate();
      await world.clock.advance(6 * hour);
      expect(world.rollouts.map(({ end }) => end)).toEqual(['aborted']);
      expect(typesOf(world)).toContain('Rollout Stalled');
    },
  );

  test('again and again: it is continued twice, then a person is told and resumes it', async () => {
    const { world, checker } = await started(overlap);
    world.sweepEvery();
    const ends = () => world.rollouts.map(({ end }) => end);
    const stopNext = async () => {
      const before = world.rollouts.length;
      world.abortAt = stages.indexOf('hold') + 1;
      if (before === 0) await world.rotate();
      for (let minutes = 0; minutes < 30 && world.abortAt !== null; minutes += 1)
        await world.clock.advance(minute);
    };
    for (let stop = 0; stop < 3; stop += 1) await stopNext();
    await world.clock.advance(6 * hour);
    expect(ends()).toEqual(['aborted', 'aborted', 'aborted']);
    expect(typesOf(world).filter((type) => type === 'Rollout Stalled')).toEqual(['Rollout Stalled']);
    world.resume();
    await world.clock.advance(6 * hour);
    expect(ends()).toEqual(['aborted', 'aborted', 'aborted', 'completed']);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
  });
});

describe('the poison rule', () => {
  /** Everything is rejected, as by a target whose rules are stricter than what is declared. */
  const rejecting: Setting = {
    ...plain,
    secretClass: {
      ...plain.secretClass,
      bind: (options) => ({
        ...plain.secretClass.bind(options),
        test: () =>
          Promise.reject(new KeyturnError({ code: 'ValueRejected', message: 'The value must be another.' })),
      }),
    },
  };

  test('a value that is rejected three times is dropped, and the next rotation takes a new one', async () => {
    const { world } = await started(rejecting);
    world.sweepEvery();
    const before = world.currentId();
    await world.rotate();
    const first = world.secrets.runs.at(-1)?.token;
    await world.clock.advance(2 * hour);
    expect(typesOf(world)).toContain('Rotation Dropped');
    expect(world.versions().flatMap(({ labels }) => labels)).toEqual(['AWSCURRENT']);
    expect(world.currentId()).toBe(before);
    expect(await world.rotate()).toBe(true);
    expect(world.secrets.runs.at(-1)?.token).not.toBe(first);
  });

  test('doubled events count once', async () => {
    const { world } = await started(rejecting);
    const reconciler = world.sweepEvery();
    await world.rotate();
    await world.clock.advance(10_000);
    const event = world.events.at(-1);
    expect(event).toMatchObject({ type: 'Rotation Failed', detail: { code: 'ValueRejected' } });
    if (event === undefined) return;
    await reconciler.hear(event, 'the-same');
    await reconciler.hear(event, 'the-same');
    await world.clock.advance(1);
    expect(await tagOf(world, 'keyturn:rejected')).toBe(`${event.detail.versionId} 2 the-same`);
  });
});

describe('faults at every call of a sweep', () => {
  const byPeople: readonly FaultKind[] = ['second-rotation', 'console-edit'];
  const byMachines = faultKinds.filter((kind) => kind !== 'duplicate' && !byPeople.includes(kind));

  /** A rotation whose event is lost, swept for three days, with these faults. */
  async function outcome(faults: FaultPlan) {
    const { world, checker } = await started(plain, faults);
    world.deliveries = [];
    world.sweepEvery(5 * minute, 12);
    await world.rotate();
    await world.clock.advance(2 * minute);
    const first = world.gate.trace.length;
    await world.clock.advance(4 * minute);
    const last = world.gate.trace.length;
    await world.clock.advance(3 * day);
    checker.atEnd(world);
    return { world, broken: checker.broken, first, last };
  }

  test('every single fault', async () => {
    const { first, last } = await outcome(new Map());
    expect(last - first).toBeGreaterThan(8);
    const failures: string[] = [];
    for (let call = first; call < last; call += 1) {
      for (const kind of byMachines) {
        const { world, broken } = await outcome(new Map([[call, kind]]));
        failures.push(
          ...broken.map((sentence) => `${kind} at ${call} (${world.gate.trace[call]}): ${sentence}`),
        );
      }
    }
    expect(failures).toEqual([]);
  });

  test('a person who comes between any two calls: what is current then is completed, or left to that person', async () => {
    const { first, last } = await outcome(new Map());
    for (let call = first; call < last; call += 1) {
      for (const kind of byPeople) {
        const { world } = await outcome(new Map([[call, kind]]));
        const where = `${kind} at ${call} (${world.gate.trace[call]})`;
        const edited = world.edits.includes(world.currentId() ?? '');
        expect(edited, where).toBe(kind === 'console-edit');
        const ends = world.rollouts.filter(({ versionId }) => versionId === world.currentId());
        expect(
          ends.map(({ end }) => end),
          where,
        ).toEqual(edited ? [] : ['completed']);
      }
    }
  });

  test('every pair of process and network faults', async () => {
    const { first, last } = await outcome(new Map());
    const pair: readonly FaultKind[] = ['lose-answer', 'crash-after'];
    const failures: string[] = [];
    for (let one = first; one < last; one += 1) {
      for (let other = one + 1; other < last + 6; other += 1) {
        for (const kind of pair) {
          const { broken } = await outcome(
            new Map([
              [one, kind],
              [other, kind],
            ]),
          );
          failures.push(...broken.map((sentence) => `${kind} at ${one} and ${other}: ${sentence}`));
        }
      }
    }
    expect(failures).toEqual([]);
  });
});
