/** Divides the rows of large tables into ranges of about the same size, along their keys. */
import { KeyturnError } from '../../contract/errors.ts';
import { type KeyRange, mostRanges, rangesBetween } from '../../contract/ranges.ts';
import type { ReencryptPorts, Slice } from '../../contract/reencryption.ts';
import { quoted, tableOf, targetOf } from './columns.ts';
import type { Connection } from './connection.ts';
import { demandReadable, type Ready, readyOf } from './ready.ts';
import type { Sweep } from './sweep.ts';

export interface Dividing {
  /** Rows above which a table is divided. */
  readonly above: number;
  /** Ranges of a table. */
  readonly into: number;
}

/**
 * The ranges of every table that is large, the largest first, as far as `mostRanges` goes. None where no table is:
 * nothing but the declared columns was looked at then.
 *
 * @throws KeyturnError HookRefused when one of the declared columns is not what the database has.
 */
export async function dividedBy(
  { above, into }: Dividing,
  sweep: Sweep,
  slice: Slice,
  ports: ReencryptPorts,
): Promise<KeyRange[]> {
  const client = await sweep.connect();
  try {
    const { random, columns, batch } = sweep;
    const ready = await readyOf(columns, slice, client, { random, clock: ports.clock });
    const large: { readonly one: Ready; readonly rows: number }[] = [];
    for (const one of ready) {
      const rows = await rowsOf(one, above, client);
      if (rows > above) large.push({ one, rows });
    }
    if (large.length === 0) return [];
    for (const one of ready) await demandReadable(one, slice, batch, client);
    const ranges: KeyRange[] = [];
    for (const { one } of large.sort((a, b) => b.rows - a.rows)) {
      const own = await rangesOf(one, into, client, ports);
      if (own.length > 1 && ranges.length + own.length <= mostRanges) ranges.push(...own);
    }
    return ranges;
  } finally {
    await client.end();
  }
}

/** As the planner estimates them. Where it cannot, they are counted, but never further than it matters. */
async function rowsOf({ column, facts }: Ready, above: number, client: Connection): Promise<number> {
  if (facts.estimatedRows >= 0) return facts.estimatedRows;
  const value = quoted(column.column);
  const { rows } = await client.query(
    `SELECT count(*)::text AS rows FROM (SELECT FROM ${tableOf(column)} WHERE ${value} IS NOT NULL LIMIT $1) AS first`,
    [above + 1],
  );
  return Number(rows[0]?.rows ?? 0);
}

/** A table that cannot be sampled is left whole: that costs time, and nothing else. */
async function rangesOf(
  { column }: Ready,
  into: number,
  client: Connection,
  { log }: ReencryptPorts,
): Promise<KeyRange[]> {
  try {
    return rangesBetween(targetOf(column), await placesIn(column, into, client));
  } catch (caught) {
    if (!(caught instanceof KeyturnError) || caught.retryable) throw caught;
    log({ message: `could not divide ${targetOf(column)}`, code: caught.code });
    return [];
  }
}

/**
 * Blocks of a table that are looked at: 4 MB, a few seconds at worst. Keys that were inserted one after the other
 * lie together in a block, so that it is the number of blocks, not of rows, that makes the places good: with this
 * many, a range is a few hundredths of the table larger or smaller than it should be.
 */
const sampledBlocks = 500;

/**
 * The keys that end the first, the second, … of `parts` equal parts of a sample of whole blocks. It works for every
 * key that an index orders, of one column or several, and reads a little of the largest table.
 *
 * @returns fewer where the sample has fewer rows; none twice, since a key is unique.
 */
async function placesIn(column: Ready['column'], parts: number, client: Connection): Promise<string[][]> {
  const table = tableOf(column);
  const key = column.key.map(quoted);
  const [size] = (await client.query(blocksOf, [table])).rows;
  const percent = Math.min(100, (100 * sampledBlocks) / Math.max(1, Number(size?.blocks ?? 0)));
  const texts = key.map((name, index) => `${name}::text AS key${index}`).join(', ');
  const { rows } = await client.query(
    `SELECT * FROM (
       SELECT ${texts}, row_number() OVER (ORDER BY ${key.join(', ')}) AS place, count(*) OVER () AS sampled
         FROM ${table} TABLESAMPLE SYSTEM (${percent.toFixed(6)}) WHERE ${quoted(column.column)} IS NOT NULL
     ) AS sample
     WHERE EXISTS (SELECT FROM generate_series(1, $1::int - 1) AS part WHERE place = ceil(sampled * part / $1::numeric))
     ORDER BY place`,
    [parts],
  );
  return rows.map((row) => key.map((_, index) => String(row[`key${index}`])));
}

/** Of the rows themselves, without what is stored beside them. A partitioned table has no blocks of its own. */
const blocksOf = `
  SELECT (coalesce((SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(to_regclass($1))),
                   pg_relation_size(to_regclass($1))) / current_setting('block_size')::int)::text AS blocks`;
