/** Large tables in ranges, and counts in slices, on a real PostgreSQL. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { server as postgres } from '../../../../lambdas/adapters/reencrypt/postgres.ts';
import { type KeyRange, mostPlaceBytes, mostRanges } from '../../../../lambdas/contract/ranges.ts';
import { mostSetAside, rowId, type SliceReport } from '../../../../lambdas/contract/reencryption.ts';
import type { Server } from '../../../../lambdas/hooks/sweep/connection.ts';
import {
  admin,
  bound,
  contents,
  declared,
  newKey,
  oldKey,
  opened,
  plain,
  ports,
  sealed,
  slice,
  start,
  stop,
  strange,
  sweepAll,
  table,
} from './swept.ts';

beforeAll(start, 60_000);
afterAll(stop);
beforeEach(() => admin.query('DROP TABLE IF EXISTS credentials, other, parted CASCADE'));

const small = { ranges: { above: 10, most: 4 } };
const target = 'credentials.sealed';
const divide = (extra: object = small, of: object = {}) =>
  bound(declared(extra, of)).divide(slice(), ports());
const count = (range: KeyRange, of: object = {}) =>
  bound(declared({}, of)).run(slice({ range, dryRun: true }), ports());

/** Runs slices of one page each until the range is finished. */
async function sweepRange(range: KeyRange, of: object = {}, between = async () => {}): Promise<SliceReport> {
  let cursor: string | null = null;
  for (;;) {
    const short = ports({ remaining: () => 0 });
    const report: SliceReport = await bound(declared({}, of)).run(slice({ range, cursor }), short);
    if (report.finished) return report;
    await between();
    cursor = report.cursor;
  }
}

const sumOf = (reports: readonly SliceReport[], of: 'moved' | 'total') =>
  reports.reduce((sum, { targets }) => sum + (targets[0]?.[of] ?? 0), 0);

describe('a table is divided', () => {
  test('above the declared number of rows only, and never where one worker is wanted', async () => {
    await table(10);
    expect(await divide()).toBeNull();
    await admin.query('INSERT INTO credentials VALUES (11, $1)', [sealed('row 11', oldKey)]);
    expect(await divide()).toMatchObject({ atOnce: 4 });
    expect(await divide({ ranges: { above: 10, most: 1 } })).toBeNull();
    expect(await divide({})).toBeNull();
    // An estimate is believed, also where it is of another day.
    await admin.query('ANALYZE credentials');
    await admin.query('DELETE FROM credentials WHERE id > 3');
    expect(await divide()).toMatchObject({ atOnce: 4 });
  });

  test('into equal parts, whatever its key is, that together are the table', async () => {
    const keys = [
      ['bigint', 'n'],
      ['text', `'it''s "' || n || '", {x}\\'`],
      ['text COLLATE "und-x-icu"', `CASE n % 3 WHEN 0 THEN 'É' WHEN 1 THEN 'e' ELSE 'F' END || n`],
      ['uuid', `md5(n::text)::uuid`],
      ['timestamptz', `'2026-03-29 00:00:00.123456+01'::timestamptz + n * interval '7 minutes'`],
      ['numeric', `n / 7.0`],
      ['float8', `sin(n)`],
      ['varchar(8)', `'v' || n`],
      ['bytea', `sha256(n::text::bytea)`],
    ];
    for (const [type, made] of keys) {
      await admin.query(
        `DROP TABLE IF EXISTS credentials; CREATE TABLE credentials (id ${type} PRIMARY KEY, sealed text)`,
      );
      await admin.query(`INSERT INTO credentials SELECT ${made}, $1 FROM generate_series(1, 40) AS n`, [
        sealed('row', oldKey),
      ]);
      const { ranges = [] } = (await divide()) ?? {};
      const counts = await Promise.all(ranges.map((range) => count(range)));
      expect([type, counts.map(({ targets }) => targets[0]?.total)]).toEqual([type, [10, 10, 10, 10]]);
      const moved = await Promise.all(
        ranges.map((range) => bound(declared()).run(slice({ range }), ports())),
      );
      expect(sumOf(moved, 'moved')).toBe(40);
    }
  }, 60_000);

  test('along a key of several columns, without rows of NULL, and across partitions', async () => {
    await admin.query(`
      CREATE TABLE parted (tenant text, n int, sealed text, PRIMARY KEY (tenant, n)) PARTITION BY LIST (tenant);
      CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
      CREATE TABLE parted_b PARTITION OF parted DEFAULT`);
    await admin.query(
      `INSERT INTO parted SELECT CASE WHEN n % 4 = 0 THEN 'b' ELSE 'a' END, n, CASE WHEN n <= 40 THEN $1 END
         FROM generate_series(1, 60) AS n`,
      [sealed('row', oldKey)],
    );
    const of = { table: 'parted', key: ['tenant', 'n'] };
    const { ranges = [] } = (await divide(small, of)) ?? {};
    expect(ranges.map(({ upTo }) => upTo)).toEqual([['a', '13'], ['a', '26'], ['a', '39'], null]);
    const moved = await Promise.all(ranges.map((range) => sweepRange(range, of)));
    expect(sumOf(moved, 'moved')).toBe(40);
  });

  test('at places that the state has room for: where keys are longer, ranges are joined', async () => {
    await admin.query('CREATE TABLE credentials (id text PRIMARY KEY, sealed text)');
    await admin.query(
      `INSERT INTO credentials SELECT n || repeat('x', CASE WHEN n < 25 THEN ${mostPlaceBytes} ELSE 1 END), $1
         FROM generate_series(11, 50) AS n`,
      [sealed('row', oldKey)],
    );
    const { ranges = [] } = (await divide()) ?? {};
    expect(ranges.map(({ after, upTo }) => [after, upTo])).toEqual([
      [null, ['30x']],
      [['30x'], ['40x']],
      [['40x'], null],
    ]);
  });

  test('as far as the state has room for ranges', async () => {
    const names = Array.from({ length: 9 }, (_, index) => `sealed${index}`);
    await admin.query(
      `CREATE TABLE other (id int PRIMARY KEY, ${names.map((name) => `${name} text`).join(', ')})`,
    );
    await admin.query(
      `INSERT INTO other SELECT n, ${names.map(() => '$1').join(', ')} FROM generate_series(1, 20) AS n`,
      [sealed('row', oldKey)],
    );
    const columns = names.map((column) => ({ table: 'other', column, codec: { id: 'fernet' } }));
    const division = await divide({ ...small, columns });
    expect(division?.ranges).toHaveLength(mostRanges);
  });

  test('only when every declared column may be swept, and its codec opens the first page', async () => {
    await table(20);
    await expect(divide(small, { column: 'missing' })).rejects.toMatchObject({ code: 'HookRefused' });
    await admin.query('UPDATE credentials SET sealed = $1', [sealed('restored', strange)]);
    await expect(divide()).rejects.toMatchObject({ code: 'HookRefused' });
  });
});

