/** A secret that another service rotates: only the reconciler ever hears of it. */
import { expect, test } from 'vitest';
import { secretClass } from '../../lambdas/classes/observed.ts';
import { completedTag } from '../../lambdas/contract/marks.ts';
import { bearer } from './application.ts';
import { type FaultPlan, faultKinds } from './gate.ts';
import { type Setting, secretName, World } from './world.ts';

const minute = 60_000;
const hour = 60 * minute;

const setting: Setting = {
  secretClass,
  variable: 'TOKEN',
  options: { members: ['TOKEN'] },
  probe: null,
  judge: bearer,
  initial: { TOKEN: 'the-first-value-that-the-service-made' },
};

async function observing(faults: FaultPlan = new Map()): Promise<World> {
  const world = new World(setting, faults, 7, () => {});
  await world.start();
  world.sweepEvery();
  return world;
}

test('what was current before it was observed starts nothing', async () => {
  const world = await observing();
  await world.clock.advance(6 * hour);
  expect(world.rollouts).toEqual([]);
  expect(world.events).toEqual([]);
});

test('each of its rotations is followed by a rollout: consumers restarted, completion recorded', async () => {
  const world = await observing();
  for (let times = 0; times < 2; times += 1) {
    const id = world.managedRotation();
    await world.clock.advance(hour);
    expect(world.rollouts.map(({ end }) => end)).toEqual(
      Array.from({ length: times + 1 }, () => 'completed'),
    );
    expect(world.currentId()).toBe(id);
    const current = world.currentDocument()?.value('TOKEN').reveal();
    expect(new Set(world.application.values)).toEqual(new Set([current]));
    const { Tags = [] } = await world.asOperator('DescribeSecret', { SecretId: secretName });
    expect(Tags).toContainEqual({ Key: completedTag, Value: id });
  }
});

test('its sweep or a stage may die at any call: the consumers still get every value', async () => {
  const length = (await finished(new Map())).gate.trace.length;
  expect(length).toBeGreaterThan(20);
  for (let index = 0; index < length; index += 1) {
    for (const kind of faultKinds.filter((one) => one.startsWith('crash') || one === 'lose-answer')) {
      const world = await finished(new Map([[index, kind]]));
      const current = world.currentDocument()?.value('TOKEN').reveal();
      expect(new Set(world.application.values), `${kind} at ${index} ${world.gate.trace[index]}`).toEqual(
        new Set([current]),
      );
    }
  }
});

async function finished(faults: FaultPlan): Promise<World> {
  const world = await observing(faults);
  world.managedRotation();
  await world.clock.advance(2 * hour);
  return world;
}
