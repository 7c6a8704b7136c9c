/** What open sessions are called in messages, and how many there are of each name. */
import type { Use } from '../contract/target.ts';

/** A client names itself as it likes: signs that could make a line of their own, or be part of a URL, are left out. */
export function printable(name: string): string {
  return name
    .replace(/[^\w .\-/[\]()]+/g, '?')
    .slice(0, 40)
    .trim();
}

/** The names of sessions, each with its number, the most frequent first; empty ones get a name. */
export function countedBy(names: readonly string[]): Use[] {
  const counted = new Map<string, number>();
  for (const name of names) {
    const by = name === '' ? 'a session without a name' : name;
    counted.set(by, (counted.get(by) ?? 0) + 1);
  }
  return [...counted]
    .map(([by, sessions]) => ({ by, sessions }))
    .toSorted((a, b) => b.sessions - a.sessions || (a.by < b.by ? -1 : 1));
}
