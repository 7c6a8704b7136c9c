/** `database-credential` on a real MariaDB: passwords change, and no log has seen them. */
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mysqlTarget } from '../../../../lambdas/adapters/mysql/target.ts';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { secretClass } from '../../../../lambdas/classes/database-credential.ts';
import { type Memory, SecretDocument } from '../../../../lambdas/contract/document.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { noTarget, type TargetLogin } from '../../../../lambdas/contract/target.ts';
import { nativeHash } from '../../../../lambdas/credentials/mysql-hashes.ts';
import { hasMariadb, type Mariadb, named, rowsOf, startMariadb } from './mariadb.ts';

describe.skipIf(!hasMariadb)(named('a real MariaDB'), () => {
  let server: Mariadb;
  let root: Connection;
  beforeAll(async () => {
    server = await startMariadb();
    root = await server.root();
    await root.query(
      'CREATE DATABASE shop; CREATE DATABASE other; CREATE DATABASE `sh_p`; CREATE DATABASE shxp',
    );
  }, 60_000);
  afterAll(async () => {
    await root?.end();
    await server?.stop();
  });

  const target = mysqlTarget(random);
  const login = (user: string, password: string, database = ''): TargetLogin => ({
    engine: 'mysql',
    host: 'localhost',
    port: server.port,
    user,
    password: new Sensitive(password),
    database,
    tls: { authorities: { pem: server.ca } },
  });
  const letsIn = async (user: string, password: string) => {
    const session = await target.login(login(user, password)).catch(() => null);
    await session?.end();
    return session !== null;
  };

  test('the stored form that we make is the one that the server makes', async () => {
    for (const password of ['mypass', 'é漢😀', `it's "\\`, 'a'.repeat(255)]) {
      const [rows] = await root.query('SELECT PASSWORD(?) AS made', [password]);
      expect(rows).toEqual([{ made: nativeHash(new Sensitive(password)).reveal() }]);
    }
  });

  describe('a user changes its own password', () => {
    test.each([
      ['plain', "plain@'%'"],
      ['here', 'here@localhost'],
      ["it's `q` \\ @x", "`it's ``q`` \\ @x`@'127.0.0.%'"],
    ])('%s, and the old password is dead', async (user, account) => {
      await root.query(`CREATE USER ${account} IDENTIFIED BY 'old'`);
      const session = await target.login(login(user, 'old'));
      await session.changePassword(new Sensitive('new'));
      await session.end();
      expect([await letsIn(user, 'new'), await letsIn(user, 'old')]).toEqual([true, false]);
    });

    test('of several accounts of a name, only the one that it logs in as', async () => {
      await root.query(
        "CREATE USER twin@'127.%' IDENTIFIED BY 'old'; CREATE USER twin@'10.%' IDENTIFIED BY 'old'",
      );
      const session = await target.login(login('twin', 'old'));
      await session.changePassword(new Sensitive('new'));
      await session.end();
      const rows = await rowsOf(
        root,
        "SELECT Host, authentication_string = PASSWORD('old') AS old FROM mysql.user WHERE User = 'twin' ORDER BY Host",
      );
      expect(rows).toEqual([
        { Host: '10.%', old: 1 },
        { Host: '127.%', old: 0 },
      ]);
    });

    test('not where something else than a password lets it in', async () => {
      await root.query(
        "CREATE USER mixed@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('old') OR unix_socket",
      );
      const session = await target.login(login('mixed', 'old'));
      await expect(session.changePassword(new Sensitive('new'))).rejects.toMatchObject({
        code: 'TargetRefused',
        message:
          'The user must log in by mysql_native_password alone; it logs in by mysql_native_password, unix_socket.',
      });
      await session.end();
    });

    test('and cannot hold two', async () => {
      await root.query("CREATE USER two@'%' IDENTIFIED BY 'old'");
      const session = await target.login(login('two', 'old'));
      await expect(session.addPassword('two', new Sensitive('new'))).rejects.toMatchObject({
        code: 'TargetRefused',
        message: expect.stringMatching(
          /^The server must be MySQL 8\.0\.14 or later to keep two passwords of a user; it is MariaDB \d+\.\d+\.\d+\.$/,
        ),
      });
      await expect(session.keepOnly('other', new Sensitive('new'))).rejects.toMatchObject({
        message:
          'A user of MySQL must change its own two passwords; the session is of two, and not of other.',
      });
      await session.end();
    });
  });

  describe('it says which rights it lacks', () => {
    const lacking = async (user: string, tables: readonly [string, ...string[]][]) => {
      const session = await target.login(login(user, 'right', 'shop'));
      const missing = await session.missingRights(tables.map(([table, ...rights]) => ({ table, rights })));
      await session.end();
      return missing;
    };

    test('of tables, columns, databases, patterns and roles', async () => {
      await root.query(`
        CREATE TABLE shop.orders (id int, note text); CREATE TABLE shop.\`we\`\`ird\` (id int); CREATE TABLE other.things (id int);
        CREATE TABLE sh_p.kept (id int); CREATE TABLE shxp.kept (id int);
        CREATE ROLE reader; GRANT SELECT ON other.* TO reader;
        CREATE USER clerk@'%' IDENTIFIED BY 'right';
        GRANT SELECT, UPDATE (note) ON shop.orders TO clerk@'%';
        GRANT SELECT ON shop.\`we\`\`ird\` TO clerk@'%';
        GRANT INSERT ON \`sh\\_p\`.* TO clerk@'%';
        GRANT reader TO clerk@'%';
        CREATE USER chief@'%' IDENTIFIED BY 'right'; GRANT ALL ON *.* TO chief@'%'`);
      const all: [string, ...string[]][] = [
        ['orders', 'SELECT', 'UPDATE', 'DELETE'],
        ['shop.`we``ird`', 'SELECT'],
        ['other.things', 'SELECT'],
        ['sh_p.kept', 'INSERT'],
        ['shxp.kept', 'INSERT'],
        ['none', 'SELECT'],
        ['a.b.c', 'SELECT'],
      ];
      expect(await lacking('clerk', all)).toEqual([
        'UPDATE on orders',
        'DELETE on orders',
        'SELECT on other.things',
        'INSERT on shxp.kept',
        'SELECT on none',
        'SELECT on a.b.c',
      ]);
      await root.query("SET DEFAULT ROLE reader FOR clerk@'%'");
      expect(await lacking('clerk', [['other.things', 'SELECT', 'INSERT']])).toEqual([
        'INSERT on other.things',
      ]);
      expect(await lacking('chief', all.slice(0, 5))).toEqual([]);
      expect(await lacking('clerk', [])).toEqual([]);
    });
  });

  describe('a rotation', () => {
    const memory: Memory = { schema: 1, class: 'database-credential', base: null };

    test('from create to test, five times: one login each, and no password in the log', async () => {
      await root.query(
        "CREATE USER shop@'%' IDENTIFIED BY 'first-password-of-shop'; GRANT ALL ON shop.* TO shop@'%'",
      );
      const bound = secretClass.bind(
        { dsn: 'DATABASE_URL', engine: 'mysql', copies: ['DSN'], tls: { authorities: { pem: server.ca } } },
        { ...noTarget, target },
      );
      const url = (scheme: string) =>
        `${scheme}://shop:first-password-of-shop@localhost:${server.port}/shop?ssl-mode=REQUIRED`;
      let current = new SecretDocument(
        new Map([
          ['DATABASE_URL', url('mysql')],
          ['DSN', url('mysql')],
        ]),
        null,
      );
      const seen: string[] = [];
      const from = (await server.log()).length;
      for (let round = 0; round < 5; round += 1) {
        const changes = await bound.create({ current, supplied: null, random });
        const document = current.with(changes, memory);
        await bound.set?.({ document, current, earlier: async function* () {} });
        await bound.test(document);
        await expect(bound.test(current)).rejects.toMatchObject({ code: 'CredentialRejected' });
        seen.push(new URL(document.value('DSN').reveal()).password);
        current = document;
      }
      expect(new Set(seen).size).toBe(5);
      const log = (await server.log()).slice(from);
      expect(log.match(/SET PASSWORD/g)).toHaveLength(5);
      // In each round: current let in, pending let in, and the old one refused, which is the test’s own try.
      expect(log.match(/ Connect\tshop@localhost/g)).toHaveLength(15);
      expect(log.match(/ Connect\tAccess denied/g)).toHaveLength(5);
      for (const password of seen) {
        expect(password).toMatch(/^[A-Za-z0-9]{40}$/);
        for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
          expect(log).not.toContain(Buffer.from(password).toString(encoding));
        }
      }
    });

    test('a server that takes no writes: nothing has changed', async () => {
      await root.query("CREATE USER reader@'%' IDENTIFIED BY 'old'; SET GLOBAL read_only = 1");
      const session = await target.login(login('reader', 'old'));
      const changed = session.changePassword(new Sensitive('new'));
      await expect(changed).rejects.toMatchObject({ code: 'TargetReadOnly' });
      await session.end();
      await root.query('SET GLOBAL read_only = 0');
      expect([await letsIn('reader', 'old'), await letsIn('reader', 'new')]).toEqual([true, false]);
    });
  });
});
