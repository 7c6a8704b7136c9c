/** The bars of the design, and what stands below them. */
import type { BundleRow } from './bundles.ts';
import { type CallRow, templates } from './calls.ts';
import type { CredentialRow } from './credentials.ts';
import type { Reencryption } from './reencrypt.ts';

export const targets = {
  /** Secrets Manager calls of a rotation on a warm function, at most. */
  warmCalls: 8,
  /** The same where finish runs in a container of its own and reads again what it tests again. */
  freshCalls: 9,
  /** Connections to Secrets Manager of a rotation on a warm function, at most. */
  connections: 1,
  /** Of these, writes: exactly. */
  writes: 2,
  /** Minified kilobytes of a function's bundle, at most. */
  kilobytes: 300,
  /** The same where a database's driver is in it. */
  kilobytesWithDriver: 450,
  /** The same where the driver is that of Redis, which brings its cluster client and the API of ElastiCache's users along. */
  kilobytesWithRedis: 510,
  /** How many times as fast as a loop that commits each row a sweep is, at least. */
  timesRowByRow: 10,
  /** Of the rate of the writes alone, one batch after the other: what the sweep reaches over its whole time, at least. */
  shareOfWrites: 0.6,
  /** By which a sweep over ten times the rows may need more memory. */
  moreMemory: 0.1,
} as const;

/** What AWS's templates are known to make (performance.md, section 2): another number means that the bench is wrong. */
const knownCalls: ReadonlyMap<string, number> = new Map([
  [templates.generic, 10],
  [templates.postgresql, 14],
]);

/** One sentence for each target that was missed; none: all were met. */
export function missed(
  calls: readonly Pick<CallRow, 'name' | 'whose' | 'warm' | 'fresh'>[],
  bundles: readonly Pick<BundleRow, 'name' | 'kilobytes' | 'driver'>[],
): readonly string[] {
  const ours = calls.filter(({ whose }) => whose === 'keyturn');
  return [
    ...calls
      .filter(({ name, whose, warm }) => whose === 'aws' && warm.calls !== knownCalls.get(name))
      .map(
        ({ name, warm }) =>
          `${name}: must make ${knownCalls.get(name) ?? 'a known number of'} calls, or the comparison is not one; counted were ${warm.calls}.`,
      ),
    ...ours
      .filter(({ warm }) => warm.calls > targets.warmCalls)
      .map(
        ({ name, warm }) =>
          `${name}: a rotation may make at most ${targets.warmCalls} calls on a warm function; counted were ${warm.calls}.`,
      ),
    ...ours
      .filter(({ fresh }) => fresh.calls > targets.freshCalls)
      .map(
        ({ name, fresh }) =>
          `${name}: a rotation may make at most ${targets.freshCalls} calls where finish meets a fresh container; counted were ${fresh.calls}.`,
      ),
    ...ours
      .filter(({ warm, fresh }) => warm.writes !== targets.writes || fresh.writes !== targets.writes)
      .map(
        ({ name, warm, fresh }) =>
          `${name}: a rotation must make ${targets.writes} writes; counted were ${warm.writes} and ${fresh.writes}.`,
      ),
    ...bundles
      .map((bundle) => ({
        ...bundle,
        most: mostKilobytes(bundle),
      }))
      .filter(({ kilobytes, most }) => kilobytes > most)
      .map(
        ({ name, kilobytes, most }) =>
          `${name}: a bundle may have at most ${most} KB; it has ${kilobytes.toFixed(0)}.`,
      ),
    ...(ours.length === 0 ? ['No rotation of ours was counted.'] : []),
    ...(bundles.length === 0 ? ['No bundle was weighed.'] : []),
  ];
}

/** By the name of the bundle, which ends with the kinds of server that it logs in to. */
export function mostKilobytes({ name, driver }: Pick<BundleRow, 'name' | 'driver'>): number {
  if (name.endsWith('-redis')) return targets.kilobytesWithRedis;
  return driver ? targets.kilobytesWithDriver : targets.kilobytes;
}

/** Calls of AWS's database templates (performance.md, section 2), and their logins as their code reads. */
const knownTemplates = {
  'single-user': { calls: 14, logins: 3, refused: 1 },
  'alternating-users': { calls: 14, logins: 4, refused: 1 },
} as const;

/** One sentence for each target that a rotated database credential missed. */
export function missedByCredentials(rows: readonly CredentialRow[]): string[] {
  const sentences: string[] = [];
  for (const { name, whose, strategy, warm, fresh, logins, refused } of rows) {
    const known = knownTemplates[strategy];
    const isKnown = warm.calls === known.calls && logins === known.logins && refused === known.refused;
    if (whose === 'aws' && !isKnown) {
      sentences.push(
        `${name}: must make ${known.calls} calls and ${known.logins} logins, of which ${known.refused} is refused, or the comparison is not one; counted were ${warm.calls}, ${logins} and ${refused}.`,
      );
    }
    if (whose === 'aws') continue;
    if (warm.calls > targets.warmCalls || fresh.calls > targets.freshCalls) {
      sentences.push(
        `${name}: a rotation may make at most ${targets.warmCalls} calls on a warm function and ${targets.freshCalls} where finish meets a fresh container; counted were ${warm.calls} and ${fresh.calls}.`,
      );
    }
    if (warm.writes !== targets.writes) {
      sentences.push(`${name}: a rotation must make ${targets.writes} writes; counted were ${warm.writes}.`);
    }
    if (warm.connections > targets.connections) {
      sentences.push(
        `${name}: a rotation may use at most ${targets.connections} connection to Secrets Manager; counted were ${warm.connections}.`,
      );
    }
    if (logins > known.logins || refused > 0) {
      sentences.push(
        `${name}: a rotation may log in at most ${known.logins} times, as AWS's template, and may never be refused; counted were ${logins} and ${refused}.`,
      );
    }
  }
  if (!rows.some(({ whose }) => whose === 'keyturn')) sentences.push('No credential of ours was rotated.');
  return sentences;
}

/** One sentence for each target that the built-in sweep missed. */
export function missedByTheSweep({ ratios, memory }: Pick<Reencryption, 'ratios' | 'memory'>): string[] {
  const sentences: string[] = [];
  const { timesRowByRow, shareOfWrites, moreMemory } = targets;
  if (!(ratios.rowByRow >= timesRowByRow))
    sentences.push(
      `The sweep must be at least ${timesRowByRow} times as fast as a loop that commits each row; it was ${ratios.rowByRow.toFixed(1)} times.`,
    );
  if (!(ratios.writesAlone >= shareOfWrites))
    sentences.push(
      `The sweep must reach at least ${shareOfWrites * 100} % of the rate of the writes alone; it reached ${(ratios.writesAlone * 100).toFixed(0)} %.`,
    );
  if (memory !== null && !(memory.manyBytes <= memory.bytes * (1 + moreMemory)))
    sentences.push(
      `A sweep over ${memory.manyRows} rows may need at most ${moreMemory * 100} % more memory than one over ${memory.rows}; it needed ${((memory.manyBytes / memory.bytes - 1) * 100).toFixed(0)} % more.`,
    );
  return sentences;
}
