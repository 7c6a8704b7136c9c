/** What the slices of one hook have told, put together. */
import type { SetAside, SliceReport, TargetCount } from './reencryption.ts';

export interface Told {
  readonly targets: readonly TargetCount[];
  readonly setAside: readonly SetAside[];
}

/**
 * A slice counts from the beginning of what it counts, so the later count of a target stands; a target that it does
 * not tell of has ended before. Of what was set aside it tells its own part.
 */
export function together(
  before: Told,
  { targets, setAside }: Told,
): { targets: TargetCount[]; setAside: SetAside[] } {
  const counts = new Map([...before.targets, ...targets].map((count) => [count.target, count]));
  const rows = new Map(
    [...before.setAside, ...setAside].map((one) => [JSON.stringify([one.target, one.row]), one]),
  );
  return { targets: [...counts.values()], setAside: [...rows.values()] };
}

/** Whether a slice that is not the last got further than the one before: else it would be repeated without end. */
export function isFurther(report: SliceReport, cursor: string | null): boolean {
  return report.finished || report.cursor !== cursor;
}
