/** The sweep on a real PostgreSQL, with applications that keep writing, and processes that die at every statement. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { server as postgres } from '../../../../lambdas/adapters/reencrypt/postgres.ts';
import { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import type { Connection, Server } from '../../../../lambdas/hooks/sweep/connection.ts';
import {
  admin,
  bound,
  contents,
  declared,
  isUpdate,
  newKey,
  oldKey,
  opened,
  plain,
  ports,
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
beforeEach(() => admin.query('DROP TABLE IF EXISTS credentials, other'));

describe('a sweep', () => {
  test.each([
    ['text', 'bigint'],
    ['bytea', 'bigint'],
    ['varchar(400)', 'text'],
  ])('moves every row of a column of %s with a key of %s, and counts none left', async (type, keyType) => {
    await table(40, type, keyType);
    const report = await sweepAll(declared());
    expect(report.targets).toEqual([
      { target: 'credentials.sealed', total: 40, moved: 40, left: 0, poisoned: 0 },
    ]);
    for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
    const count = await bound(declared()).count(slice({ dryRun: true }), ports());
    expect(count.targets).toMatchObject([{ total: 40, left: 0 }]);
  });

  test('counts what is left without changing a row', async () => {
    await table(20);
    await admin.query('UPDATE credentials SET sealed = $1 WHERE id = 3', [sealed('row 3', newKey)]);
    const before = await contents();
    const count = await bound(declared()).count(slice({ dryRun: true }), ports());
    expect(count).toMatchObject({ finished: true, targets: [{ total: 20, left: 19, poisoned: 0 }] });
    expect(await contents()).toEqual(before);
  });

  test('goes along keys of several columns, tags rows with the key’s number, and leaves NULL', async () => {
    await admin.query(
      'CREATE TABLE other (tenant uuid, name text, sealed text, key_version int, PRIMARY KEY (tenant, name))',
    );
    for (let n = 0; n < 30; n += 1) {
      await admin.query(`INSERT INTO other VALUES (gen_random_uuid(), $1, $2, 1)`, [
        `it's "${n}", {x}\\`,
        n % 10 === 0 ? null : sealed(`row ${n}`, oldKey),
      ]);
    }
    const of = { table: 'public.other', key: ['tenant', 'name'], version: 'key_version' };
    const report = await sweepAll(declared({}, of));
    expect(report.targets).toMatchObject([{ total: 27, moved: 27, left: 0 }]);
    const { rows } = await admin.query(
      'SELECT key_version, sealed IS NULL AS empty, count(*)::int FROM other GROUP BY 1, 2 ORDER BY 1',
    );
    expect(rows).toEqual([
      { key_version: 1, empty: true, count: 3 },
      { key_version: 2, empty: false, count: 27 },
    ]);
  });

  test('loses no write of an application that still uses the old key', async () => {
    await table(60);
    const acknowledged = new Map<string, string>();
    let writing = true;
    let n = 0;
    // Between reading and writing of each page, the application writes into that page.
    const interfering: Server = {
      async connect(dsn, tls) {
        const client = await postgres.connect(dsn, tls);
        return {
          ...client,
          async query(text, parameters, name) {
            if (isUpdate(text) && writing) {
              for (const id of [1, 2].map(() => String(1 + Math.floor(Math.random() * 60)))) {
                n += 1;
                const value = `write ${n}`;
                await admin.query('UPDATE credentials SET sealed = $1 WHERE id = $2', [
                  sealed(value, oldKey),
                  id,
                ]);
                acknowledged.set(id, value);
              }
            }
            return client.query(text, parameters, name);
          },
        };
      },
    };
    const first = bound(declared(), interfering).run(
      slice(),
      ports({ remaining: () => (n > 40 ? 0 : 60_000) }),
    );
    await first;
    writing = false;
    await sweepAll(declared());
    const now = await contents();
    expect(acknowledged.size).toBeGreaterThan(10);
    for (const [id, value] of acknowledged) expect(plain(now.get(id) ?? '')).toBe(value);
    expect([...now.values()].every((stored) => plain(stored) !== null)).toBe(true);
  });

  test('sets aside what cannot be read, each kind, and leaves it byte for byte', async () => {
    await table(20);
    const twice = sealed(sealed('row 5', oldKey), oldKey);
    const whole = sealed('row 6', oldKey);
    const poison = new Map([
      ['2', 'no ciphertext at all'],
      ['5', twice],
      ['6', whole.slice(0, 60)],
      ['7', sealed('row 7', strange)],
      ['8', `${whole.slice(0, 40)}${whole[40] === 'A' ? 'B' : 'A'}${whole.slice(41)}`],
    ]);
    for (const [id, stored] of poison) {
      await admin.query('UPDATE credentials SET sealed = $1 WHERE id = $2', [stored, id]);
    }
    const report = await sweepAll(declared());
    expect(report.setAside).toEqual([
      { target: 'credentials.sealed', row: '2', poison: 'malformed' },
      { target: 'credentials.sealed', row: '5', poison: 'double-encrypted' },
      { target: 'credentials.sealed', row: '6', poison: 'truncated' },
      { target: 'credentials.sealed', row: '7', poison: 'unknown-key' },
      { target: 'credentials.sealed', row: '8', poison: 'unknown-key' },
    ]);
    expect(report.targets).toMatchObject([{ moved: 15, left: 5, poisoned: 5 }]);
    const now = await contents();
    for (const [id, stored] of poison) expect(now.get(id)).toBe(stored);
  });

  test('killed at every statement, and begun again with the cursor, without it or with a strange one', async () => {
    await table(20);
    let statements = Number.POSITIVE_INFINITY;
    const dying = (at: number): Server => ({
      async connect(dsn, tls) {
        const client = await postgres.connect(dsn, tls);
        let died = false;
        const query: Connection['query'] = async (...asked) => {
          statements += 1;
          if (died || statements === at) {
            died = true;
            throw new KeyturnError({ code: 'Internal', message: 'killed' });
          }
          return client.query(...asked);
        };
        return { query, end: () => client.end() };
      },
    });
    let kills = 0;
    for (let at = 1; ; at += 1) {
      await admin.query('DROP TABLE credentials');
      await table(20);
      statements = 0;
      let cursor: string | null = null;
      const seen = ports({ progress: (report) => (cursor = report.cursor) });
      const killed = await bound(declared(), dying(at))
        .run(slice(), seen)
        .then(
          () => false,
          () => true,
        );
      for (const stored of (await contents()).values()) {
        expect(opened(stored, oldKey) ?? opened(stored, newKey)).toMatch(/^row /);
      }
      const strangeCursors = [cursor, null, '{"column":7}', 'not json'];
      const from = strangeCursors[at % strangeCursors.length] ?? null;
      const report = await bound(declared()).run(slice({ cursor: from }), ports());
      expect(report.finished).toBe(true);
      for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
      if (!killed) break;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(10);
  }, 60_000);

  test('two workers on one range do no harm to each other', async () => {
    await table(50);
    const reports = await Promise.all([sweepAll(declared()), sweepAll(declared())]);
    expect(reports.reduce((sum, { targets }) => sum + (targets[0]?.moved ?? 0), 0)).toBe(50);
    for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
  });

  test('stops when the time runs short and goes on from there', async () => {
    await table(30);
    const first = await bound(declared()).run(slice(), ports({ remaining: () => 0 }));
    expect(first.finished).toBe(false);
    expect(first.targets).toMatchObject([{ moved: 7 }]);
    const second = await bound(declared()).run(slice({ cursor: first.cursor }), ports());
    expect(second).toMatchObject({ finished: true, targets: [{ moved: 30, left: 0 }] });
  });

  test('goes on by itself when its connection is cut', async () => {
    await table(40);
    let cut = false;
    const cutting: Server = {
      async connect(dsn, tls) {
        const client = await postgres.connect(dsn, tls);
        return {
          ...client,
          async query(text, parameters, name) {
            if (isUpdate(text) && !cut) {
              cut = true;
              await admin.query(
                `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyturn'`,
              );
            }
            return client.query(text, parameters, name);
          },
        };
      },
    };
    const report = await sweepAll(declared(), cutting);
    expect(cut).toBe(true);
    expect(report.targets).toMatchObject([{ left: 0 }]);
    for (const [id, stored] of await contents()) expect(plain(stored)).toBe(`row ${id}`);
  });
});

describe('a sweep that would be wrong is refused before it changes anything', () => {
  const refusal = async (declaration: object) => {
    const before = await contents().catch(() => null);
    const error = await bound(declaration)
      .run(slice(), ports())
      .then(
        () => null,
        (caught: KeyturnError) => caught,
      );
    expect(await contents().catch(() => null)).toEqual(before);
    return `${error?.code}: ${error?.message}`;
  };

  test('a codec that opens nothing: also what a backup from before a retired key looks like', async () => {
    await table(10);
    const rails = {
      codec: {
        id: 'aes-256-gcm',
        key: { kind: 'sha256' },
        layout: [{ encoding: 'base64', fields: ['nonce', 'ciphertext', 'tag'] }],
      },
    };
    expect(await refusal(declared({}, rails))).toMatch(
      /^HookRefused: None of the first 7 rows of credentials.sealed opens/,
    );
    await admin.query('UPDATE credentials SET sealed = $1', [sealed('restored', strange)]);
    expect(await refusal(declared())).toMatch(/^HookRefused: None of the first 7 rows/);
  });

  test.each([
    ['a table that is not there', { table: 'nowhere' }, 'The table nowhere must exist'],
    ['a column that is not there', { column: 'cipher' }, 'must have the column cipher; it has none.'],
    ['a key that is no unique index', { key: ['sealed'] }, 'must have a unique index on exactly sealed'],
    [
      'a column of another type',
      { column: 'id' },
      'credentials.id must be text, varchar or bytea; it is bigint.',
    ],
    [
      'a tag that is no number',
      { version: 'sealed' },
      'The column sealed of credentials must be an integer; it is text.',
    ],
  ])('%s', async (_what, of, sentence) => {
    await table(3);
    expect(await refusal(declared({}, of))).toContain(sentence);
  });

  test('a user without rights, a wrong password and a server that nobody vouches for', async () => {
    await table(3);
    await admin.query(`DROP ROLE IF EXISTS reader`);
    await admin.query(`CREATE ROLE reader LOGIN PASSWORD 'a-password-of-a-test'`);
    await admin.query('GRANT SELECT ON credentials TO reader');
    const dsn = (user: string, password: string) =>
      new Sensitive(`postgresql://${user}:${password}@localhost:${server.port}/postgres`);
    const as = (credential: Sensitive, declaration: object = declared()) =>
      bound(declaration)
        .run(slice(), ports({ credential: async () => credential }))
        .then(
          () => 'done',
          (error: KeyturnError) => `${error.code}: ${error.message}`,
        );
    expect(await as(dsn('reader', 'a-password-of-a-test'))).toBe(
      'HookRefused: The user must have UPDATE on credentials.sealed; it has not.',
    );
    const wrong = await as(dsn('reader', 'not-the-password'));
    expect(wrong).toMatch(/^CredentialRejected: .*28P01/);
    expect(await as(new Sensitive(server.url('postgres')), { ...declared(), tls: 'system' })).toMatch(
      /^TargetTlsFailed: /,
    );
    expect(
      await as(new Sensitive('postgresql://u:p@db.example.com/x'), { ...declared(), tls: 'off-on-loopback' }),
    ).toContain('only for a loopback');
  });
});
