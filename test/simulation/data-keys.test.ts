/** Keys that stored data is under: what the enumeration does not decide. */
import { describe, expect, test } from 'vitest';
import { dataSettings } from './data-settings.ts';
import type { FaultPlan } from './gate.ts';
import { Checker } from './invariants.ts';
import { type Setting, World } from './world.ts';

const hour = 3_600_000;

async function started(
  setting: Setting,
  faults: FaultPlan = new Map(),
): Promise<{ world: World; checker: Checker }> {
  const checker = new Checker();
  const world = new World(setting, faults, 7, checker.check);
  await world.start();
  return { world, checker };
}

describe('a rotation', () => {
  test.each(dataSettings.map((setting) => [setting.secretClass.id, setting] as const))(
    '%s: everything is under the new key at the end',
    async (_id, setting) => {
      const { world, checker } = await started(setting);
      const before = world.currentDocument()?.value('KEY').reveal() ?? '';
      await world.rotate();
      await world.clock.advance(24 * hour);
      checker.atEnd(world);
      expect(checker.broken).toEqual([]);
      expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
      expect(world.currentDocument()?.memory?.phase).toBe('retired');
      expect([...(world.store?.rows.values() ?? [])].map(({ under }) => under)).not.toContain(before);
      console.log(_id, world.gate.trace.length, world.rollouts[0]?.transitions);
    },
  );
});
