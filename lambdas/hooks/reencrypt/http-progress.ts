/** What a re-encryption by HTTP carries from slice to slice: the last tenant that is done, and sums. */
import * as z from 'zod/mini';
import type { SliceReport, TargetCount } from '../../contract/reencryption.ts';

const Count = z.tuple([z.nullable(z.int()), z.int(), z.int(), z.int()]);

const Progress = z.strictObject({
  /** Tenants are worked on in order; those up to this one are done. Null: none is. */
  after: z.nullable(z.string()),
  /** Calls that were made for the tenant after it. */
  calls: z.int(),
  /** By target: total, moved, left, poisoned. */
  counts: z.record(z.string(), Count),
});
export type Progress = z.infer<typeof Progress>;

const fresh: Progress = { after: null, calls: 0, counts: {} };

/** What cannot be read is begun anew: that costs time only. */
export function progressOf(cursor: string | null): Progress {
  if (cursor === null) return fresh;
  try {
    const result = Progress.safeParse(JSON.parse(cursor));
    return result.success ? result.data : fresh;
  } catch {
    return fresh;
  }
}

export function cursorOf(progress: Progress): string {
  return JSON.stringify(progress);
}

/** With the counts of a tenant added. */
export function added(counts: Progress['counts'], more: readonly TargetCount[]): Progress['counts'] {
  const sums = new Map(Object.entries(counts));
  for (const { target, total, moved, left, poisoned } of more) {
    const [totals, moves, lefts, poisons] = sums.get(target) ?? [0, 0, 0, 0];
    sums.set(target, [
      totals === null || total === null ? null : totals + total,
      moves + moved,
      lefts + left,
      poisons + poisoned,
    ]);
  }
  return Object.fromEntries(sums);
}

export function targetsOf(counts: Progress['counts']): SliceReport['targets'] {
  return Object.entries(counts).map(([target, [total, moved, left, poisoned]]) => ({
    target,
    total,
    moved,
    left,
    poisoned,
  }));
}
