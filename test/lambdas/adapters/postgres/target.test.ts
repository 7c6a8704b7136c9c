/** `database-credential` on a real PostgreSQL: passwords change, and no log has seen them. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { postgresTarget } from '../../../../lambdas/adapters/postgres/target.ts';
import { secretClass } from '../../../../lambdas/classes/database-credential.ts';
import { type Memory, SecretDocument } from '../../../../lambdas/contract/document.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { noTarget, type TargetLogin } from '../../../../lambdas/contract/target.ts';
import { type Postgres, startPostgres } from '../../../../lib/rehearsal/postgres.ts';

let server: Postgres;
let admin: Client;
beforeAll(async () => {
  server = await startPostgres({
    settings: { log_statement: 'all', log_connections: 'on', scram_iterations: '5000' },
  });
  admin = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await server?.stop();
});

const tls = () => ({ authorities: { pem: server.ca ?? '' } });
const target = postgresTarget(random);
const login = (user: string, password: string): TargetLogin => ({
  engine: 'postgres',
  host: 'localhost',
  port: server.port,
  user,
  password: new Sensitive(password),
  database: 'postgres',
  tls: tls(),
});
const letsIn = async (user: string, password: string) => {
  const session = await target.login(login(user, password)).catch(() => null);
  await session?.end();
  return session !== null;
};

describe('a role changes its own password', () => {
  test('with the server’s own number of iterations, and the old password is dead', async () => {
    await admin.query("CREATE ROLE plain LOGIN PASSWORD 'old'");
    const session = await target.login(login('plain', 'old'));
    await session.changePassword(new Sensitive('new'));
    await session.end();
    expect([await letsIn('plain', 'new'), await letsIn('plain', 'old')]).toEqual([true, false]);
    const { rows } = await admin.query("SELECT rolpassword FROM pg_authid WHERE rolname = 'plain'");
    expect(rows[0]?.rolpassword).toMatch(/^SCRAM-SHA-256\$5000:/);
  });

  test('also when the login becomes another role, and with a name that needs quotes', async () => {
    await admin.query(`
      CREATE ROLE owner NOLOGIN;
      CREATE ROLE "Mem""ber" LOGIN PASSWORD 'old' IN ROLE owner;
      ALTER ROLE "Mem""ber" SET ROLE owner`);
    const session = await target.login(login('Mem"ber', 'old'));
    await session.changePassword(new Sensitive('new'));
    await session.end();
    expect(await letsIn('Mem"ber', 'new')).toBe(true);
    const { rows } = await admin.query("SELECT rolpassword FROM pg_authid WHERE rolname = 'owner'");
    expect(rows).toEqual([{ rolpassword: null }]);
  });

  test('and says which rights it lacks', async () => {
    await admin.query(`
      CREATE TABLE orders (id int);
      CREATE ROLE clerk LOGIN PASSWORD 'right';
      GRANT SELECT ON orders TO clerk`);
    const session = await target.login(login('clerk', 'right'));
    const missing = await session.missingRights([
      { table: 'orders', rights: ['SELECT', 'DELETE'] },
      { table: 'public.none', rights: ['SELECT'] },
    ]);
    await session.end();
    expect(missing).toEqual(['DELETE on orders', 'SELECT on public.none']);
  });
});

describe('a rotation', () => {
  const memory: Memory = { schema: 1, class: 'database-credential', base: null };

  test('from create to test, five times: one login each, and no password in the log', async () => {
    await admin.query("CREATE ROLE shop LOGIN PASSWORD 'first-password-of-shop'");
    const bound = secretClass.bind(
      { dsn: 'DATABASE_URL', copies: ['DSN'], tls: tls() },
      { ...noTarget, target },
    );
    let current = new SecretDocument(
      new Map([
        [
          'DATABASE_URL',
          `postgres://shop:first-password-of-shop@localhost:${server.port}/postgres?sslmode=disable`,
        ],
        [
          'DSN',
          `host=localhost port=${server.port} user=shop password=first-password-of-shop dbname=postgres`,
        ],
      ]),
      null,
    );
    const seen: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const changes = await bound.create({ current, supplied: null, random });
      const document = current.with(changes, memory);
      await bound.set?.({ document, current, earlier: async function* () {} });
      await bound.test(document);
      await expect(bound.test(current)).rejects.toMatchObject({ code: 'CredentialRejected' });
      seen.push(/password=(\S+)/.exec(document.value('DSN').reveal())?.[1] ?? '');
      current = document;
    }
    expect(new Set(seen).size).toBe(5);
    const mark = Buffer.from(random.bytes(8)).toString('hex');
    await admin.query(`SELECT '${mark}'`);
    await vi.waitUntil(async () => (await server.log()).includes(mark), { timeout: 20_000, interval: 20 });
    const log = await server.log();
    expect(log.match(/ALTER ROLE SESSION_USER PASSWORD/g)?.length).toBeGreaterThanOrEqual(5);
    // In each round: current let in, pending let in, and the old one refused, which is the test’s own try.
    expect(log.match(/connection authorized: user=shop/g)).toHaveLength(10);
    expect(log.match(/authentication failed for user "shop"/g)).toHaveLength(5);
    for (const password of seen) {
      expect(password).toMatch(/^[A-Za-z0-9]{40}$/);
      for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
        expect(log).not.toContain(Buffer.from(password).toString(encoding));
      }
    }
  });

  test('a server that takes no writes: nothing has changed', async () => {
    await admin.query(`
      CREATE ROLE reader LOGIN PASSWORD 'old';
      ALTER ROLE reader SET default_transaction_read_only = on`);
    const session = await target.login(login('reader', 'old'));
    await expect(session.changePassword(new Sensitive('new'))).rejects.toMatchObject({
      code: 'TargetReadOnly',
    });
    await session.end();
    expect([await letsIn('reader', 'old'), await letsIn('reader', 'new')]).toEqual([true, false]);
  });
});
