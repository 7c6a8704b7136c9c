/** The pass that looks for what is left: what it passes over, and what it never may. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { server as postgres } from '../../../../lambdas/adapters/reencrypt/postgres.ts';
import type { Server } from '../../../../lambdas/hooks/sweep/connection.ts';
import { OwnWrites } from '../../../../lambdas/hooks/sweep/own-writes.ts';
import {
  admin,
  contents,
  declared,
  isUpdate,
  newKey,
  oldKey,
  opened,
  plain,
  sealed,
  start,
  stop,
  strange,
  sweepAll,
  table,
} from './swept.ts';

beforeAll(start, 60_000);
afterAll(stop);
beforeEach(async () => {
  await admin.query('DROP TABLE IF EXISTS credentials CASCADE');
});

interface Watch {
  readonly server: Server;
  /** Ciphertexts that each answer held. */
  readonly pages: number[];
  /** Keys of the rows whose ciphertexts were fetched since the last UPDATE was sent. */
  readonly fetched: Set<string>;
}

/** @param after what the application does once `rows` rows were written. */
function watching(
  rows: number,
  after: () => Promise<unknown> = async () => {},
  told: (transaction: string) => string = (same) => same,
): Watch {
  const fetched = new Set<string>();
  const pages: number[] = [];
  let written = 0;
  const server: Server = {
    async connect(...asked) {
      const client = await postgres.connect(...asked);
      return {
        ...client,
        async query(text, ...rest) {
          if (isUpdate(text)) fetched.clear();
          const answer = await client.query(text, ...rest);
          const page = answer.rows.filter((row) => 'stored' in row && row.stored !== null);
          for (const { key0 } of page) fetched.add(String(key0));
          pages.push(page.length);
          if (!isUpdate(text)) return answer;
          const before = written;
          written += Number(answer.rows[0]?.moved ?? answer.changed);
          if (before < rows && written >= rows) {
            await after();
            fetched.clear();
          }
          return {
            ...answer,
            rows: answer.rows.map((row) => ({ ...row, transaction: told(String(row.transaction)) })),
          };
        },
      };
    },
  };
  return { server, pages, fetched };
}

describe('the pass that finds nothing', () => {
  test('fetches none of the rows that the sweep has written, and counts them all', async () => {
    await table(200);
    const { server, fetched } = watching(200);
    const report = await sweepAll(declared(), server);
    expect(report.targets).toMatchObject([{ total: 200, moved: 200, left: 0 }]);
    expect([...fetched]).toEqual([]);
    for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
  });

  test('finds what the application has written since, under whichever key', async () => {
    await table(200);
    const { server, fetched } = watching(200, async () => {
      for (const [id, key] of [
        [1, oldKey],
        [100, strange],
        [101, newKey],
        [200, oldKey],
      ] as const)
        await admin.query('UPDATE credentials SET sealed = $1 WHERE id = $2', [sealed(`new ${id}`, key), id]);
      await admin.query('INSERT INTO credentials (id, sealed) VALUES (201, $1)', [sealed('new 201', oldKey)]);
    });
    const report = await sweepAll(declared(), server);
    expect(report.targets).toMatchObject([{ total: 201, moved: 203, left: 1, poisoned: 1 }]);
    expect(report.setAside.map(({ row }) => row)).toEqual(['100']);
    const now = await contents();
    for (const id of ['1', '101', '200', '201']) expect(opened(now.get(id) ?? '', newKey)).toBe(`new ${id}`);
    // The pass after it: rows of the second one are not in the order of the key, and are read again.
    expect([...fetched].map(Number).sort((a, b) => a - b)).toEqual([1, 100, 101, 200, 201]);
  });

  test('takes no more rows at once than the passes before it', async () => {
    await table(200);
    const { server, pages } = watching(200, () =>
      admin.query('UPDATE credentials SET sealed = $1 WHERE id <> 70', [sealed('since', oldKey)]),
    );
    const report = await sweepAll(declared(), server);
    expect(report.targets).toMatchObject([{ total: 200, moved: 399, left: 0 }]);
    expect(Math.max(...pages)).toBe(7);
  });
});

