/** Reads a column page by page along its key, and writes rows back only where nobody else has written since. */
import type { RowContext, Stored } from '../../contract/ciphers.ts';
import { type Column, quoted, tableOf } from './columns.ts';
import type { Cells, Connection } from './connection.ts';

/** A row as it was read. */
export interface Row {
  /** The key's columns as text. */
  readonly key: readonly string[];
  /** The transaction that wrote this state of the row (PostgreSQL documentation, 5.6 "System Columns"). */
  readonly xmin: string;
  readonly stored: Stored;
  readonly context: RowContext;
}

export interface Rewritten {
  readonly row: Row;
  readonly stored: Stored;
}

export interface Pages {
  /** @param after the key of the last row that is done with; null: from the first one. */
  read(after: readonly string[] | null, limit: number): Promise<Row[]>;
  /**
   * Compare-and-swap on xmin: a row that somebody has written since it was read is left as it is.
   * @param version what the rows are tagged with from now on; undefined where rows are not tagged.
   * @returns how many rows were written.
   */
  write(rows: readonly Rewritten[], version: number | undefined): Promise<number>;
}

/** @param types column -> its type as SQL writes it. */
export function pagesOf(
  column: Column,
  types: ReadonlyMap<string, string>,
  reader: Connection,
  writer: Connection,
): Pages {
  const table = tableOf(column);
  const key = column.key.map(quoted);
  const keyTypes = column.key.map((name) => types.get(name) ?? 'text');
  const value = quoted(column.column);
  const valueType = types.get(column.column) === 'bytea' ? 'bytea' : 'text';
  const extra = column.additionalData ?? [];
  const select = [
    ...key.map((name, index) => `${name}::text AS key${index}`),
    'xmin::text AS xmin',
    `${value} AS stored`,
    ...(column.version === undefined ? [] : [`${quoted(column.version)}::text AS version`]),
    ...extra.map((name, index) => `${quoted(name)}::text AS extra${index}`),
  ].join(', ');
  const order = key.join(', ');
  const bounds = keyTypes.map((type, index) => `$${index + 2}::${type}`).join(', ');
  const page = (bound: string) =>
    `SELECT ${select} FROM ${table} WHERE ${value} IS NOT NULL${bound} ORDER BY ${order} LIMIT $1`;
  const first = page('');
  const later = page(` AND (${order}) > (${bounds})`);
  const update = updateOf(column, { table, key, keyTypes, value, valueType });

  return {
    async read(after, limit) {
      const { rows } =
        after === null
          ? await reader.query(first, [limit])
          : await reader.query(later, [limit, ...after], 'page');
      return rows.map((row) => rowOf(row, column.key.length, extra.length));
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
        'write',
      );
      return changed;
    },
  };
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
    xmin: String(row.xmin),
    stored: Buffer.isBuffer(stored) ? stored : String(stored),
    context: {
      ...(version === undefined || version === null ? {} : { version: Number(version) }),
      ...(extras === 0 ? {} : { additionalData: Buffer.from(texts('extra', extras).join('|')) }),
    },
  };
}
