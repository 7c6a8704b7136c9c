/** How far a re-encryption is, in one line: counts, names and times only. */
import type { SliceReport, TargetCount } from '../../lambdas/contract/reencryption.ts';
import { span } from '../../lib/operations/spans.ts';

/** Characters between the brackets: of 80 columns, the numbers need more than half. */
const barLength = 12;

/**
 * For a terminal: one bar over all targets; none while the number of rows is not known. The time comes first, since
 * a narrow terminal cuts the end off.
 */
export function drawnHeadway({ targets, finished, speed }: SliceReport): string {
  const done = sum(targets.map(goneOver));
  const total = sumKnown(targets.map((count) => count.total));
  const left = sum(targets.map((count) => count.left));
  if (total === null) return [`${done} of an unknown number of rows`, ...pace(speed)].join(', ');
  const shown = total > 0 ? bar(done, total) : bar(finished ? 1 : 0, 1);
  const rows = [`${done} of ${total} rows`, `${left} left`];
  return `${shown}  ${[...estimate(speed, finished), ...rows, ...pace(speed)].join(', ')}`;
}

/** For a pipe: every target with its counts. */
export function plainHeadway({ targets, finished, speed }: SliceReport): string {
  const counts = targets.map(
    ({ target, total, moved, left }) => `${target}: ${moved} moved, ${left} left of ${total ?? '?'}`,
  );
  return [counts.join('; '), ...pace(speed), ...estimate(speed, finished)].join(', ');
}

/** `[███████░░░░░]  62 %`: full, and 100, only when all is done. @param done beyond `total` is the end */
export function bar(done: number, total: number): string {
  // Multiplied first: 0.29 * 100 is less than 29.
  const parts = (whole: number) => Math.min(whole, Math.floor((done * whole) / total));
  const full = parts(barLength);
  return `[${'█'.repeat(full)}${'░'.repeat(barLength - full)}] ${String(parts(100)).padStart(3)} %`;
}

/**
 * Rows that were looked at, whatever became of them. Where nothing is written they are counted by key, and those
 * that need another key stay among what is left.
 */
function goneOver({ total, moved, left, poisoned, under }: TargetCount): number {
  if (under !== undefined) return sum(Object.values(under)) + poisoned;
  return total === null ? moved + poisoned : Math.max(0, total - (left - poisoned));
}

function pace(speed: SliceReport['speed']): string[] {
  return speed === undefined ? [] : [`${speed.rowsPerSecond} rows/s`];
}

function estimate(speed: SliceReport['speed'], finished: boolean): string[] {
  const secondsLeft = speed?.secondsLeft ?? null;
  return finished || secondsLeft === null ? [] : [`${span(secondsLeft * 1_000)} to go`];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((before, one) => before + one, 0);
}

/** Null where one of them is not known, or none is told of yet. */
function sumKnown(numbers: readonly (number | null)[]): number | null {
  const known = numbers.filter((one) => one !== null);
  return known.length === 0 || known.length < numbers.length ? null : sum(known);
}
