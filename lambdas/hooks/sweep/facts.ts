/** A column as the server has it: gathered before the sweep decides whether it may begin. */

import { type Column, tableOf } from './columns.ts';
import type { Connection } from './connection.ts';

export interface ColumnFacts {
  /** As SQL writes it, with its length: a cast to `character` alone would cut a key to one character. */
  readonly type: string;
  readonly notNull: boolean;
  readonly generated: boolean;
  readonly maySelect: boolean;
  readonly mayUpdate: boolean;
}

export interface TableFacts {
  /** The server only replays another one's log, or the user's transactions may not write. */
  readonly readOnly: boolean;
  readonly exists: boolean;
  /** A table or a partitioned table: not a view, not another server's table. */
  readonly isTable: boolean;
  /** Other tables inherit from it: no index is unique over all of them. */
  readonly hasHeirs: boolean;
  /** Row security applies to this user: rows may be hidden from it. */
  readonly hidesRows: boolean;
  /** By name, with `xmin`; without those that the table has not. */
  readonly columns: ReadonlyMap<string, ColumnFacts>;
  /** Columns of unique B-tree indexes, in their order, that hold every row and no expression. */
  readonly unique: readonly (readonly string[])[];
  /** As the planner estimates it; -1: never analysed. */
  readonly estimatedRows: number;
  readonly bytes: number;
  /** Triggers and rules that an UPDATE fires, here or in a partition. */
  readonly triggers: readonly string[];
  /** Replicas whose lag the user may not see. */
  readonly unseenReplicas: number;
}

/** Changes nothing. */
export async function factsOf(column: Column, client: Connection): Promise<TableFacts> {
  const table = tableOf(column);
  const [row = {}] = (await client.query(relation, [table])).rows;
  const readOnly = row.read_only === 't';
  if (row.found !== 't') return { ...nothing, readOnly };
  const columns = await client.query(columnsOf, [table]);
  const indexes = await client.query(uniqueIndexes, [table]);
  const triggers = await client.query(updateTriggers, [table]);
  return {
    readOnly,
    exists: true,
    isTable: row.kind === 'r' || row.kind === 'p',
    hasHeirs: row.kind === 'r' && row.has_children === 't',
    hidesRows: row.hides_rows === 't',
    columns: new Map(
      columns.rows.map((one) => [
        String(one.name),
        {
          type: String(one.type),
          notNull: one.not_null === 't',
          generated: one.generated === 't',
          maySelect: one.may_select === 't',
          mayUpdate: one.may_update === 't',
        },
      ]),
    ),
    unique: indexes.rows.map(({ names }) => String(names).split(',')),
    estimatedRows: Number(row.estimate),
    bytes: Number(row.bytes),
    triggers: triggers.rows.map(({ name }) => String(name)),
    unseenReplicas: row.sees_lag === 't' ? 0 : Number(row.replicas),
  };
}

const nothing: Omit<TableFacts, 'readOnly'> = {
  exists: false,
  isTable: false,
  hasHeirs: false,
  hidesRows: false,
  columns: new Map(),
  unique: [],
  estimatedRows: -1,
  bytes: 0,
  triggers: [],
  unseenReplicas: 0,
};

/** A partitioned table has neither rows nor bytes of its own. On a replica, every transaction is read-only. */
const relation = `
  SELECT current_setting('transaction_read_only') = 'on' AS read_only, c.oid IS NOT NULL AS found, c.relkind AS kind,
         EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) AS has_children,
         row_security_active(c.oid) AS hides_rows,
         coalesce((SELECT sum(p.reltuples)::bigint FROM pg_partition_tree(c.oid) AS t JOIN pg_class AS p ON p.oid = t.relid
                    WHERE t.isleaf AND p.reltuples >= 0), c.reltuples::bigint)::text AS estimate,
         coalesce((SELECT sum(pg_table_size(relid)) FROM pg_partition_tree(c.oid)), pg_table_size(c.oid))::text AS bytes,
         pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_lag,
         (SELECT count(*) FROM pg_stat_replication)::text AS replicas
    FROM (SELECT to_regclass($1) AS oid) AS wanted LEFT JOIN pg_class AS c ON c.oid = wanted.oid`;

const columnsOf = `
  SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS not_null, attgenerated <> '' AS generated,
         has_column_privilege(attrelid, attnum, 'SELECT') AS may_select,
         has_column_privilege(attrelid, attnum, 'UPDATE') AS may_update
    FROM pg_attribute
   WHERE attrelid = to_regclass($1) AND (attnum > 0 OR attname = 'xmin') AND NOT attisdropped`;

/** Without the columns that an index only carries along (INCLUDE). A name with a comma is none that can be declared. */
const uniqueIndexes = `
  SELECT string_agg(a.attname, ',' ORDER BY k.position) AS names
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
   CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
   WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
     AND k.position <= i.indnkeyatts
   GROUP BY i.indexrelid HAVING bool_and(a.attname !~ ',')`;

/** A trigger of a partitioned table has a copy in each partition, of the same name; a partition may have its own. */
const updateTriggers = `
  WITH parts AS (SELECT to_regclass($1) AS oid UNION SELECT relid FROM pg_partition_tree(to_regclass($1)))
  SELECT tgname AS name FROM pg_trigger
   WHERE tgrelid IN (SELECT oid FROM parts) AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0
  UNION
  SELECT rulename FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM parts) AND ev_type = '2' AND ev_enabled <> 'D'
  ORDER BY name`;
