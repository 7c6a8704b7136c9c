/**
 * Crash enumeration: every fault at every call of a rotation and its rollout, and pairs of them. Single faults
 * are all played. Of the pairs an eighth is drawn by the seed, another one at each seed; KEYTURN_PAIRS=all, as CI
 * sets it, plays every one. A failure names its plan, and the seed replays it.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type FaultKind, type FaultPlan, faultKinds } from './gate.ts';
import { Checker } from './invariants.ts';
import { emptySecret, settings, stubbornConsumer } from './settings.ts';
import { type Setting, World } from './world.ts';

const seed = Number(process.env.KEYTURN_SEED ?? 20_261_121);
const day = 24 * 3_600_000;
const everyPair = process.env.KEYTURN_PAIRS === 'all';

/** Whether the seed draws this pair; the same seed draws the same. */
function drawn(one: number, other: number, kinds: string): boolean {
  if (everyPair) return true;
  const digest = createHash('sha256').update(`${seed} ${one} ${other} ${kinds}`).digest();
  return digest.readUInt8(0) % 8 === 0;
}

/** What may come twice in one rotation without a person at work. */
const unattended: readonly FaultKind[] = ['fail-before', 'lose-answer', 'crash-after'];
const pairs = unattended.flatMap((one) => unattended.map((other) => [one, other] as const));

const everySetting = [
  ...settings.map((setting) => [setting.secretClass.id, setting] as const),
  ['opaque-token, empty', emptySecret] as const,
  ['signing-key-cutover, with a consumer that cannot use the new key', stubbornConsumer] as const,
];

describe(`one rotation and its rollout (seed ${seed})`, () => {
  test.each(everySetting)('%s completes without faults', async (_id, setting) => {
    const { world, broken } = await outcome(setting, new Map());
    expect(broken).toEqual([]);
    const expected = setting.stubborn === true ? 'rolled-back' : 'completed';
    expect(world.rollouts.map(({ end }) => end)).toEqual([expected]);
    const kept = Object.keys(setting.initial ?? {});
    expect(world.currentDocument()?.names()).toEqual(expect.arrayContaining(kept));
  });
});

describe(`faults at every call (seed ${seed})`, () => {
  test.each(everySetting)('%s: every single fault at every call', async (_id, setting) => {
    const { first, last } = await span(setting);
    expect(last - first).toBeGreaterThan(15);
    const failures: string[] = [];
    for (let call = first; call < last; call += 1) {
      for (const kind of faultKinds) failures.push(...(await broken(setting, new Map([[call, kind]]))));
    }
    expect(failures).toEqual([]);
  });

  test.each(everySetting)(
    `%s: ${everyPair ? 'every pair' : 'an eighth of all pairs'} of process and network faults`,
    async (_id, setting) => {
      const { first, last, ownWay } = await span(setting);
      const failures: string[] = [];
      // The rest of the way has been walked in pairs by other settings already.
      for (let one = ownWay ?? first; one < last; one += 1) {
        for (let other = one + 1; other < last + 4; other += 1) {
          for (const [kind, second] of pairs) {
            if (!drawn(one, other, `${kind} ${second}`)) continue;
            const faults = new Map([
              [one, kind],
              [other, second],
            ]);
            failures.push(...(await broken(setting, faults)));
          }
        }
      }
      expect(failures).toEqual([]);
    },
  );
});

/** Rotates once under a plan of faults, lets time pass until nothing moves, and says what broke. */
async function outcome(setting: Setting, faults: FaultPlan): Promise<{ world: World; broken: string[] }> {
  const checker = new Checker();
  const world = new World(setting, faults, seed, checker.check);
  await world.start();
  await world.rotate();
  await world.clock.advance(3 * day);
  checker.atEnd(world);
  return { world, broken: checker.broken };
}

/** The broken invariants of one plan, each with the plan that broke it. */
async function broken(setting: Setting, faults: FaultPlan): Promise<string[]> {
  const { world, broken: sentences } = await outcome(setting, faults);
  const plan = [...faults].map(([call, kind]) => `${kind} at ${call} (${world.gate.trace[call]})`).join(', ');
  return sentences.map((sentence) => `${plan}: ${sentence}`);
}

/**
 * Which calls are the rotation's and its rollout's; the preflight's come before. `ownWay` is the first call of the
 * part in which this setting differs from the others: the way out of a roll-back, the last phase, the instances.
 */
async function span(setting: Setting): Promise<{ first: number; last: number; ownWay: number | null }> {
  const world = new World(setting, new Map(), seed, () => {});
  await world.start();
  const first = world.gate.trace.length;
  await world.rotate();
  await world.clock.advance(3 * day);
  const { trace } = world.gate;
  const ownWay =
    setting.stubborn === true || setting.tokenLifeSeconds !== undefined
      ? trace.lastIndexOf('DescribeSecret')
      : setting.instances === undefined
        ? null
        : trace.indexOf('GET instances');
  return { first, last: trace.length, ownWay };
}
