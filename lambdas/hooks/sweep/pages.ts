/** Reads a column page by page along its key, and writes rows back only where nobody else has written since. */
import { createHash } from 'node:crypto';
import type { RowContext, Stored } from '../../contract/ciphers.ts';
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
   * @param after the key of the last row that is done with; null: from the first one.
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
 */
export function pagesOf(
  column: Column,
  facts: Facts,
  own: OwnWrites,
  reader: Connection,
  writer: Connection,
): Pages {
  const select = selectOf(column, facts);
  const update = updateOf(column, facts);
  const names = { later: nameOf(select.later), update: nameOf(update) };
  const cells = cellsOf(column);

  return {
    async read(after, limit) {
      if (after === null) own.rewind();
      const most = own.known ? limit * mostPassedOver : limit;
      const asked = [most, limit, own.next(mostTransactions)];
      const { rows } =
        after === null
          ? await reader.query(select.first, asked)
          : await reader.query(select.later, [...asked, ...after], names.later);
      const end = rows.at(-1);
      if (end === undefined) return { rows: [], end: null, seen: 0, last: true };
      own.reached(String(end.xmin_text));
      const seen = end.nth === null ? rows.length : Number(end.nth);
      return {
        // The last row of a page is told even where it is passed over.
        rows: (end.stored === null ? rows.slice(0, -1) : rows).map((row) => rowOf(row, cells)),
        end: cells.key.map((name) => String(end[name])),
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
        names.update,
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

function typesOf({ key }: Column, { columns }: Facts): readonly string[] {
  return key.map((name) => columns.get(name)?.type ?? 'text');
}

/** `$1` rows that may be passed over or looked at, `$2` that may be looked at, `$3` the transactions that are passed over. */
function selectOf(column: Column, facts: Facts): { readonly first: string; readonly later: string } {
  const key = column.key.map(quoted);
  const value = quoted(column.column);
  const raw = key.map((_, index) => `raw${index}`).join(', ');
  const extra = column.additionalData ?? [];
  const cells = cellsOf(column);
  const inner = [
    ...key.map((name, index) => `${name} AS raw${index}`),
    'xmin AS written_by',
    `CASE WHEN xmin = ANY($3::xid[]) THEN NULL ELSE ${value} END AS stored`,
    ...(column.version === undefined ? [] : [`${quoted(column.version)}::text AS version`]),
    ...extra.map((name, index) => `${quoted(name)}::text AS extra${index}`),
  ].join(', ');
  const outer = [
    // As text only now: what is passed over needs none.
    ...cells.key.map((name, index) => `raw${index}::text AS ${name}`),
    'written_by::text AS xmin_text',
    'stored',
    ...(column.version === undefined ? [] : ['version']),
    ...cells.extra,
    // Few of them are told: NULL costs nothing.
    'nullif(nth, looked_at) AS nth',
    'nullif(is_end, false) AS is_end',
  ].join(', ');
  // The length of a large value is known without reading it, so that what is left out costs nothing.
  const page = (bound: string) =>
    `SELECT ${outer} FROM (
       SELECT *, row_number() OVER along AS nth, count(stored) OVER along AS looked_at, lead(true) OVER along IS NULL AS is_end,
              coalesce(sum(octet_length(stored)) OVER along - coalesce(octet_length(stored), 0), 0) AS before
         FROM (SELECT ${inner} FROM ${tableOf(column)} WHERE ${value} IS NOT NULL${bound} ORDER BY ${key.join(', ')} LIMIT $1) AS page
       WINDOW along AS (ORDER BY ${raw} ROWS UNBOUNDED PRECEDING)
     ) AS sized WHERE before <= ${mostPageBytes} AND looked_at <= $2 AND (stored IS NOT NULL OR is_end) ORDER BY ${raw}`;
  const bounds = typesOf(column, facts).map((type, index) => `$${index + 4}::${type}`);
  return { first: page(''), later: page(` AND (${key.join(', ')}) > (${bounds.join(', ')})`) };
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
