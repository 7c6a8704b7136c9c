/** One pass over a column: pages are read ahead, rewritten, and written behind. */
import type { Cipher, KeyRing } from '../../contract/ciphers.ts';
import { KeyturnError } from '../../contract/errors.ts';
import type { ReencryptPorts, SetAside } from '../../contract/reencryption.ts';
import { type Column, targetOf } from './columns.ts';
import type { Cursor } from './cursor.ts';
import type { Pace } from './pace.ts';
import type { Pages, Rewritten, Row } from './pages.ts';

export interface Pass {
  readonly column: Column;
  readonly ring: KeyRing;
  readonly cipher: Cipher;
  readonly pages: Pages;
  /** Rows of a page. */
  readonly batch: number;
  readonly pace: Pace;
  /** False: looks and counts, and writes nothing. */
  readonly writes: boolean;
  readonly ports: ReencryptPorts;
  /** After each page that is done with. */
  done(cursor: Cursor, setAside: readonly SetAside[]): void;
}

interface Sorted {
  readonly rewritten: readonly Rewritten[];
  readonly setAside: readonly SetAside[];
  readonly readable: number;
}

/**
 * Goes on from the cursor until the column ends or the time runs short.
 *
 * The cursor moves on only past rows whose write was answered, so that a process that dies does them again: they
 * are then found under the new key.
 *
 * @returns the cursor, and whether the column has ended.
 */
export async function runPass(
  start: Cursor,
  pass: Pass,
): Promise<{ readonly cursor: Cursor; readonly ended: boolean }> {
  const { pages, batch, pace, ports } = pass;
  let cursor = start;
  let writing: Promise<void> = Promise.resolve();
  let reading = pages.read(cursor.after, batch);
  try {
    for (;;) {
      const rows = await reading;
      const last = rows.at(-1);
      if (last === undefined) break;
      const full = rows.length === batch;
      reading = full ? pages.read(last.key, batch) : Promise.resolve([]);
      // Awaited one round later: a failure in between must not count as one that nobody handles.
      reading.catch(() => {});
      const sorted = sort(rows, pass);
      if (cursor.after === null && cursor.pass === 1) demandRightCodec(sorted, rows, pass);
      await writing;
      writing = write(sorted, last, rows.length);
      writing.catch(() => {});
      await pace.after(rows.length);
      if (!full) break;
      if (ports.remaining() <= 0) {
        await writing;
        await reading.catch(() => {});
        return { cursor, ended: false };
      }
    }
    await writing;
    return { cursor, ended: true };
  } catch (caught) {
    // The connections are closed next; what is still under way on them must have ended.
    await Promise.allSettled([writing, reading]);
    throw caught;
  }

  async function write(sorted: Sorted, last: Row, seen: number): Promise<void> {
    const { rewritten, setAside } = sorted;
    const moved = pass.writes ? await pages.write(rewritten, pass.ring.write.version) : 0;
    cursor = {
      ...cursor,
      after: [...last.key],
      seen: cursor.seen + seen,
      found: cursor.found + rewritten.length,
      moved: cursor.moved + moved,
      poisoned: cursor.poisoned + setAside.length,
    };
    pass.done(cursor, setAside);
  }
}

function sort(rows: readonly Row[], { cipher, column }: Pass): Sorted {
  const rewritten: Rewritten[] = [];
  const setAside: SetAside[] = [];
  for (const row of rows) {
    const result = cipher.rewrite(row.stored, row.context);
    if (result.is === 'rewritten') rewritten.push({ row, stored: result.stored });
    if (result.is === 'poisoned') {
      setAside.push({
        target: targetOf(column),
        row: row.key.join(',').slice(0, 200),
        poison: result.poison,
      });
    }
  }
  return { rewritten, setAside, readable: rows.length - setAside.length };
}

/** @throws KeyturnError HookRefused when nothing of the first page can be read: it is the codec, not the rows. */
function demandRightCodec({ readable }: Sorted, rows: readonly Row[], { column, ring }: Pass): void {
  if (readable > 0) return;
  const keys = [ring.write, ...ring.others].map(({ id }) => id).join(', ');
  throw new KeyturnError({
    code: 'HookRefused',
    message: `None of the first ${rows.length} rows of ${targetOf(column)} opens with the keys ${keys}; nothing was changed.`,
    hint: 'Compare the codec of the column with how the platform encrypts. Where a backup was restored: its rows are under a key that was retired; bring that key back from the version that KEYTURN_BEFORE pins, or restore a younger backup.',
  });
}
