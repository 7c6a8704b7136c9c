/** Whether a sweep may begin, and what a person should know before it does: decided on gathered facts alone. */
import { KeyturnError } from '../../contract/errors.ts';
import { type Column, targetOf } from './columns.ts';
import type { TableFacts } from './facts.ts';

export interface Intent {
  /** False: only looks. */
  readonly writes: boolean;
  /** Whether the key that data is to be under has a number. */
  readonly versioned: boolean;
}

const storedTypes = ['text', 'character varying', 'bytea'];
const numbers = ['smallint', 'integer', 'bigint'];

/** @returns the sentence of what keeps the sweep from beginning, or null. */
export function obstacle(column: Column, facts: TableFacts, intent: Intent): string | null {
  return tableObstacle(column, facts, intent) ?? columnObstacle(column, facts, intent);
}

function tableObstacle({ table }: Column, facts: TableFacts, { writes }: Intent): string | null {
  if (!facts.exists) return `The table ${table} must exist and be seen by the user; it is not there.`;
  if (!facts.isTable) return `${table} must be a table; it is a view, or another server's table.`;
  if (writes && facts.readOnly)
    return `The server of ${table} must take writes; it is a replica, or its user only reads.`;
  if (facts.hidesRows)
    return `The user must see every row of ${table}; row security applies to it, so that a count of zero would be no evidence.`;
  return facts.hasHeirs
    ? `The table ${table} must have no tables that inherit from it, since a key is not unique over all of them; declare each of them instead.`
    : null;
}

function columnObstacle(column: Column, facts: TableFacts, intent: Intent): string | null {
  const target = targetOf(column);
  const { table, key, version, additionalData = [] } = column;
  const { columns } = facts;
  const changed = [column.column, ...(version === undefined ? [] : [version])];
  const read = [...changed, ...key, ...additionalData];
  const missing = read.find((name) => !columns.has(name));
  if (missing !== undefined) return `The table ${table} must have the column ${missing}; it has none.`;
  const type = bare(columns.get(column.column)?.type);
  if (!storedTypes.includes(type)) return `${target} must be text, varchar or bytea; it is ${type}.`;
  if (version !== undefined) {
    const versionType = bare(columns.get(version)?.type);
    if (!numbers.includes(versionType))
      return `The column ${version} of ${table} must be an integer; it is ${versionType}.`;
    if (!intent.versioned)
      return `The rows of ${table} are tagged in ${version}, so that the key which they move to must have a number; it has none.`;
  }
  const generated = changed.find((name) => columns.get(name)?.generated);
  if (generated !== undefined)
    return `The column ${generated} of ${table} must take writes; it is generated from others.`;
  return rightsObstacle(column, facts, intent, read, changed) ?? keyObstacle(column, facts);
}

/** Rights may be given for single columns; `xmin` counts as one. */
function rightsObstacle(
  { table }: Column,
  { columns }: TableFacts,
  { writes }: Intent,
  read: readonly string[],
  changed: readonly string[],
): string | null {
  const unread = [...read, 'xmin'].filter((name) => !columns.get(name)?.maySelect);
  if (unread.length > 0)
    return `The user must have SELECT on the columns ${unread.join(', ')} of ${table}; it has not.`;
  const unwritten = changed.find((name) => !columns.get(name)?.mayUpdate);
  return writes && unwritten !== undefined
    ? `The user must have UPDATE on ${table}.${unwritten}; it has not.`
    : null;
}

/** A key that repeats or is NULL would make pages leave rows out, and a count of zero would be wrong. */
function keyObstacle({ table, key }: Column, { columns, unique }: TableFacts): string | null {
  const wanted = key.join(',');
  if (!unique.some((names) => names.join(',') === wanted))
    return `The table ${table} must have a unique index on exactly ${key.join(', ')}, in this order; without it, pages would leave rows out or each would read the whole table.`;
  const nullable = key.find((name) => !columns.get(name)?.notNull);
  if (nullable !== undefined)
    return `The column ${nullable} of ${table} must be NOT NULL to be a key; rows with NULL would be passed over.`;
  const list = key.find((name) => columns.get(name)?.type.endsWith('[]'));
  return list === undefined ? null : `The key ${list} of ${table} must be one value; it is an array.`;
}

/** Without its length: `character varying(40)` is `character varying`. */
function bare(type: string | undefined): string {
  return (type ?? '').replace(/\([^)]*\)/, '');
}

/** @throws KeyturnError HookRefused with the first obstacle. */
export function demandNoObstacle(column: Column, facts: TableFacts, intent: Intent): void {
  const sentence = obstacle(column, facts, intent);
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
export function notesOn(
  column: Column,
  { estimatedRows, bytes, triggers, unseenReplicas }: TableFacts,
): string[] {
  const target = targetOf(column);
  const size =
    estimatedRows < 0
      ? `The table was never analysed, so that its log cannot be estimated.`
      : `About ${megabytes(estimatedRows * logBytesPerRow)} MB of log.`;
  return [
    `${target}: every moved row leaves a dead one. Up to ${megabytes(bytes)} MB more for the table until it is vacuumed. ${size} PostgreSQL does not tell how much disk is free.`,
    ...(triggers.length === 0 ? [] : [`${target}: each moved row fires ${triggers.slice(0, 5).join(', ')}.`]),
    ...(unseenReplicas === 0
      ? []
      : [
          `${target}: the user cannot see how far ${unseenReplicas} replicas lag behind, so that the sweep does not wait for them; grant it pg_read_all_stats.`,
        ]),
  ];
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1_000_000);
}
