/** A column as the server has it: what the sweep's statements are made of, and whether it may begin. */
import { KeyturnError } from '../../contract/errors.ts';
import { type Column, tableOf, targetOf } from './columns.ts';
import type { Connection } from './connection.ts';

export interface TableFacts {
  /** The server only replays another one's log. */
  readonly readOnly: boolean;
  readonly exists: boolean;
  /** Column -> its type as SQL writes it; without those that the table has not. */
  readonly types: ReadonlyMap<string, string>;
  /** Column sets of unique indexes that are valid and not partial. */
  readonly unique: readonly (readonly string[])[];
  readonly maySelect: boolean;
  readonly mayUpdate: boolean;
  /** As the planner estimates it; -1: never analysed. */
  readonly estimatedRows: number;
  readonly bytes: number;
  /** Triggers that an UPDATE fires. */
  readonly triggers: readonly string[];
}

const stored = ['text', 'character varying', 'bytea'];
const numbers = ['smallint', 'integer', 'bigint'];

/** Gathers; changes nothing. */
export async function factsOf(column: Column, client: Connection): Promise<TableFacts> {
  const table = tableOf(column);
  const { rows } = await client.query(
    `SELECT pg_is_in_recovery() AS read_only, c.oid IS NOT NULL AS found,
            has_table_privilege(c.oid, 'SELECT') AS may_select,
            has_table_privilege(c.oid, 'UPDATE') OR has_column_privilege(c.oid, $2, 'UPDATE') AS may_update,
            c.reltuples::bigint::text AS estimate, pg_table_size(c.oid)::text AS bytes
       FROM (SELECT to_regclass($1) AS oid) AS wanted LEFT JOIN pg_class AS c ON c.oid = wanted.oid`,
    [table, column.column],
  );
  const [row = {}] = rows;
  if (row.found !== 't') return { ...nothing, readOnly: row.read_only === 't' };
  const [types, unique, triggers] = await Promise.all([
    client.query(
      `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
        WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
      [table],
    ),
    client.query(
      `SELECT string_agg(a.attname, ',') AS names FROM pg_index AS i
         JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
        GROUP BY i.indexrelid`,
      [table],
    ),
    client.query(
      `SELECT tgname AS name FROM pg_trigger
        WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0`,
      [table],
    ),
  ]);
  return {
    readOnly: row.read_only === 't',
    exists: true,
    types: new Map(types.rows.map(({ name, type }) => [String(name), String(type)])),
    unique: unique.rows.map(({ names }) => String(names).split(',')),
    maySelect: row.may_select === 't',
    mayUpdate: row.may_update === 't',
    estimatedRows: Number(row.estimate),
    bytes: Number(row.bytes),
    triggers: triggers.rows.map(({ name }) => String(name)),
  };
}

const nothing: Omit<TableFacts, 'readOnly'> = {
  exists: false,
  types: new Map(),
  unique: [],
  maySelect: false,
  mayUpdate: false,
  estimatedRows: -1,
  bytes: 0,
  triggers: [],
};

/** Decides on the facts alone. @returns the sentence of what keeps the sweep from beginning, or null. */
export function obstacle(column: Column, facts: TableFacts, writes: boolean): string | null {
  const target = targetOf(column);
  const { table, key, version, additionalData = [] } = column;
  if (!facts.exists) return `The table ${table} must exist and be seen by the user; it is not there.`;
  if (writes && facts.readOnly) return `The server of ${table} must take writes; it is a replica.`;
  const names = [column.column, ...key, ...(version === undefined ? [] : [version]), ...additionalData];
  const missing = names.find((name) => !facts.types.has(name));
  if (missing !== undefined) return `The table ${table} must have the column ${missing}; it has none.`;
  const type = facts.types.get(column.column) ?? '';
  if (!stored.includes(type)) return `${target} must be text, varchar or bytea; it is ${type}.`;
  const versionType = version === undefined ? 'integer' : (facts.types.get(version) ?? '');
  if (!numbers.includes(versionType))
    return `The column ${version} of ${table} must be an integer; it is ${versionType}.`;
  if (!facts.maySelect) return `The user must have SELECT on ${table}; it has not.`;
  if (writes && !facts.mayUpdate) return `The user must have UPDATE on ${target}; it has not.`;
  const sorted = [...key].sort().join(',');
  return facts.unique.some((columns) => [...columns].sort().join(',') === sorted)
    ? null
    : `The table ${table} must have a unique index on exactly ${key.join(', ')}; without it, each page would read the whole table.`;
}

/** @throws KeyturnError HookRefused with the first obstacle. */
export function demandNoObstacle(column: Column, facts: TableFacts, writes: boolean): void {
  const sentence = obstacle(column, facts, writes);
  if (sentence !== null) {
    throw new KeyturnError({
      code: 'HookRefused',
      message: sentence,
      hint: 'Correct the column in the deployment file, or the table or the rights in the database; nothing was changed.',
    });
  }
}

/** Bytes of write-ahead log that one updated row takes, measured with rows of 300 bytes. */
const logBytesPerRow = 900;

/** What a person should know before every row is written once. */
export function notesOn(column: Column, { estimatedRows, bytes, triggers }: TableFacts): string[] {
  const target = targetOf(column);
  const rows = Math.max(0, estimatedRows);
  const size = `${target}: every moved row leaves a dead one. Up to ${megabytes(bytes)} MB more for the table until it is vacuumed, and about ${megabytes(rows * logBytesPerRow)} MB of log. PostgreSQL does not tell how much disk is free.`;
  return triggers.length === 0
    ? [size]
    : [size, `${target}: each moved row fires ${triggers.slice(0, 5).join(', ')}.`];
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1_000_000);
}
