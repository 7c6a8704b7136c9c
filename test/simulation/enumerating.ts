/** Plays a rotation and its rollout under a plan of faults: what every enumeration is made of. */
import { createHash } from 'node:crypto';
import type { FaultKind, FaultPlan } from './gate.ts';
import { Checker } from './invariants.ts';
import { type Setting, World } from './world.ts';

export const seed = Number(process.env.KEYTURN_SEED ?? 20_261_121);
const day = 24 * 3_600_000;
export const everyPair = process.env.KEYTURN_PAIRS === 'all';

/** Of all pairs, and of single faults in a world with data, one in so many is drawn where not all are played. */
const oneIn = { pairs: 16, singles: 3 } as const;

/** Whether the seed draws this pair; the same seed draws the same. CI plays every one. */
export function drawn(one: number, other: number, kinds: string): boolean {
  return everyPair || digestOf(`${one} ${other} ${kinds}`) % oneIn.pairs === 0;
}

/** Whether the seed draws this fault in a world with data, where one run takes long. CI plays every one. */
export function drawnAlone(call: number, kind: FaultKind): boolean {
  return everyPair || digestOf(`${call} ${kind}`) % oneIn.singles === 0;
}

function digestOf(what: string): number {
  return createHash('sha256').update(`${seed} ${what}`).digest().readUInt16BE(0);
}

/** What may come twice in one rotation without a person at work. */
const unattended: readonly FaultKind[] = ['fail-before', 'lose-answer', 'crash-after'];
export const pairs = unattended.flatMap((one) => unattended.map((other) => [one, other] as const));

/** Rotates once under a plan of faults, lets time pass until nothing moves, and says what broke. */
export async function outcome(
  setting: Setting,
  faults: FaultPlan,
): Promise<{ world: World; broken: string[] }> {
  const checker = new Checker();
  const world = new World(setting, faults, seed, checker.check);
  await world.start();
  await world.rotate();
  await world.clock.advance(3 * day);
  checker.atEnd(world);
  return { world, broken: checker.broken };
}

/** The broken invariants of one plan, each with the plan that broke it. */
export async function broken(setting: Setting, faults: FaultPlan): Promise<string[]> {
  const { world, broken: sentences } = await outcome(setting, faults);
  const plan = [...faults].map(([call, kind]) => `${kind} at ${call} (${world.gate.trace[call]})`).join(', ');
  return sentences.map((sentence) => `${plan}: ${sentence}`);
}

/**
 * Which calls are the rotation's and its rollout's; the preflight's come before. `ownWay` is the first call of the
 * part in which this setting differs from the others: the way out of a roll-back, the last phase, the instances.
 */
export async function span(
  setting: Setting,
): Promise<{ first: number; last: number; ownWay: number | null; trace: readonly string[] }> {
  const world = new World(setting, new Map(), seed, () => {});
  await world.start();
  const first = world.gate.trace.length;
  await world.rotate();
  await world.clock.advance(3 * day);
  const { trace } = world.gate;
  const atServer = setting.database === undefined ? null : trace.indexOf('SELECT sessions') - 3;
  const wayBack = ownDataWay(setting, trace, first) ?? atServer;
  const ownWay =
    wayBack ??
    (setting.stubborn === true || setting.tokenLifeSeconds !== undefined
      ? trace.lastIndexOf('DescribeSecret')
      : setting.instances === undefined
        ? null
        : trace.indexOf('GET instances'));
  return { first, last: trace.length, ownWay, trace };
}

/** With data it is the way back, or else where the data begins to be moved: what comes before is like an overlap's. */
function ownDataWay({ data }: Setting, trace: readonly string[], first: number): number | null {
  if (data === undefined) return null;
  return data.ends === 'rolled-back' ? trace.indexOf('TagResource', first) - 3 : trace.indexOf('SELECT') - 4;
}
