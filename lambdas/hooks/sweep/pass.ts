/** One pass over a column: pages are read ahead, rewritten, and written behind. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Cipher, KeyRing, Opened, Rewrite } from '../../contract/ciphers.ts';
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

/**
 * Rows that are rewritten before the connections get a turn: sockets hold less than a page, and a server whose socket
 * nobody empties or fills stands still.
 */
const rowsAtOnce = 50;

interface Sorted {
  readonly rewritten: readonly Rewritten[];
  readonly setAside: readonly SetAside[];
  /** Rows that are not under the key that they are to be under. */
  readonly found: number;
  /** Where nothing is written: rows by the id of the key that they are under. */
  readonly under: ReadonlyMap<string, number>;
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
  let before = writing;
  let reading = pages.read(cursor.after, batch);
  try {
    for (;;) {
      const page = await reading;
      const { end } = page;
      if (end === null) break;
      reading = page.last ? Promise.resolve(page) : pages.read(end, batch);
      // Awaited one round later: a failure in between must not count as one that nobody handles.
      reading.catch(() => {});
      const sorted = await sort(page.rows, pass);
      // One write is under way while the next one is sent.
      await before;
      before = writing;
      writing = write(sorted, end, page.seen, before);
      writing.catch(() => {});
      await pace.after(page.seen);
      if (page.last) break;
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

  async function write(
    sorted: Sorted,
    end: readonly string[],
    seen: number,
    former: Promise<void>,
  ): Promise<void> {
    const { rewritten, setAside, under } = sorted;
    const written = pass.writes ? pages.write(rewritten, pass.ring.write.version) : Promise.resolve(0);
    // Both have ended, whatever becomes of them, and the cursor moves on in the order of the pages.
    await Promise.allSettled([former, written]);
    await former;
    const moved = await written;
    cursor = {
      ...cursor,
      after: [...end],
      seen: cursor.seen + seen,
      found: cursor.found + sorted.found,
      moved: cursor.moved + moved,
      poisoned: cursor.poisoned + setAside.length,
      under: added(cursor.under, under),
    };
    pass.done(cursor, setAside);
  }
}

async function sort(rows: readonly Row[], { cipher, column, ring, writes }: Pass): Promise<Sorted> {
  const rewritten: Rewritten[] = [];
  const setAside: SetAside[] = [];
  const under = new Map<string, number>();
  let found = 0;
  for (let from = 0; from < rows.length; from += rowsAtOnce) {
    if (from > 0) await setImmediate();
    const some = rows.slice(from, from + rowsAtOnce);
    const results = writes
      ? cipher.rewriteAll(some)
      : some.map(({ stored, context }) => cipher.open(stored, context));
    for (const [index, result] of results.entries()) {
      const row = some[index];
      if (row !== undefined) take(row, result);
    }
  }
  return { rewritten, setAside, found, under };

  function take(row: Row, result: Rewrite | Opened): void {
    switch (result.is) {
      case 'rewritten':
        found += 1;
        rewritten.push({ row, stored: result.stored });
        break;
      case 'open':
        found += result.under.id === ring.write.id ? 0 : 1;
        under.set(result.under.id, (under.get(result.under.id) ?? 0) + 1);
        break;
      case 'poisoned':
        setAside.push({ target: targetOf(column), row: rowName(row.key), poison: result.poison });
        break;
      case 'current':
        break;
    }
  }
}

function added(counts: Readonly<Record<string, number>>, more: ReadonlyMap<string, number>) {
  const sums = new Map(Object.entries(counts));
  for (const [id, count] of more) sums.set(id, (sums.get(id) ?? 0) + count);
  return Object.fromEntries(sums);
}

/** Characters of a row's name that reports show. */
const mostName = 200;

/** No two rows have one name: whoever acknowledges a row must not acknowledge another. */
export function rowName(key: readonly string[]): string {
  const [only = ''] = key;
  const name =
    key.length === 1 ? only : key.map((part) => part.replace(/[\\,]/g, (sign) => `\\${sign}`)).join(',');
  if (name.length <= mostName) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${name.slice(0, mostName - 20)}… ${digest}`;
}

/**
 * @param rows the first page of the column.
 * @throws KeyturnError HookRefused when nothing of it can be read: it is the codec, not the rows.
 */
export function demandRightCodec(column: Column, cipher: Cipher, ring: KeyRing, rows: readonly Row[]): void {
  if (rows.length === 0 || rows.some(({ stored, context }) => cipher.open(stored, context).is === 'open'))
    return;
  const keys = [ring.write, ...ring.others].map(({ id }) => id).join(', ');
  throw new KeyturnError({
    code: 'HookRefused',
    message: `None of the first ${rows.length} rows of ${targetOf(column)} opens with the keys ${keys}; nothing was changed.`,
    hint: 'Compare the codec of the column with how the platform encrypts. Where a backup was restored: its rows are under a key that was retired; bring that key back from the version that held it, or restore a younger backup. KEYTURN_BEFORE pins the version from before the youngest overlap, which may be the one under way; older ones have no label, and are there only until Secrets Manager deletes them: aws secretsmanager list-secret-version-ids --include-deprecated. Rows that nobody can read any more: remove them, or set the column to NULL.',
  });
}