describe('everything is fetched again', () => {
  const all = Array.from({ length: 40 }, (_, index) => index + 1);
  const fetchedBy = async ({ server, fetched }: Watch) => {
    const report = await sweepAll(declared(), server);
    expect(report.targets).toMatchObject([{ total: 40, left: 0 }]);
    return [...fetched].map(Number).sort((a, b) => a - b);
  };

  test('where the server has counted its transactions past 2^32: an xmin may be that of another one', async () => {
    await table(40);
    const wrapped = (transaction: string) => String(BigInt(transaction) + 2n ** 32n);
    expect(await fetchedBy(watching(40, undefined, wrapped))).toEqual(all);
  });

  test('where a connection was lost in between: another server may give the same numbers', async () => {
    await table(40);
    const cut = () =>
      admin.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyturn'`,
      );
    expect(await fetchedBy(watching(40, cut))).toEqual(all);
  });

  test.each([
    ['a trigger', 'CREATE TRIGGER same BEFORE UPDATE ON credentials FOR EACH ROW EXECUTE FUNCTION same()'],
    ['a rule', 'CREATE RULE same AS ON UPDATE TO credentials DO ALSO SELECT 1'],
  ])('where %s writes with it', async (_what, statement) => {
    await table(40);
    await admin.query(
      `CREATE OR REPLACE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
    );
    await admin.query(statement);
    expect(await fetchedBy(watching(40))).toEqual(all);
  });

  test('where a partition has a trigger that takes writes back', async () => {
    await admin.query(`CREATE TABLE credentials (id int PRIMARY KEY, sealed text) PARTITION BY HASH (id);
      CREATE TABLE part0 PARTITION OF credentials FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE part1 PARTITION OF credentials FOR VALUES WITH (MODULUS 2, REMAINDER 1);
      CREATE OR REPLACE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.sealed = OLD.sealed; RETURN NEW; END';
      CREATE TRIGGER taken BEFORE UPDATE ON part1 FOR EACH ROW EXECUTE FUNCTION taken()`);
    for (const id of all)
      await admin.query('INSERT INTO credentials VALUES ($1, $2)', [id, sealed(`row ${id}`, oldKey)]);
    await expect(sweepAll(declared())).rejects.toMatchObject({ code: 'ReencryptionFailed' });
  });
});

test('a second column of the same rows is not passed over for the first one’s sake', async () => {
  await table(40);
  await admin.query('ALTER TABLE credentials ADD COLUMN other text');
  await admin.query('UPDATE credentials SET other = sealed');
  const columns = ['sealed', 'other'].map((column) => ({
    table: 'credentials',
    column,
    codec: { id: 'fernet' },
  }));
  const report = await sweepAll(declared({ columns }));
  expect(report.targets.map(({ moved, left }) => [moved, left])).toEqual([
    [40, 0],
    [40, 0],
  ]);
  const { rows } = await admin.query('SELECT id, other FROM credentials');
  for (const { id, other } of rows) expect(opened(other, newKey)).toBe(`row ${id}`);
});

describe('own writes', () => {
  test('are told once the pass that made them has ended, from where a page has reached', () => {
    const own = new OwnWrites();
    for (const transaction of ['700', '702', '705', '709']) own.note(transaction);
    expect([own.known, own.next(2)]).toEqual([false, []]);
    own.close();
    own.note('800');
    expect([own.known, own.next(9)]).toEqual([true, ['700', '702', '705', '709']]);
    own.reached('705');
    own.reached('4');
    expect(own.next(1)).toEqual(['705']);
    own.rewind();
    expect(own.next(1)).toEqual(['700']);
  });

  test('the last transaction before the counter wraps is noted, the first one after it is not', () => {
    const own = new OwnWrites();
    for (const transaction of ['4294967295', '4294967296', '8589935292']) own.note(transaction);
    own.close();
    expect(own.next(9)).toEqual(['4294967295']);
  });
});
