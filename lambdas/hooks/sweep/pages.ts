/** Reads a column page by page along its key, and writes rows back only where nobody else has written since. */
import { createHash } from 'node:crypto';
import type { RowContext, Stored } from '../../contract/ciphers.ts';
import type { KeyRange } from '../../contract/ranges.ts';
import { type Column, quoted, tableOf } from './columns.ts';
import type { Cells, Connection } from './connection.ts';
import type { ColumnFacts } from './facts.ts';

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
  readonly rows: readonly Row[];
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
   * @param limit rows at most; there are fewer where they are large (`mostPageBytes`).
   */
  read(after: readonly string[] | null, limit: number): Promise<Page>;
  /**
   * Compare-and-swap on xmin: a row that somebody has written since it was read is left as it is.
   * @param version what the rows are tagged with from now on; undefined where rows are not tagged.
   * @returns how many rows were written.
   */
  write(rows: readonly Rewritten[], version: number | undefined): Promise<number>;
}

/** Bytes of ciphertext after which a page ends: three pages are in memory at a time, and rows may have megabytes. */
const mostPageBytes = 8 * 1024 * 1024;

/**
 * @param facts of the columns, by name.
 * @param range whose rows are read. Default: all.
 */
export function pagesOf(
  column: Column,
  facts: ReadonlyMap<string, ColumnFacts>,
  reader: Connection,
  writer: Connection,
  range: Pick<KeyRange, 'after' | 'upTo'> = { after: null, upTo: null },
): Pages {
  const table = tableOf(column);
  const key = column.key.map(quoted);
  const keyTypes = column.key.map((name) => facts.get(name)?.type ?? 'text');
  const value = quoted(column.column);
  const valueType = facts.get(column.column)?.type === 'bytea' ? 'bytea' : 'text';
  const extra = column.additionalData ?? [];
  const raw = key.map((_, index) => `raw${index}`).join(', ');
  const inner = [
    ...key.map((name, index) => `${name} AS raw${index}, ${name}::text AS key${index}`),
    'xmin::text AS xmin_text',
    `${value} AS stored`,
    ...(column.version === undefined ? [] : [`${quoted(column.version)}::text AS version`]),
    ...extra.map((name, index) => `${quoted(name)}::text AS extra${index}`),
  ].join(', ');
  const outer = [
    ...key.map((_, index) => `key${index}`),
    'xmin_text',
    'stored',
    ...(column.version === undefined ? [] : ['version']),
    ...extra.map((_, index) => `extra${index}`),
  ].join(', ');
  const { upTo } = range;
  const placeFrom = (first: number) =>
    `(${keyTypes.map((type, index) => `$${first + index}::${type}`).join(', ')})`;
  const endFrom = (first: number) => (upTo === null ? '' : ` AND (${key.join(', ')}) <= ${placeFrom(first)}`);
  // The length of a large value is known without reading it, so that what is left out costs nothing.
  const page = (bound: string) =>
    `SELECT ${outer} FROM (
       SELECT *, sum(octet_length(stored)) OVER (ORDER BY ${raw} ROWS UNBOUNDED PRECEDING) - octet_length(stored) AS before
         FROM (SELECT ${inner} FROM ${table} WHERE ${value} IS NOT NULL${bound} ORDER BY ${key.join(', ')} LIMIT $1) AS page
     ) AS sized WHERE before <= ${mostPageBytes} ORDER BY ${raw}`;
  const first = page(endFrom(2));
  const later = page(` AND (${key.join(', ')}) > ${placeFrom(2)}${endFrom(2 + key.length)}`);
  const update = updateOf(column, { table, key, keyTypes, value, valueType });
  const names = { later: nameOf(later), update: nameOf(update) };

  return {
    async read(done, limit) {
      const after = done ?? range.after;
      const { rows } =
        after === null
          ? await reader.query(first, [limit, ...(upTo ?? [])])
          : await reader.query(later, [limit, ...after, ...(upTo ?? [])], names.later);
      const read = rows.map((row) => rowOf(row, column.key.length, extra.length));
      return { rows: read, last: read.length < limit && bytesOf(read) <= mostPageBytes };
    },

    async write(rows, version) {
      if (rows.length === 0) return 0;
      const keys = column.key.map((_, index) => rows.map(({ row }) => row.key[index] ?? ''));
      const { changed } = await writer.query(
        update,
        [
          ...keys,
          rows.map(({ row }) => row.xmin),
          rows.map(({ stored }) => stored),
          ...(column.version === undefined ? [] : [version ?? null]),
        ],
        names.update,
      );
      return changed;
    },
  };
}

/** A prepared statement of one column must not be taken for that of another one. */
function nameOf(statement: string): string {
  return createHash('sha256').update(statement).digest('hex').slice(0, 16);
}

function bytesOf(rows: readonly Row[]): number {
  return rows.reduce((sum, { stored }) => sum + Buffer.byteLength(stored), 0);
}

interface Parts {
  readonly table: string;
  readonly key: readonly string[];
  readonly keyTypes: readonly string[];
  readonly value: string;
  readonly valueType: string;
}

function updateOf({ version }: Column, { table, key, keyTypes, value, valueType }: Parts): string {
  const arrays = [...keyTypes, 'xid', valueType].map((type, index) => `$${index + 1}::${type}[]`);
  const names = [...key.map((_, index) => `key${index}`), 'xmin_read', 'stored'];
  const tag = version === undefined ? '' : `, ${quoted(version)} = $${arrays.length + 1}::bigint`;
  const sameRow = key.map((name, index) => `t.${name} = v.key${index}`).join(' AND ');
  return `UPDATE ${table} AS t SET ${value} = v.stored${tag} FROM unnest(${arrays.join(', ')}) AS v(${names.join(', ')})
    WHERE ${sameRow} AND t.xmin = v.xmin_read`;
}

function rowOf(row: Cells, keys: number, extras: number): Row {
  const texts = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => String(row[`${prefix}${index}`] ?? ''));
  const { stored, version } = row;
  return {
    key: texts('key', keys),
    xmin: String(row.xmin_text),
    stored: Buffer.isBuffer(stored) ? stored : String(stored),
    context: {
      ...(version === undefined || version === null ? {} : { version: Number(version) }),
      ...(extras === 0 ? {} : { additionalData: Buffer.from(texts('extra', extras).join('|')) }),
    },
  };
}
