import * as z from 'zod/mini';

/** Where a sweep stands. A position is a primary key's text: no value, and nothing that a lost cursor would lose. */
const Cursor = z.strictObject({
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
});
export type Cursor = z.infer<typeof Cursor>;

export const begin = (column: number, pass = 1, moved = 0): Cursor => ({
  column,
  pass,
  after: null,
  seen: 0,
  found: 0,
  moved,
  poisoned: 0,
});

/** What cannot be read, or was written for other columns, begins anew: that costs time, never data. */
export function parseCursor(text: string | null, columns: number): Cursor {
  const parsed = Cursor.safeParse(text === null ? undefined : jsonOf(text));
  return parsed.success && parsed.data.column < columns ? parsed.data : begin(0);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
