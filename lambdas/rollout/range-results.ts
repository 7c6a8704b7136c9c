import type { RangeResult, ReencryptionState, RolloutState } from '../contract/rollout-state.ts';

type Summary = NonNullable<ReencryptionState['ranges']>[number];

/**
 * Takes the results of ranges into the work that they are of. Ranges that were made and never swept, because the
 * execution was stopped before, are forgotten: the work is divided anew.
 */
export function swept(before: ReencryptionState, ranges: RolloutState['ranges']): ReencryptionState {
  if (ranges === undefined) return before;
  const results = ranges.filter((range): range is RangeResult => 'outcome' in range);
  if (results.length === 0) {
    const { divided: _never, ...rest } = before;
    return rest;
  }
  const summaries = new Map<string, Summary>();
  for (const { target, outcome, moved, code } of results) {
    const sum: Summary = summaries.get(target) ?? { target, swept: 0, failed: 0, moved: 0 };
    summaries.set(target, {
      target,
      swept: sum.swept + (outcome === 'swept' ? 1 : 0),
      failed: sum.failed + (outcome === 'failed' ? 1 : 0),
      moved: sum.moved + moved,
      ...(code === undefined ? (sum.code === undefined ? {} : { code: sum.code }) : { code }),
    });
  }
  return { ...before, ranges: [...summaries.values()] };
}
