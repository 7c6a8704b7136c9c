/** Reads a column page by page along its key, and writes rows back only where nobody else has written since. */
import { createHash } from 'node:crypto';
import type { RowContext, Stored } from '../../contract/ciphers.ts';
import type { KeyRange } from '../../contract/ranges.ts';
import { type Column, quoted, tableOf } from './columns.ts';
import type { Cells, Connection, Value } from './connection.ts';
import type { TableFacts } from './facts.ts';
import type { OwnWrites } from './own-writes.ts';

/** A row as it was read. */
export interface Row {
  /** The key's columns as text. */
  readonly key: readonly string[];
  /** The transaction that wrote this state of the row (PostgreSQL documentation, 5.6 "System Columns"). */
  readonly xmin: string;
  readonly stored: Stored;
  readonly context: RowContext;
}

export interface Page {
  /** To be looked at. */
  readonly rows: readonly Row[];
  /** Key of its last row; null: there is none. */
  readonly end: readonly string[] | null;
  /** With the rows that the sweep has written itself, and that nobody has written since. */
  readonly seen: number;
  /** Nothing comes after it. */
  readonly last: boolean;
}

export interface Rewritten {
  readonly row: Row;
  readonly stored: Stored;
}

export interface Pages {
  /**
   * @param after the key of the last row that is done with; null: from the first one of the range.
   * @param limit rows to be looked at, at most; there are fewer where they are large (`mostPageBytes`).
   */
  read(after: readonly string[] | null, limit: number): Promise<Page>;
  /**
   * Compare-and-swap on xmin: a row that somebody has written since it was read is left as it is.
   * @param version what the rows are tagged with from now on; undefined where rows are not tagged.
   * @returns how many rows were written.
   */
  write(rows: readonly Rewritten[], version: number | undefined): Promise<number>;
}

/** Bytes of ciphertext after which a page ends: four pages are in memory at a time, and rows may have megabytes. */
const mostPageBytes = 8 * 1024 * 1024;

/** How many rows a page may pass over, as a multiple of those that it may hold. */
const mostPassedOver = 10;

/** Transactions that a page is compared with: those of its rows, and some where they lie less densely. */
const mostTransactions = 4 * mostPassedOver;

/**
 * @param facts of the table, whose columns the statements cast to.
 * @param own what this sweep has written over these two connections.
 * @param range whose rows are read. Default: all.
 */
export function pagesOf(
  column: Column,
  facts: Facts,
  own: OwnWrites,
  reader: Connection,
  writer: Connection,
  range: Bounds = { after: null, upTo: null },
): Pages {
  const selects = { all: selectOf(column, facts, range), others: selectOthersOf(column, facts, range) };
  const update = updateOf(column, facts);
  const updateName = nameOf(update);
  const cells = cellsOf(column);

  return {
    async read(done, limit) {
      if (done === null) own.rewind();
      const after = done ?? range.after;
      const place = [...(after ?? []), ...(range.upTo ?? [])];
      const { first, later, name } = own.known ? selects.others : selects.all;
      const most = limit * mostPassedOver;
      const asked = own.known ? [most, limit, own.next(mostTransactions)] : [limit];
      const { rows } =
        after === null
          ? await reader.query(first, [...asked, ...place])
          : await reader.query(later, [...asked, ...place], name);
      const end = rows.at(-1);
      if (end === undefined) return { rows: [], end: null, seen: 0, last: true };
      own.reached(String(end.xmin_text));
      const told = { end: cells.key.map((name) => String(end[name])) };
      const read = (some: readonly Cells[]) => some.map((row) => rowOf(row, cells));
      if (!own.known) {
        return { ...told, rows: read(rows), seen: rows.length, last: rows.length < limit && isWhole(rows) };
      }
      const seen = end.nth === null ? rows.length : Number(end.nth);
      return {
        ...told,
        // The last row of a page is told even where it is passed over.
        rows: read(end.stored === null ? rows.slice(0, -1) : rows),
        seen,
        last: end.is_end === 't' && seen < most,
      };
    },

    async write(rows, version) {
      if (rows.length === 0) return 0;
      const keys = column.key.map((_, index) => rows.map(({ row }) => row.key[index] ?? ''));
      const { rows: answered, changed } = await writer.query(
        update,
        [
          ...keys,
          rows.map(({ row }) => row.xmin),
          rows.map(({ stored }) => stored),
          ...(column.version === undefined ? [] : [version ?? null]),
        ],
        updateName,
      );
      const [told] = answered;
      if (told === undefined) return changed;
      own.note(String(told.transaction));
      return Number(told.moved);
    },
  };
}