describe('ranges', () => {
  test('lose no row, whatever lies at, before and after their places, and whatever is inserted meanwhile', async () => {
    const of = { key: ['a', 'b'] };
    const Key = fc.tuple(
      fc.integer({ min: 0, max: 3 }),
      fc.constantFrom('', 'A', 'a', 'aa', 'b', 'ß', 'é', '~'),
    );
    const keysOf = (most: number) => fc.uniqueArray(Key, { maxLength: most, selector: String });
    let n = 0;
    const insert = async (keys: readonly [number, string][]) => {
      for (const [a, b] of keys) {
        n += 1;
        await admin.query('INSERT INTO credentials VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
          a,
          b,
          sealed(`row ${n}`, oldKey),
        ]);
      }
    };
    await fc.assert(
      fc.asyncProperty(keysOf(30), keysOf(3), keysOf(6), async (rows, places, later) => {
        await admin.query('DROP TABLE IF EXISTS credentials');
        await admin.query(
          'CREATE TABLE credentials (a int, b text COLLATE "und-x-icu", sealed text, PRIMARY KEY (a, b))',
        );
        await insert(rows);
        const texts = places.map(([a, b]) => [a, b] as const);
        const sorted = await admin.query(
          'SELECT a::text, b FROM unnest($1::int[], $2::text[]) AS p(a, b) ORDER BY a, b COLLATE "und-x-icu"',
          [texts.map(([a]) => a), texts.map(([, b]) => b)],
        );
        const at: (string[] | null)[] = sorted.rows.map((row) => [row.a, row.b]);
        const ranges = [null, ...at].map((after, index) => ({ target, after, upTo: at[index] ?? null }));
        const before = await admin.query('SELECT a, b FROM credentials');
        const waiting = [...later, ...places];
        const reports = await Promise.all(
          ranges.map((range) => sweepRange(range, of, () => insert(waiting.splice(0, 1)))),
        );
        const swept = await admin.query('SELECT a, b, sealed FROM credentials');
        const old = swept.rows.filter((row) => plain(row.sealed) === null);
        // What was there when the ranges began is moved, each row once; what came later may lie behind a worker.
        const known = new Set(before.rows.map(({ a, b }) => `${a} ${b}`));
        expect(old.filter(({ a, b }) => known.has(`${a} ${b}`))).toEqual([]);
        expect(sumOf(reports, 'moved')).toBe(swept.rows.length - old.length);
        const counted = await Promise.all(ranges.map((range) => count(range, of)));
        expect(sumOf(counted, 'total')).toBe(swept.rows.length);
        const rest = await sweepAll(declared({}, of));
        expect(rest.targets).toMatchObject([{ moved: old.length, left: 0 }]);
      }),
      { numRuns: 12, seed: 20_261_121 },
    );
  }, 120_000);

  const [lower, upper] = [
    { target, after: null, upTo: ['20'] },
    { target, after: ['20'], upTo: null },
  ];

  test('two workers on one range do no harm to each other', async () => {
    await table(40);
    const reports = await Promise.all([sweepRange(lower), sweepRange(lower), sweepRange(upper)]);
    expect(sumOf(reports, 'moved')).toBe(40);
    for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
  });

  test('killed at every statement, a range is gone on with from a cursor that is kept, lost or of another range', async () => {
    let kills = 0;
    for (let at = 1; ; at += 1) {
      await admin.query('DROP TABLE IF EXISTS credentials');
      await table(30);
      let statements = 0;
      const dying: Server = {
        async connect(dsn, tls) {
          const client = await postgres.connect(dsn, tls);
          return {
            ...client,
            query(text, parameters, name) {
              statements += 1;
              if (statements >= at) return Promise.reject(new Error('killed'));
              return client.query(text, parameters, name);
            },
          };
        },
      };
      const first = await bound(declared()).run(slice({ range: lower }), ports({ remaining: () => 0 }));
      const other = await bound(declared()).run(slice({ range: upper }), ports({ remaining: () => 0 }));
      const killed = await bound(declared(), dying)
        .run(slice({ range: lower, cursor: first.cursor }), ports())
        .then(
          () => false,
          () => true,
        );
      for (const stored of (await contents()).values())
        expect(opened(stored, oldKey) ?? opened(stored, newKey)).toMatch(/^row /);
      const cursor = [first.cursor, null, other.cursor][at % 3] ?? null;
      await bound(declared()).run(slice({ range: lower, cursor }), ports());
      for (const [id, stored] of await contents())
        if (Number(id) <= 20) expect(plain(stored)).toBe(`row ${id}`);
      if (!killed) break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(5);
  }, 60_000);

  test('that hold nothing but unreadable rows are gone over, and nothing of them is changed', async () => {
    await table(20);
    // The first page of the table neither: it was looked at when the table was divided.
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id > 10 OR id < 8', [
      sealed('strange', strange),
    ]);
    const before = await contents();
    const report = await sweepRange({ target, after: ['10'], upTo: null });
    expect(report).toMatchObject({ finished: true, targets: [{ moved: 0, poisoned: 10 }] });
    expect(await contents()).toEqual(before);
  });

  test('share the declared rate', async () => {
    await table(14);
    const slept: number[] = [];
    const now = new Date();
    const clock = { now: () => now, sleep: async (milliseconds: number) => void slept.push(milliseconds) };
    const rate = { rowsPerSecond: 100, ranges: { above: 1, most: 4 } };
    await bound(declared(rate)).run(slice({ range: { target, after: null, upTo: null } }), ports({ clock }));
    // 7 rows at 25 a second.
    expect(slept[0]).toBe(280);
  });

  test('of a column that is not declared any more are finished at once', async () => {
    await table(5);
    const report = await bound(declared()).run(
      slice({ range: { target: 'gone.sealed', after: null, upTo: null } }),
      ports(),
    );
    expect(report).toMatchObject({ finished: true, targets: [] });
  });
});

