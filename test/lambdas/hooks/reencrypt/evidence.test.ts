/** What would make a count of zero wrong, or a sweep endless: each on a real PostgreSQL. */
import { createCipheriv, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { server as postgres } from '../../../../lambdas/adapters/reencrypt/postgres.ts';
import type { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { beforeLabel } from '../../../../lambdas/contract/marks.ts';
import type { SliceReport } from '../../../../lambdas/contract/reencryption.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import type { Server } from '../../../../lambdas/hooks/sweep/connection.ts';
import {
  admin,
  bound,
  column,
  contents,
  declared,
  isUpdate,
  newKey,
  oldKey,
  plain,
  ports,
  ring,
  sealed,
  server,
  slice,
  start,
  stop,
  strange,
  sweepAll,
  table,
} from './swept.ts';

beforeAll(start, 60_000);
afterAll(stop);
beforeEach(() =>
  admin.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO public'),
);

const outcome = (run: Promise<SliceReport>) =>
  run.then(
    (report) => `finished: ${report.finished}`,
    (error: KeyturnError) => `${error.code}: ${error.message}`,
  );
const swept = (of: object, extra: object = {}) => outcome(bound(declared(extra, of)).run(slice(), ports()));
const counted = (of: object, extra: object = {}) =>
  outcome(bound(declared(extra, of)).count(slice({ dryRun: true }), ports()));

describe('a table whose rows a count could miss is refused, by the sweep and by the count', () => {
  const old = () => [sealed('one', oldKey), sealed('two', oldKey)];

  test.each([
    [
      'a key that may be NULL',
      'CREATE TABLE credentials (id int UNIQUE, sealed text); INSERT INTO credentials VALUES (NULL, $a), (1, $b)',
      'The column id of credentials must be NOT NULL to be a key',
    ],
    [
      'a key that is unique only together with an expression',
      'CREATE TABLE credentials (id int NOT NULL, sealed text); CREATE UNIQUE INDEX ON credentials (id, md5(sealed)); INSERT INTO credentials VALUES (1, $a), (1, $b)',
      'must have a unique index on exactly id',
    ],
    [
      'a key that is unique only for some rows',
      `CREATE TABLE credentials (id int NOT NULL, sealed text); CREATE UNIQUE INDEX ON credentials (id) WHERE id > 5; INSERT INTO credentials VALUES (1, $a), (1, $b)`,
      'must have a unique index on exactly id',
    ],
    [
      'a key of two columns in the index’s other order',
      'CREATE TABLE credentials (id int, a int, sealed text, PRIMARY KEY (a, id)); INSERT INTO credentials VALUES (1, 1, $a), (2, 1, $b)',
      'must have a unique index on exactly id, a, in this order',
      { key: ['id', 'a'] },
    ],
    [
      'a table with heirs',
      'CREATE TABLE credentials (id int PRIMARY KEY, sealed text); CREATE TABLE heir () INHERITS (credentials); INSERT INTO credentials VALUES (1, $a); INSERT INTO heir VALUES (1, $b)',
      'must have no tables that inherit from it',
    ],
    [
      'a view',
      'CREATE TABLE t (id int PRIMARY KEY, sealed text); CREATE VIEW credentials AS SELECT * FROM t; INSERT INTO t VALUES (1, $a), (2, $b)',
      'credentials must be a table; it is a view',
    ],
    [
      'a key that is an array',
      'CREATE TABLE credentials (id int[] PRIMARY KEY, sealed text); INSERT INTO credentials VALUES (ARRAY[1], $a), (ARRAY[2], $b)',
      'The key id of credentials must be one value; it is an array.',
    ],
  ] as [string, string, string, object?][])('%s', async (_what, sql, sentence, of = {}) => {
    const [a, b] = old();
    await admin.query(sql.replace('$a', `'${a}'`).replace('$b', `'${b}'`));
    expect(await swept(of)).toContain(sentence);
    expect(await counted(of)).toContain(sentence);
    for (const stored of (await contents()).values()) expect([a, b]).toContain(stored);
  });

  test('a generated column', async () => {
    await admin.query(
      `CREATE TABLE credentials (id int PRIMARY KEY, plain text, sealed text GENERATED ALWAYS AS (plain) STORED)`,
    );
    expect(await swept({})).toContain('sealed of credentials must take writes; it is generated');
  });

  describe('rights', () => {
    const password = randomBytes(12).toString('hex');
    const as = (of: object = {}) =>
      ports({
        credential: async () =>
          new Sensitive(`postgresql://sweeper:${password}@localhost:${server.port}/postgres`),
        ...of,
      });
    beforeEach(async () => {
      await table(3);
      await admin.query(`DROP ROLE IF EXISTS sweeper; CREATE ROLE sweeper LOGIN PASSWORD '${password}'`);
    });

    test('row security that hides rows from the user', async () => {
      await admin.query(`GRANT SELECT, UPDATE ON credentials TO sweeper;
        ALTER TABLE credentials ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON credentials USING (id > 2)`);
      const run = await outcome(bound(declared()).run(slice(), as()));
      expect(run).toContain('The user must see every row of credentials; row security applies to it');
      expect(await outcome(bound(declared()).count(slice({ dryRun: true }), as()))).toBe(run);
    });

    test('rights on single columns are enough, and each that lacks is named', async () => {
      await admin.query('GRANT SELECT (id, sealed), UPDATE (sealed) ON credentials TO sweeper');
      expect(await outcome(bound(declared()).run(slice(), as()))).toContain(
        'must have SELECT on the columns xmin of credentials',
      );
      await admin.query('GRANT SELECT (xmin) ON credentials TO sweeper');
      expect(await outcome(bound(declared()).run(slice(), as()))).toBe('finished: true');
      for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
    });

    test('a user whose transactions only read may count and not sweep', async () => {
      await admin.query(`GRANT SELECT, UPDATE ON credentials TO sweeper;
        ALTER ROLE sweeper SET default_transaction_read_only = on`);
      expect(await outcome(bound(declared()).run(slice(), as()))).toContain(
        'The server of credentials must take writes',
      );
      expect(await outcome(bound(declared()).count(slice({ dryRun: true }), as()))).toBe('finished: true');
    });
  });

  test('a tag without a number to write into it', async () => {
    await admin.query('CREATE TABLE credentials (id int PRIMARY KEY, sealed text, version int)');
    const { version: _none, ...untold } = newKey;
    const report = bound(declared({}, { version: 'version' })).run(
      slice({ ring: { ...ring, write: untold } }),
      ports(),
    );
    expect(await outcome(report)).toContain('the key which they move to must have a number; it has none.');
  });

  test('what the platform authenticates must not be what the sweep changes', () => {
    const of = { version: 'version', additionalData: ['id', 'version'] };
    expect(() => bound(declared({}, of))).toThrow('must not name version: it changes with the key');
  });
});

describe('keys of every shape', () => {
  test.each([
    ['character(12)', (n: number) => `key ${n}`],
    ['numeric(20, 4)', (n: number) => `${n}.1250`],
    ['timestamp with time zone', (n: number) => `2026-01-01 00:00:00.00000${n % 10}+00`],
    ['text', (n: number) => `ü,"{${n}}\\ '`],
  ])('%s', async (type, id) => {
    await admin.query(`CREATE TABLE credentials (id ${type} PRIMARY KEY, sealed text)`);
    for (let n = 0; n < 10; n += 1)
      await admin.query('INSERT INTO credentials VALUES ($1, $2)', [id(n), sealed(`row ${n}`, oldKey)]);
    const report = await sweepAll(declared({ batch: 3 }));
    expect(report.targets).toMatchObject([{ total: 10, moved: 10, left: 0 }]);
  });

  test('partitions, each with rows of its own', async () => {
    await admin.query(`CREATE TABLE credentials (id int PRIMARY KEY, sealed text) PARTITION BY HASH (id);
      CREATE TABLE p0 PARTITION OF credentials FOR VALUES WITH (MODULUS 2, REMAINDER 0);
      CREATE TABLE p1 PARTITION OF credentials FOR VALUES WITH (MODULUS 2, REMAINDER 1)`);
    for (let n = 0; n < 30; n += 1)
      await admin.query('INSERT INTO credentials VALUES ($1, $2)', [n, sealed(`row ${n}`, oldKey)]);
    const report = await sweepAll(declared());
    expect(report.targets).toMatchObject([{ total: 30, moved: 30, left: 0 }]);
    for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
  });

  test('two rows never share a name, and so no acknowledgement', async () => {
    await admin.query('CREATE TABLE credentials (a text, b text, sealed text, PRIMARY KEY (a, b))');
    const long = 'x'.repeat(300);
    for (const [a, b] of [
      ['1,2', '3'],
      ['1', '2,3'],
      [`${long}1`, ''],
      [`${long}2`, ''],
      ['good', ''],
    ])
      await admin.query('INSERT INTO credentials VALUES ($1, $2, $3)', [
        a,
        b,
        sealed('poison', a === 'good' ? oldKey : strange),
      ]);
    const { setAside } = await sweepAll(declared({}, { key: ['a', 'b'] }));
    expect(setAside).toHaveLength(4);
    expect(new Set(setAside.map(({ row }) => row)).size).toBe(4);
    expect(Math.max(...setAside.map(({ row }) => row.length))).toBeLessThanOrEqual(200);
  });
});

describe('several columns', () => {
  const eight = Array.from({ length: 8 }, (_, n) => ({ ...column, table: `t${n}` }));
  const fill = async () => {
    for (const { table: name } of eight) {
      await admin.query(`CREATE TABLE ${name} (id int PRIMARY KEY, sealed text)`);
      for (let n = 0; n < 20; n += 1)
        await admin.query(`INSERT INTO ${name} VALUES ($1, $2)`, [n, sealed(`row ${n}`, oldKey)]);
    }
  };
  const sealedIn = async (name: string) => (await admin.query(`SELECT sealed FROM ${name}`)).rows;

  test('one after the other over the same two connections', async () => {
    await fill();
    let connections = 0;
    const counting: Server = {
      connect(...asked) {
        connections += 1;
        return postgres.connect(...asked);
      },
    };
    const report = await sweepAll(declared({ columns: eight }), counting);
    expect(report.targets.map(({ moved, left }) => [moved, left])).toEqual(eight.map(() => [20, 0]));
    expect(connections).toBe(2);
  });

  test('the last one is looked at before the first is changed', async () => {
    await fill();
    await admin.query('UPDATE t7 SET sealed = $1', [sealed('restored from a backup', strange)]);
    const before = await sealedIn('t0');
    expect(await swept({}, { columns: eight })).toMatch(
      /^HookRefused: None of the first 7 rows of t7.sealed/,
    );
    await admin.query('DROP TABLE t7');
    expect(await swept({}, { columns: eight })).toContain('The table t7 must exist');
    expect(await sealedIn('t0')).toEqual(before);
  });

  test('a cursor of the way forward is not gone on with on the way back', async () => {
    await fill();
    const hook = bound(declared({ columns: eight }));
    let asked = 0;
    const remaining = () => {
      asked += 1;
      return asked > 20 ? 0 : 60_000;
    };
    const short = ports({ remaining });
    const forward = await hook.run(slice(), short);
    expect(forward).toMatchObject({ finished: false, targets: [{ moved: 20 }, {}, {}, {}, {}, {}, {}, {}] });
    const back = { write: oldKey, others: [newKey] };
    let cursor = forward.cursor;
    for (;;) {
      const report: SliceReport = await hook.run(slice({ ring: back, cursor }), ports());
      if (report.finished) break;
      cursor = report.cursor;
    }
    const count = await hook.count(slice({ ring: back, dryRun: true }), ports());
    expect(count.targets.map(({ left }) => left)).toEqual(eight.map(() => 0));
  });
});

describe('reports', () => {
  test('a count tells how many rows are under each key', async () => {
    await table(20);
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id <= 5', [sealed('x', newKey)]);
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id = 6', [sealed('x', strange)]);
    const { targets } = await bound(declared()).count(slice({ dryRun: true }), ports());
    expect(targets).toEqual([
      {
        target: 'credentials.sealed',
        total: 20,
        moved: 0,
        left: 15,
        poisoned: 1,
        under: { [newKey.id]: 5, [oldKey.id]: 14 },
      },
    ]);
  });

  test('rows of a restored backup, under a retired key, are set aside, and the report says what to do', async () => {
    await table(20);
    const restored = new Map<string, string>();
    for (let id = 11; id <= 15; id += 1) restored.set(String(id), sealed(`restored ${id}`, strange));
    for (const [id, stored] of restored)
      await admin.query('UPDATE credentials SET sealed = $1 WHERE id = $2', [stored, id]);
    const report = await sweepAll(declared());
    expect(report.targets).toMatchObject([{ moved: 15, left: 5, poisoned: 5 }]);
    expect(report.setAside.map(({ row, poison }) => [row, poison])).toEqual(
      [...restored.keys()].map((id) => [id, 'unknown-key']),
    );
    expect(report.notes?.join(' ')).toContain('under a retired key, as after the restore of a backup');
    expect(report.notes?.join(' ')).toContain(
      `${beforeLabel} pins the one from before the youngest overlap; older ones have no label and may be deleted`,
    );
    // The whole of it: a report cuts notes.
    expect(report.notes?.join(' ')).toContain('or acknowledge each.');
    const now = await contents();
    for (const [id, stored] of restored) expect(now.get(id)).toBe(stored);
    // With the retired key in the ring again, they move like any other row.
    const found = await bound(declared()).run(
      slice({ ring: { ...ring, others: [...ring.others, strange] } }),
      ports(),
    );
    expect(found.targets).toMatchObject([{ moved: 5, left: 0 }]);
  });

  test('a count in slices comes to the same', async () => {
    await table(20);
    let cursor: string | null = null;
    for (;;) {
      const report: SliceReport = await bound(declared()).count(
        slice({ dryRun: true, cursor }),
        ports({ remaining: () => 0 }),
      );
      if (report.finished) {
        expect(report.targets).toMatchObject([{ total: 20, left: 20, under: { [oldKey.id]: 20 } }]);
        break;
      }
      cursor = report.cursor;
    }
    expect(cursor).not.toBeNull();
  });

  test('progress names every column from the start, with speed and what is left of an analysed table', async () => {
    await table(40);
    await admin.query('ANALYZE credentials');
    let now = 0;
    const told: SliceReport[] = [];
    const clock = {
      now: () => {
        now += 300;
        return new Date(now);
      },
      sleep: async () => {},
    };
    await bound(declared()).run(slice(), ports({ clock, progress: (report) => told.push(report) }));
    expect(told[0]).toMatchObject({
      finished: false,
      targets: [{ total: 40, moved: 7, left: 33 }],
      speed: { rowsPerSecond: expect.any(Number), secondsLeft: expect.any(Number) },
    });
    expect(told[0]?.notes?.join(' ')).toContain('PostgreSQL does not tell how much disk is free');
  });

  test('before it begins, the log and the disk that a sweep takes are told, near to what it then takes', async () => {
    const rows = 5_000;
    await admin.query(`CREATE TABLE credentials (id int PRIMARY KEY, sealed text) WITH (autovacuum_enabled = false);
      ALTER TABLE credentials ALTER sealed SET STORAGE PLAIN`);
    // With its header and its key, a row has about 300 bytes.
    const stored = sealed('x'.repeat(140), oldKey);
    const fill = 'INSERT INTO credentials SELECT id, $1 FROM generate_series(1, $2::int) AS id';
    await admin.query(fill, [stored, rows]);
    const told = async () => {
      const { notes } = await bound(declared()).run(slice({ dryRun: true }), ports());
      return notes?.join(' ') ?? '';
    };
    expect(await told()).toContain('The table was never analysed, so that its log cannot be estimated.');
    await admin.query('ANALYZE credentials');
    const note = await told();
    // 5,000 rows of about 900 bytes of log each; the table once more: its dead rows.
    expect(note).toContain(
      'credentials.sealed: every moved row leaves a dead one. Up to 2 MB more for the table',
    );
    expect(note).toContain('About 5 MB of log.');
    const megabytes = async () => {
      const [row] = (
        await admin.query(
          `SELECT (pg_current_wal_insert_lsn() - '0/0') / 1e6 AS log, pg_table_size('credentials') / 1e6 AS disk`,
        )
      ).rows;
      return { log: Number(row.log), disk: Number(row.disk) };
    };
    const before = await megabytes();
    const { targets } = await sweepAll(declared({ batch: 1_000 }));
    expect(targets).toMatchObject([{ moved: rows, left: 0 }]);
    const after = await megabytes();
    // This server logs no full pages; one that does, after one checkpoint, was measured to take 830 bytes a row.
    expect(after.log - before.log).toBeGreaterThan(5 / 3);
    expect(after.log - before.log).toBeLessThan(5);
    expect(after.disk - before.disk).toBeGreaterThan(1);
    expect(after.disk - before.disk).toBeLessThan(2);
  });

  test('a row that was repaired between two passes is no longer set aside', async () => {
    await table(20);
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id = 3', [sealed('x', strange)]);
    let repaired = false;
    const repairing: Server = {
      async connect(...asked) {
        const client = await postgres.connect(...asked);
        return {
          ...client,
          async query(...statement) {
            const answer = await client.query(...statement);
            if (isUpdate(statement[0]) && !repaired) {
              repaired = true;
              await admin.query('UPDATE credentials SET sealed = $1 WHERE id = 3', [sealed('x', newKey)]);
            }
            return answer;
          },
        };
      },
    };
    const report = await sweepAll(declared(), repairing);
    expect(report).toMatchObject({ setAside: [], targets: [{ left: 0, poisoned: 0 }] });
  });

  test('a cursor that would be too long is left out, and the sweep still comes to its end', async () => {
    await admin.query('CREATE TABLE credentials (id text PRIMARY KEY, sealed text)');
    for (let n = 0; n < 10; n += 1)
      await admin.query('INSERT INTO credentials VALUES ($1, $2)', [
        `${n}${'"'.repeat(2_000)}`,
        sealed(`row ${n}`, oldKey),
      ]);
    const first = await bound(declared({ batch: 4 })).run(slice(), ports({ remaining: () => 0 }));
    expect(first).toMatchObject({ finished: false, cursor: null });
    const report = await sweepAll(declared({ batch: 4 }));
    expect(report.targets).toMatchObject([{ total: 10, left: 0 }]);
  });
});

describe('a sweep that others hold up', () => {
  test('a write that commits while the sweep waits for its row is not overwritten', async () => {
    await table(10);
    let first = true;
    const waiting: Server = {
      async connect(...asked) {
        const client = await postgres.connect(...asked);
        return {
          ...client,
          async query(text, ...rest) {
            if (!isUpdate(text) || !first) return client.query(text, ...rest);
            first = false;
            await admin.query('BEGIN');
            await admin.query('UPDATE credentials SET sealed = $1 WHERE id = 2', [sealed('written', oldKey)]);
            const answer = client.query(text, ...rest);
            const blocked = `SELECT count(*)::int AS rows FROM pg_locks WHERE NOT granted`;
            while ((await admin.query(blocked)).rows[0]?.rows === 0) await new Promise(setImmediate);
            await admin.query('COMMIT');
            return answer;
          },
        };
      },
    };
    const report = await bound(declared(), waiting).run(slice(), ports());
    expect(report).toMatchObject({ finished: true, targets: [{ moved: 10, left: 0 }] });
    for (const [id, stored] of await contents())
      expect(plain(stored)).toBe(id === '2' ? 'written' : `row ${id}`);
  });

  test('a trigger that takes writes back ends it with a sentence, not never', async () => {
    await table(5);
    await admin.query(`CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.sealed = OLD.sealed; RETURN NEW; END';
      CREATE TRIGGER back BEFORE UPDATE ON credentials FOR EACH ROW EXECUTE FUNCTION back()`);
    expect(await swept({})).toBe(
      'ReencryptionFailed: After 20 passes in a row, 5 rows of credentials.sealed were still under another key.',
    );
    const { notes } = await bound(declared()).count(slice({ dryRun: true }), ports());
    expect(notes?.join(' ')).toContain('each moved row fires back.');
  });

  test('server that says "again" more often than a slice tries in a row, while it gets on', async () => {
    await table(60);
    let updates = 0;
    const deadlocking: Server = {
      async connect(...asked) {
        const client = await postgres.connect(...asked);
        return {
          ...client,
          query(text, ...rest) {
            updates += isUpdate(text) ? 1 : 0;
            // The server's own answer, as SQLSTATE 40P01.
            return isUpdate(text) && updates % 2 === 0
              ? client.query(`DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01'; END $$`)
              : client.query(text, ...rest);
          },
        };
      },
    };
    const report = await bound(declared(), deadlocking).run(slice(), ports());
    expect(updates).toBeGreaterThan(12);
    expect(report).toMatchObject({ finished: true, targets: [{ left: 0 }] });
  });

  test('a lock that the application holds is waited for', async () => {
    await table(10);
    let first = true;
    const impatient: Server = {
      async connect(...asked) {
        const client = await postgres.connect(...asked);
        return {
          ...client,
          async query(text, ...rest) {
            if (!isUpdate(text) || !first) return client.query(text, ...rest);
            first = false;
            await client.query(`SET lock_timeout = '50ms'`);
            await admin.query('BEGIN');
            await admin.query('SELECT FROM credentials WHERE id = 2 FOR UPDATE');
            return client.query(text, ...rest).finally(() => admin.query('ROLLBACK'));
          },
        };
      },
    };
    const report = await bound(declared(), impatient).run(slice(), ports());
    expect(first).toBe(false);
    expect(report).toMatchObject({ finished: true, targets: [{ left: 0 }] });
  });
});

test('large rows make small pages: three of them never hold much', async () => {
  await admin.query('CREATE TABLE credentials (id int PRIMARY KEY, sealed text)');
  const large = sealed('x'.repeat(3_000_000), oldKey);
  for (let n = 0; n < 5; n += 1)
    await admin.query('INSERT INTO credentials VALUES ($1, $2)', [
      n,
      n === 0 ? sealed('small', oldKey) : large,
    ]);
  const pages: number[] = [];
  const watching: Server = {
    async connect(...asked) {
      const client = await postgres.connect(...asked);
      return {
        ...client,
        async query(...statement) {
          const answer = await client.query(...statement);
          if (answer.rows.some((row) => 'stored' in row)) pages.push(answer.rows.length);
          return answer;
        },
      };
    },
  };
  // A count goes through once: what lies behind a page that was cut is counted too.
  const count = await bound(declared({ batch: 1_000 })).count(slice({ dryRun: true }), ports());
  expect(count).toMatchObject({ finished: true, targets: [{ total: 5, left: 5 }] });
  const report = await sweepAll(declared({ batch: 1_000 }), watching);
  expect(report.targets).toMatchObject([{ total: 5, moved: 5, left: 0 }]);
  // Looked at first, then moved: a small row and three of 4 MB go past 8 MiB.
  expect(pages.slice(0, 3)).toEqual([4, 4, 1]);
});

test('AES-GCM with authenticated columns and a tag moves within its row', async () => {
  await admin.query(
    'CREATE TABLE credentials (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner text, sealed bytea, version int)',
  );
  const seal = (text: string, id: string, owner: string) => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', Buffer.from(oldKey.text.reveal(), 'base64url'), nonce);
    cipher.setAAD(Buffer.from(`${id}|${owner}`));
    return Buffer.concat([nonce, cipher.update(text), cipher.final(), cipher.getAuthTag()]);
  };
  for (let n = 0; n < 12; n += 1) {
    const { rows } = await admin.query(
      'INSERT INTO credentials (owner, version) VALUES ($1, 1) RETURNING id',
      [`o${n}`],
    );
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id = $2', [
      seal(`row ${n}`, rows[0].id, `o${n}`),
      rows[0].id,
    ]);
  }
  const of = {
    version: 'version',
    additionalData: ['id', 'owner'],
    codec: {
      id: 'aes-256-gcm',
      key: { kind: 'base64' },
      additionalData: 'row',
      layout: [{ encoding: 'raw', fields: ['nonce', 'ciphertext', 'tag'] }],
    },
  };
  const report = await sweepAll(declared({}, of));
  expect(report.targets).toMatchObject([{ moved: 12, left: 0 }]);
  // A ciphertext that was moved to another row does not open there.
  await admin.query(
    'UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE owner = $1) WHERE owner = $2',
    ['o1', 'o2'],
  );
  const count = await bound(declared({}, of)).count(slice({ dryRun: true }), ports());
  expect(count.targets).toMatchObject([{ total: 12, left: 1, poisoned: 1 }]);
});
