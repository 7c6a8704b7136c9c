import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { Slice } from '../../contract/reencryption.ts';
import { type Column, targetOf } from './columns.ts';

/** Where a sweep stands. A position is a primary key's text: no value, and nothing that a lost cursor would lose. */
const Cursor = z.strictObject({
  /** What it is a position of: see `workOf`. */
  work: z.string(),
  /** Index of the column. */
  column: z.int().check(z.minimum(0)),
  /** 1 for the first pass over it. */
  pass: z.int().check(z.minimum(1)),
  /** The key of the last row that is done with; null: the pass begins. */
  after: z.nullable(z.array(z.string())),
  /** Rows seen in this pass. */
  seen: z.int(),
  /** Rows that this pass moved, or that changed under it: with none of them, it is the last. */
  found: z.int(),
  /** Rows moved, over all passes. */
  moved: z.int(),
  /** Rows of this pass that cannot be read. */
  poisoned: z.int(),
  /** Where nothing is written: rows of this pass by the id of the key that they are under. */
  under: z.record(z.string(), z.int()),
});
export type Cursor = z.infer<typeof Cursor>;

export const begin = (work: string, column: number, pass = 1, moved = 0): Cursor => ({
  work,
  column,
  pass,
  after: null,
  seen: 0,
  found: 0,
  moved,
  poisoned: 0,
  under: {},
});

/**
 * Names the work that a cursor belongs to: these columns, moved to this key out of these, within this range. The way
 * back of a rollout must not go on where the way forward stopped.
 */
export function workOf(columns: readonly Column[], { ring, dryRun, range, work }: Slice): string {
  const others = ring.others.map(({ id }) => id).sort();
  const along = columns.map((column) => [targetOf(column), column.key]);
  const parts = JSON.stringify([ring.write.id, others, dryRun, along, range ?? null, work ?? null]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 12);
}

/** What cannot be read, or belongs to other work, begins anew: that costs time, never data. */
export function parseCursor(text: string | null, work: string, columns: number): Cursor {
  const parsed = Cursor.safeParse(text === null ? undefined : jsonOf(text));
  return parsed.success && parsed.data.work === work && parsed.data.column < columns
    ? parsed.data
    : begin(work, 0);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
