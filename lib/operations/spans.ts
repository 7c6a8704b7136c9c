/** Times as people read and write them. */

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** The two largest units of a length of time: `3 d 4 h`, `12 m`, `0 s`. @param milliseconds 0 or more */
export function span(milliseconds: number): string {
  const first = units.findIndex(([, length]) => milliseconds >= length);
  if (first < 0) return '0 s';
  let rest = milliseconds;
  const parts = units.slice(first, first + 2).map(([unit, length]) => {
    const count = Math.floor(rest / length);
    rest -= count * length;
    return count === 0 ? '' : `${count} ${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}

/** A moment to the minute: `2026-11-21 18:00 UTC`. */
export function moment(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Reads `90s`, `30m`, `2h`, `1d`. @returns milliseconds, or null when it is not written like that. */
export function parseSpan(text: string): number | null {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const length = units.find(([name]) => name === unit)?.[1];
  return count === undefined || length === undefined ? null : Number(count) * length;
}