/** Names of the cells of a row. */
interface RowCells {
  readonly key: readonly string[];
  readonly extra: readonly string[];
}

function cellsOf({ key, additionalData = [] }: Column): RowCells {
  return {
    key: key.map((_, index) => `key${index}`),
    extra: additionalData.map((_, index) => `extra${index}`),
  };
}

type Facts = Pick<TableFacts, 'columns' | 'triggers'>;
type Bounds = Pick<KeyRange, 'after' | 'upTo'>;

function typesOf({ key }: Column, { columns }: Facts): readonly string[] {
  return key.map((name) => columns.get(name)?.type ?? 'text');
}

/** The first page of a column, and those after a place. */
interface Selects {
  readonly first: string;
  readonly later: string;
  /** Of `later`, as a prepared statement. */
  readonly name: string;
}

/** `$1` rows, from a place on or from the first. */
function selectOf(column: Column, facts: Facts, range: Bounds): Selects {
  const value = quoted(column.column);
  const { read, cells, along } = partsOf(column);
  // The length of a large value is known without reading it, so that what is left out costs nothing.
  const page = (bound: string) =>
    `SELECT ${cells.join(', ')} FROM (
       SELECT *, sum(octet_length(stored)) OVER (ORDER BY ${along} ROWS UNBOUNDED PRECEDING) - octet_length(stored) AS before
         FROM (SELECT ${[...read, `${value} AS stored`].join(', ')} FROM ${tableOf(column)} WHERE ${value} IS NOT NULL${bound} ORDER BY ${column.key.map(quoted).join(', ')} LIMIT $1) AS page
     ) AS sized WHERE before <= ${mostPageBytes} ORDER BY ${along}`;
  return boundBy(column, facts, range, 2, page);
}

/**
 * Without the rows that the sweep has written itself. `$1` rows that may be passed over or looked at, `$2` that may be
 * looked at, `$3` the transactions that are passed over.
 */
function selectOthersOf(column: Column, facts: Facts, range: Bounds): Selects {
  const value = quoted(column.column);
  const { read, cells, along } = partsOf(column);
  const stored = `CASE WHEN xmin = ANY($3::xid[]) THEN NULL ELSE ${value} END AS stored`;
  // Few of them are told: NULL costs nothing.
  const outer = [...cells, 'nullif(nth, looked_at) AS nth', 'nullif(is_end, false) AS is_end'];
  const page = (bound: string) =>
    `SELECT ${outer.join(', ')} FROM (
       SELECT *, row_number() OVER along AS nth, count(stored) OVER along AS looked_at, lead(true) OVER along IS NULL AS is_end,
              coalesce(sum(octet_length(stored)) OVER along - coalesce(octet_length(stored), 0), 0) AS before
         FROM (SELECT ${[...read, stored].join(', ')} FROM ${tableOf(column)} WHERE ${value} IS NOT NULL${bound} ORDER BY ${column.key.map(quoted).join(', ')} LIMIT $1) AS page
       WINDOW along AS (ORDER BY ${along} ROWS UNBOUNDED PRECEDING)
     ) AS sized WHERE before <= ${mostPageBytes} AND looked_at <= $2 AND (stored IS NOT NULL OR is_end) ORDER BY ${along}`;
  return boundBy(column, facts, range, 4, page);
}