describe('a count', () => {
  const counted = (extra: object, remaining = 0): Promise<SliceReport> =>
    bound(declared()).count(slice({ dryRun: true, ...extra }), ports({ remaining: () => remaining }));

  test('comes to the same number in slices, and from a cursor of another count begins anew', async () => {
    await table(30);
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id <= 12', [sealed('moved', newKey)]);
    let report = await counted({ work: 'this' });
    const strangeCursor = (await counted({ work: 'another', cursor: null })).cursor;
    let slices = 1;
    for (; !report.finished; slices += 1) report = await counted({ work: 'this', cursor: report.cursor });
    expect(slices).toBeGreaterThan(3);
    expect(report.targets).toMatchObject([{ total: 30, left: 18 }]);
    // Were it gone on with, the rows before it would not be looked at again.
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id = 1', [sealed('back', oldKey)]);
    const other = await counted({ work: 'this', cursor: strangeCursor }, 60_000);
    expect(other.targets).toMatchObject([{ total: 30, left: 19 }]);
  });

  test('of more rows that cannot be read than a report lists tells how many, and lists the acknowledged beside the first', async () => {
    await admin.query('CREATE TABLE credentials (id bigint PRIMARY KEY, sealed text)');
    await admin.query(
      `INSERT INTO credentials SELECT n, CASE WHEN n > 150 THEN $1 ELSE 'broken' END FROM generate_series(1, 160) AS n`,
      [sealed('row', newKey)],
    );
    // Only where something of the first page can be read, the codec is right.
    await admin.query(`UPDATE credentials SET sealed = $1 WHERE id = 1`, [sealed('row', newKey)]);
    const rows = ({ setAside }: SliceReport) => setAside.map(({ row }) => Number(row));
    const whole = await counted({}, 60_000);
    expect(whole.targets).toMatchObject([{ left: 149, poisoned: 149 }]);
    expect(rows(whole)).toEqual(Array.from({ length: mostSetAside }, (_, index) => index + 2));
    const acknowledged = new Set([2, 3, 120].map((id) => rowId(target, String(id))));
    const next = await counted({ acknowledged }, 60_000);
    expect(rows(next)).toHaveLength(mostSetAside + acknowledged.size);
    expect(rows(next).slice(-3)).toEqual([102, 103, 120]);
    expect(rows(await counted({ listAtMost: 1_000 }, 60_000))).toHaveLength(149);
  });
});