/** What both read of a row beside its value, what they tell of it, and the order of the key. */
function partsOf(column: Column): {
  readonly read: readonly string[];
  readonly cells: readonly string[];
  readonly along: string;
} {
  const extra = column.additionalData ?? [];
  const { key, extra: extraCells } = cellsOf(column);
  return {
    read: [
      ...column.key.map((name, index) => `${quoted(name)} AS raw${index}`),
      'xmin AS written_by',
      ...(column.version === undefined ? [] : [`${quoted(column.version)}::text AS version`]),
      ...extra.map((name, index) => `${quoted(name)}::text AS extra${index}`),
    ],
    cells: [
      // As text only now: what is passed over needs none.
      ...key.map((name, index) => `raw${index}::text AS ${name}`),
      'written_by::text AS xmin_text',
      'stored',
      ...(column.version === undefined ? [] : ['version']),
      ...extraCells,
    ],
    along: key.map((_, index) => `raw${index}`).join(', '),
  };
}

/** @param from the number of the first parameter that names a place. */
function boundBy(
  column: Column,
  facts: Facts,
  { upTo }: Bounds,
  from: number,
  page: (bound: string) => string,
): Selects {
  const whole = `(${column.key.map(quoted).join(', ')})`;
  const placeFrom = (first: number) =>
    `(${typesOf(column, facts)
      .map((type, index) => `$${index + first}::${type}`)
      .join(', ')})`;
  const endFrom = (first: number) => (upTo === null ? '' : ` AND ${whole} <= ${placeFrom(first)}`);
  const later = page(` AND ${whole} > ${placeFrom(from)}${endFrom(from + column.key.length)}`);
  return { first: page(endFrom(from)), later, name: nameOf(later) };
}

/**
 * Whether a page of fewer rows than were asked for ends with the column, and was not cut for its bytes. A character has
 * four bytes at most, whatever the encoding of the database: where it may have been cut, another page is read.
 */
function isWhole(rows: readonly Cells[]): boolean {
  const length = ({ stored }: Cells) => (Buffer.isBuffer(stored) ? stored.length : String(stored).length);
  return rows.reduce((sum, row) => sum + length(row), 0) * 4 <= mostPageBytes;
}

/**
 * Tells its transaction only where nothing but itself writes in it. PostgreSQL takes no WITH for a table with rules,
 * which count as triggers here.
 */
function updateOf(column: Column, facts: Facts): string {
  const { version } = column;
  const key = column.key.map(quoted);
  const value = quoted(column.column);
  const valueType = facts.columns.get(column.column)?.type === 'bytea' ? 'bytea' : 'text';
  const types = [...typesOf(column, facts), 'xid', valueType];
  const arrays = types.map((type, index) => `$${index + 1}::${type}[]`);
  const names = [...key.map((_, index) => `key${index}`), 'xmin_read', 'stored'];
  const tag = version === undefined ? '' : `, ${quoted(version)} = $${arrays.length + 1}::bigint`;
  const sameRow = key.map((name, index) => `t.${name} = v.key${index}`).join(' AND ');
  const update = `UPDATE ${tableOf(column)} AS t SET ${value} = v.stored${tag} FROM unnest(${arrays.join(', ')}) AS v(${names.join(', ')})
    WHERE ${sameRow} AND t.xmin = v.xmin_read`;
  return facts.triggers.length > 0
    ? update
    : `WITH moved AS (${update} RETURNING true) SELECT count(*) AS moved, txid_current() AS transaction FROM moved`;
}

/** A prepared statement of one column must not be taken for that of another one. */
function nameOf(statement: string): string {
  return createHash('sha256').update(statement).digest('hex').slice(0, 16);
}

function rowOf(row: Cells, cells: RowCells): Row {
  const { stored, version } = row;
  return {
    key: cells.key.map((name) => String(row[name])),
    xmin: String(row.xmin_text),
    stored: Buffer.isBuffer(stored) ? stored : String(stored),
    context: contextOf(row, version, cells),
  };
}

const noContext: RowContext = {};

function contextOf(row: Cells, version: Value | undefined, { extra }: RowCells): RowContext {
  if (extra.length === 0 && (version === undefined || version === null)) return noContext;
  return {
    ...(version === undefined || version === null ? {} : { version: Number(version) }),
    ...(extra.length === 0
      ? {}
      : { additionalData: Buffer.from(extra.map((name) => String(row[name] ?? '')).join('|')) }),
  };
}
