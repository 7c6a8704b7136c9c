/** Two users that take turns on a real MariaDB, prepared by an administrator without SUPER, as on RDS. */
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { mysqlTarget } from '../../../../lambdas/adapters/mysql/target.ts';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { secretClass } from '../../../../lambdas/classes/database-credential.ts';
import { type Memory, SecretDocument } from '../../../../lambdas/contract/document.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import type { TargetSession } from '../../../../lambdas/contract/target.ts';
import { hasMariadb, type Mariadb, named, rowsOf, startMariadb } from './mariadb.ts';

const masterPassword = 'password-of-the-master';
const target = mysqlTarget(random);

let server: Mariadb;
let root: Connection;
const open: Connection[] = [];
const spaceOf = (password: string) => new Sensitive(password);

async function connected(user: string, password: string, database: string, name = 'app') {
  const client = await createConnection({
    host: 'localhost',
    port: server.port,
    user,
    password,
    database,
    multipleStatements: true,
    ssl: { ca: server.ca, verifyIdentity: true },
    connectAttributes: { program_name: name },
  });
  client.on('error', () => {});
  open.push(client);
  return client;
}

/** A database with its application's users, rotated by the class itself. */
class Shop {
  readonly name: string;
  readonly passwords: string[] = [];
  current: SecretDocument;
  previous: SecretDocument | null = null;
  bound;

  constructor(name: string) {
    this.name = name;
    const url = `mysql://${name}_a:first@localhost:${server.port}/${name}`;
    this.current = new SecretDocument(new Map([['DATABASE_URL', url]]), null);
    this.bound = secretClass.bind(
      {
        engine: 'mysql',
        dsn: 'DATABASE_URL',
        users: [`${name}_a`, `${name}_b`],
        admin: { user: `${name}_master`, password: { secret: 'admin', member: 'password' } },
        tls: { authorities: { pem: server.ca } },
      },
      { target, credential: async () => spaceOf(masterPassword) },
    );
  }

  /** The server as RDS leaves it: an administrator of users who may hand on what it has. */
  async prepared(
    sql = `CREATE USER ${this.name}_a@'%' IDENTIFIED BY 'first'; GRANT SELECT ON ${this.name}.* TO ${this.name}_a@'%'`,
  ): Promise<this> {
    const { name } = this;
    await root.query(`
      CREATE DATABASE ${name};
      CREATE USER ${name}_master@'%' IDENTIFIED BY '${masterPassword}';
      GRANT SELECT, CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO ${name}_master@'%';
      GRANT ALL ON ${name}.* TO ${name}_master@'%' WITH GRANT OPTION;
      ${sql}`);
    return this;
  }

  login(document = this.current) {
    const url = new URL(document.value('DATABASE_URL').reveal());
    return { user: url.username, password: url.password };
  }

  /** As its application logs in. */
  app(document = this.current, name = 'app'): Promise<Connection> {
    const { user, password } = this.login(document);
    return connected(user, password, this.name, name);
  }

  /** The four steps, and what the rollout does at the server. */
  async rotate(): Promise<void> {
    await this.turn();
    await this.retire();
  }

  async turn(): Promise<void> {
    const memory: Memory = { schema: 1, class: 'database-credential', base: null };
    const { current } = this;
    const changes = await this.bound.create({ current, supplied: null, random });
    const document = current.with(changes, memory);
    await this.bound.set?.({ document, current, earlier: async function* () {} });
    await this.bound.test(document);
    this.passwords.push(this.login(document).password);
    this.previous = current;
    this.current = document;
  }

  old(at = new Date()) {
    if (this.previous === null) throw new Error('It has not rotated yet.');
    return { document: this.current, old: this.previous, since: { at, mark: null } };
  }

  async retire(): Promise<void> {
    await this.bound.oldValue?.disable(this.old());
    expect(await this.bound.accepts?.(this.current)).toBe(true);
    expect(await this.bound.accepts?.(this.old().old)).toBe(false);
  }

  async asMaster(work: (session: TargetSession) => Promise<unknown>): Promise<void> {
    const session = await target.login({
      engine: 'mysql',
      host: 'localhost',
      port: server.port,
      user: `${this.name}_master`,
      password: spaceOf(masterPassword),
      database: '',
      tls: { authorities: { pem: server.ca } },
    });
    await work(session).finally(() => session.end());
  }
}

const grants = async (account: string) =>
  (await rowsOf(root, `SHOW GRANTS FOR ${account}`))
    .map((row) => String(Object.values(row)[0]).replace(/ IDENTIFIED BY PASSWORD '[^']*'/, ''))
    .map((line) => line.replace(/`\w+_[ab]`/, '`x`'))
    .sort((one, other) => (one < other ? -1 : 1));

describe.skipIf(!hasMariadb)(named('a real MariaDB'), () => {
  beforeAll(async () => {
    server = await startMariadb({
      flags: ['--performance-schema=ON', '--performance-schema-max-thread-instances=50'],
    });
    root = await server.root();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(open.map((client) => client.end().catch(() => {})));
    await root?.end();
    await server?.stop();
  });

  describe('rotations by an administrator without SUPER', () => {
    test('what either user makes, the other uses and changes, five rotations long', async () => {
      const shop = await new Shop('five').prepared(
        "CREATE USER five_a@'%' IDENTIFIED BY 'first'; GRANT ALL ON five.* TO five_a@'%'",
      );
      const before = await shop.app();
      await before.query(`
        CREATE TABLE made_0 (id int); INSERT INTO made_0 VALUES (0); CREATE TABLE seen (id int);
        CREATE TRIGGER noted AFTER INSERT ON made_0 FOR EACH ROW INSERT INTO seen VALUES (NEW.id);
        CREATE SQL SECURITY DEFINER VIEW view_0 AS SELECT * FROM made_0;
        CREATE PROCEDURE proc_0() SQL SECURITY DEFINER SELECT count(*) AS n FROM made_0`);
      for (let round = 1; round <= 5; round += 1) {
        await shop.rotate();
        expect(shop.login().user).toBe(round % 2 === 1 ? 'five_b' : 'five_a');
        const app = await shop.app();
        for (let made = 0; made < round; made += 1) {
          await app.query(
            `INSERT INTO made_${made} (id) SELECT max(id) + 1 FROM made_${made}; ALTER TABLE made_${made} ADD by_${round} int;
             SELECT * FROM view_${made}; CALL proc_${made}()`,
          );
        }
        await app.query(`
          CREATE TABLE made_${round} (id int DEFAULT 0); INSERT INTO made_${round} VALUES (0);
          CREATE SQL SECURITY DEFINER VIEW view_${round} AS SELECT * FROM made_${round};
          CREATE OR REPLACE VIEW view_0 AS SELECT id FROM made_0;
          CREATE PROCEDURE proc_${round}() SQL SECURITY DEFINER SELECT count(*) AS n FROM made_${round};
          DROP TRIGGER noted; CREATE TRIGGER noted AFTER INSERT ON made_0 FOR EACH ROW INSERT INTO seen VALUES (NEW.id)`);
        await app.end();
      }
      expect(await rowsOf(root, 'SELECT count(*) AS n FROM five.made_0')).toEqual([{ n: 6 }]);
      expect(await rowsOf(root, 'SELECT count(*) AS n FROM five.seen')).toEqual([{ n: 5 }]);
      expect(new Set(shop.passwords).size).toBe(5);
      const locked = await rowsOf(
        root,
        "SELECT User, JSON_VALUE(Priv, '$.account_locked') AS locked FROM mysql.global_priv WHERE User IN ('five_a', 'five_b') ORDER BY 1",
      );
      expect(locked).toEqual([
        { User: 'five_a', locked: '1' },
        { User: 'five_b', locked: '0' },
      ]);
    });

    test('what was granted by hand to either user survives, and reaches the other', async () => {
      const shop = await new Shop('hand').prepared(`
        CREATE USER hand_a@'%' IDENTIFIED BY 'first' REQUIRE SSL WITH MAX_USER_CONNECTIONS 7 MAX_QUERIES_PER_HOUR 9000 MAX_STATEMENT_TIME 20.5;
        CREATE TABLE hand.whole (id int); GRANT INSERT ON hand.whole TO hand_a@'%'; CREATE TABLE hand.columns (id int, secret text);
        CREATE FUNCTION hand.one() RETURNS int RETURN 1;
        CREATE ROLE hand_readers; CREATE TABLE hand.read (id int); GRANT SELECT ON hand.read TO hand_readers;
        GRANT hand_readers TO hand_master@'%' WITH ADMIN OPTION; GRANT SHOW DATABASES ON *.* TO hand_master@'%' WITH GRANT OPTION;
        GRANT SELECT ON mysql.* TO hand_master@'%'; GRANT UPDATE ON mysql.* TO hand_master@'%'`);
      await shop.rotate();
      expect(shop.login().user).toBe('hand_b');
      // To the user in use, and to the idle one.
      await root.query(`
        GRANT SELECT ON hand.whole TO hand_b@'%' WITH GRANT OPTION;
        GRANT UPDATE (id), SELECT (id) ON hand.columns TO hand_a@'%';
        GRANT EXECUTE ON FUNCTION hand.one TO hand_b@'%';
        GRANT CREATE ON hand.* TO hand_a@'%';
        GRANT SHOW DATABASES ON *.* TO hand_b@'%' WITH GRANT OPTION;
        GRANT hand_readers TO hand_b@'%'; SET DEFAULT ROLE hand_readers FOR hand_b@'%'`);
      for (const user of ['hand_a', 'hand_b', 'hand_a']) {
        await shop.rotate();
        expect(shop.login().user).toBe(user);
        const app = await shop.app();
        await app.query(
          `SELECT * FROM whole; SELECT id FROM columns; UPDATE columns SET id = 1; SELECT one(); SELECT * FROM hand.read; CREATE TABLE by_${user}_${random.bytes(1)[0]} (id int)`,
        );
        await expect(app.query('SELECT secret FROM columns')).rejects.toMatchObject({ errno: 1143 });
        await app.end();
        expect(await grants("hand_a@'%'")).toEqual(await grants("hand_b@'%'"));
      }
      expect(await grants("hand_b@'%'")).toEqual([
        'GRANT CREATE ON `hand`.* TO `x`@`%`',
        'GRANT EXECUTE ON FUNCTION `hand`.`one` TO `x`@`%`',
        'GRANT SELECT (`id`), UPDATE (`id`) ON `hand`.`columns` TO `x`@`%`',
        'GRANT SELECT, INSERT ON `hand`.`whole` TO `x`@`%` WITH GRANT OPTION',
        'GRANT SHOW DATABASES ON *.* TO `x`@`%` REQUIRE SSL WITH GRANT OPTION MAX_QUERIES_PER_HOUR 9000 MAX_USER_CONNECTIONS 7 MAX_STATEMENT_TIME 20.500000',
        'GRANT `hand_readers` TO `x`@`%`',
        'SET DEFAULT ROLE `hand_readers` FOR `x`@`%`',
      ]);
    });

    test('a right that the administrator cannot hand on stops the rotation, and says what to run', async () => {
      const shop = await new Shop('alien').prepared(`
        CREATE USER alien_a@'%' IDENTIFIED BY 'first'; CREATE DATABASE ledger; CREATE TABLE ledger.lines (id int);
        GRANT SELECT ON ledger.* TO alien_a@'%'; GRANT SELECT ON alien.* TO alien_a@'%'`);
      await expect(shop.turn()).rejects.toMatchObject({
        code: 'PrivilegeMissing',
        message:
          'The administrator must be allowed to run: GRANT SELECT ON `ledger`.* TO `alien_b`@`%`; the server does not let it.',
      });
      // What was begun lets nobody in.
      expect(
        await rowsOf(
          root,
          "SELECT JSON_VALUE(Priv, '$.account_locked') AS locked FROM mysql.global_priv WHERE User = 'alien_b'",
        ),
      ).toEqual([{ locked: '1' }]);
      await root.query('GRANT SELECT ON `ledger`.* TO `alien_b`@`%`');
      await shop.rotate();
      await (await shop.app()).query('SELECT * FROM ledger.lines');
    });

    test('an administrator who sees no users, or may not change them, is told so', async () => {
      const shop = await new Shop('blind').prepared();
      await root.query("REVOKE SELECT ON *.* FROM blind_master@'%'");
      await expect(shop.turn()).rejects.toMatchObject({ code: 'PrivilegeMissing' });
      await root.query(
        "GRANT SELECT ON *.* TO blind_master@'%'; REVOKE CREATE USER ON *.* FROM blind_master@'%'",
      );
      await expect(shop.turn()).rejects.toMatchObject({
        code: 'PrivilegeMissing',
        message:
          'The administrator must be allowed to run: CREATE USER `blind_b`@`%`; the server does not let it.',
      });
    });
  });

  describe('what somebody made by hand', () => {
    test('a user with accounts for several hosts gets a second one for each; no old password is left in any', async () => {
      const shop = await new Shop('hosts').prepared(`
        CREATE USER hosts_a@localhost IDENTIFIED BY 'first'; CREATE USER hosts_a@'10.%' IDENTIFIED BY 'first';
        CREATE USER hosts_b@'192.168.%' IDENTIFIED BY 'never'; CREATE USER hosts_b@localhost IDENTIFIED BY 'never' PASSWORD EXPIRE;
        GRANT SELECT ON hosts.* TO hosts_a@'10.%'; GRANT INSERT ON hosts.* TO hosts_a@localhost`);
      await shop.turn();
      const accounts = () =>
        rowsOf(
          root,
          `SELECT User, Host, authentication_string = PASSWORD('${shop.login().password}') AS same
             FROM mysql.user WHERE User LIKE 'hosts\\_%' AND User <> 'hosts_master' ORDER BY 1, 2`,
        );
      expect(await accounts()).toEqual([
        { User: 'hosts_a', Host: '10.%', same: 0 },
        { User: 'hosts_a', Host: 'localhost', same: 0 },
        { User: 'hosts_b', Host: '10.%', same: 1 },
        { User: 'hosts_b', Host: '192.168.%', same: 1 },
        { User: 'hosts_b', Host: 'localhost', same: 1 },
      ]);
      expect(await grants("hosts_b@'10.%'")).toEqual([
        'GRANT SELECT ON `hosts`.* TO `x`@`10.%`',
        'GRANT USAGE ON *.* TO `x`@`10.%`',
      ]);
      await shop.retire();
      await shop.rotate();
      expect((await accounts()).filter((row) => (row as { User: string }).User === 'hosts_a')).toEqual([
        { User: 'hosts_a', Host: '10.%', same: 1 },
        { User: 'hosts_a', Host: '192.168.%', same: 1 },
        { User: 'hosts_a', Host: 'localhost', same: 1 },
      ]);
    });

    test('a user who is let in by something else is refused, and nothing is changed', async () => {
      const shop = await new Shop('odd').prepared(
        "CREATE USER odd_a@'%' IDENTIFIED BY 'first'; GRANT SELECT ON odd.* TO odd_a@'%'; CREATE USER odd_b@'%' IDENTIFIED VIA unix_socket",
      );
      await expect(shop.turn()).rejects.toMatchObject({
        code: 'TargetRefused',
        message: 'The user must log in by mysql_native_password alone; it logs in by unix_socket.',
      });
      await (await shop.app()).query('SELECT 1');
    });

    test('the user in use was dropped: the other one is made all the same', async () => {
      const shop = await new Shop('gone').prepared();
      await shop.rotate();
      await root.query("DROP USER gone_b@'%'");
      await shop.turn();
      expect(shop.login().user).toBe('gone_a');
    });

    test('names with every sign', async () => {
      const names = ['od`d"_a', "od'd\\_b"] as const;
      await root.query(`
        CREATE USER \`od\`\`d"_a\`@'%' IDENTIFIED BY 'first'; CREATE DATABASE \`w\`\`ei'rd\`; GRANT SELECT ON \`w\`\`ei'rd\`.* TO \`od\`\`d"_a\`@'%'`);
      const shop = await new Shop('signs').prepared();
      await root.query("GRANT SELECT ON *.* TO signs_master@'%' WITH GRANT OPTION");
      await shop.asMaster((session) =>
        session.preparePair({
          user: names[1],
          other: names[0],
          owner: '',
          password: spaceOf('second'),
          databases: [''],
        }),
      );
      const client = await connected(names[1], 'second', "w`ei'rd");
      expect(await rowsOf(client, 'SELECT CURRENT_USER() AS me')).toEqual([{ me: "od'd\\_b@%" }]);
      await shop.asMaster((session) => session.disableLogin(names[1]));
      await expect(connected(names[1], 'second', '')).rejects.toMatchObject({ errno: 1045 });
    });
  });

  describe('the evidence', () => {
    test('sessions of the old user are counted by their names, and ended when that is asked for', async () => {
      const shop = await new Shop('seen').prepared();
      await root.query(
        "GRANT SELECT ON performance_schema.* TO seen_master@'%'; GRANT USAGE ON seen.* TO seen_a@'%'",
      );
      const pools = [
        await connected('seen_a', 'first', '', 'worker'),
        await connected('seen_a', 'first', '', 'worker'),
        await connected('seen_a', 'first', '', 'x\nmysql://u:p@h'),
      ];
      await shop.turn();
      const uses = () => shop.bound.oldValue?.uses(shop.old());
      expect(await uses()).toEqual([
        { by: 'worker', sessions: 2 },
        { by: 'x?mysql?//u?p?h', sessions: 1 },
      ]);
      await pools.pop()?.end();
      await vi.waitUntil(async () => (await uses())?.length === 1, { timeout: 20_000 });
      await shop.bound.oldValue?.endUses(shop.old());
      await vi.waitUntil(async () => (await uses())?.length === 0, { timeout: 20_000 });
      await expect(pools[0]?.query('SELECT 1')).rejects.toThrow();
    });

    test('an administrator who does not see sessions of others is no witness', async () => {
      const shop = await new Shop('unseen').prepared();
      await connected('unseen_a', 'first', '');
      await shop.turn();
      await root.query("REVOKE PROCESS ON *.* FROM unseen_master@'%'");
      await expect(shop.bound.oldValue?.uses(shop.old())).rejects.toMatchObject({
        code: 'PrivilegeMissing',
        message:
          'The administrator must be allowed to run: SHOW PROCESSLIST, with PROCESS; the server does not let it.',
      });
      await root.query(
        "GRANT PROCESS ON *.* TO unseen_master@'%'; REVOKE CONNECTION ADMIN ON *.* FROM unseen_master@'%'",
      );
      await expect(shop.bound.oldValue?.endUses(shop.old())).rejects.toMatchObject({
        code: 'PrivilegeMissing',
        message: expect.stringMatching(/^The administrator must be allowed to run: KILL CONNECTION \d+;/),
      });
    });

    test('where only the procedure of RDS may end them, it does', async () => {
      const shop = await new Shop('rds').prepared();
      const held = await connected('rds_a', 'first', '');
      await shop.turn();
      await root.query(`
        CREATE PROCEDURE mysql.rds_kill(IN thread BIGINT) SQL SECURITY DEFINER KILL CONNECTION thread;
        REVOKE CONNECTION ADMIN ON *.* FROM rds_master@'%'; GRANT EXECUTE ON PROCEDURE mysql.rds_kill TO rds_master@'%'`);
      await shop.bound.oldValue?.endUses(shop.old());
      await root.query('DROP PROCEDURE mysql.rds_kill');
      expect(await shop.bound.oldValue?.uses(shop.old())).toEqual([]);
      await expect(held.query('SELECT 1')).rejects.toThrow();
    });

    test('where the old user is in use again, what came after the mark does not count, whatever function looks', async () => {
      const shop = await new Shop('again').prepared();
      const before = shop.current;
      await connected('again_a', 'first', '', 'stale');
      await shop.turn();
      await shop.turn();
      const at = new Date();
      const mark = (await shop.bound.oldValue?.mark(shop.current)) ?? null;
      expect(mark).toMatch(/^\d+@[\w.:/=+@-]{1,100}$/);
      const fresh = await shop.app(undefined, 'fresh');
      const asked = { document: shop.current, old: before, since: { at, mark } };
      const looks = async (since: { at: Date; mark: string | null }) =>
        (await shop.bound.oldValue?.uses({ ...asked, since }))?.reduce((sum, one) => sum + one.sessions, 0);
      expect(await shop.bound.oldValue?.uses(asked)).toEqual([{ by: 'stale', sessions: 1 }]);
      // What nothing is known of may be old: nothing was marked, or at another server, or before this one began anew.
      expect(await looks({ at, mark: null })).toBe(2);
      expect(await looks({ at, mark: `${mark}-other` })).toBe(2);
      expect(await looks({ at, mark: `1${mark}` })).toBe(2);
      await shop.bound.oldValue?.endUses(asked);
      expect(await shop.bound.oldValue?.uses(asked)).toEqual([]);
      expect(await rowsOf(fresh, 'SELECT 1 AS alive')).toEqual([{ alive: 1 }]);
    });

    test('after a start of the server nothing is older than that', async () => {
      const alone = await startMariadb();
      try {
        const administrator = await alone.root();
        await administrator.query(`CREATE USER lonely IDENTIFIED BY 'of-lonely'`);
        await administrator.end();
        const login = {
          engine: 'mysql' as const,
          host: 'localhost',
          port: alone.port,
          user: 'lonely',
          password: spaceOf('of-lonely'),
          database: '',
          tls: { authorities: { pem: alone.ca } },
        };
        const mark = (await target.mark?.(login)) ?? null;
        const held = await target.login(login);
        const session = await target.login(login);
        const count = async (at: Date) =>
          (await session.uses({ user: 'lonely', openedBefore: { at, mark: null } })).length;
        expect(await count(new Date())).toBe(1);
        // As if the server had been started since.
        expect(await count(new Date(Date.now() - 3_600_000))).toBe(0);
        expect((await session.uses({ user: 'lonely', openedBefore: { at: new Date(), mark } })).length).toBe(
          0,
        );
        await Promise.all([held.end(), session.end()]);
      } finally {
        await alone.stop();
      }
    });

    test('to disable twice, or a user that is gone, does no harm', async () => {
      const shop = await new Shop('twice').prepared();
      await shop.rotate();
      await shop.retire();
      await root.query("DROP USER twice_a@'%'");
      await shop.retire();
      await shop.rotate();
    });
  });

  test('no password in any log of the server, in any form, and no stored form in an error', async () => {
    const shop = await new Shop('logged').prepared();
    for (let round = 0; round < 3; round += 1) await shop.rotate();
    const log = await server.log();
    expect(log.match(/ALTER USER `logged_[ab]`@`%` IDENTIFIED VIA/g)).toHaveLength(6);
    expect(shop.passwords).toHaveLength(3);
    for (const password of shop.passwords) {
      for (const form of ['base64', 'base64url', 'hex'] as const) {
        expect(log).not.toContain(Buffer.from(password).toString(form).replace(/=+$/, ''));
      }
      for (let at = 0; at + 8 <= password.length; at += 1) {
        expect(log).not.toContain(password.slice(at, at + 8));
      }
    }
  });

  test('two at once: one waits for the other', async () => {
    const shop = await new Shop('twins').prepared();
    const prepare = (password: string) =>
      shop.asMaster((session) =>
        session.preparePair({
          user: 'twins_b',
          other: 'twins_a',
          owner: '',
          password: spaceOf(password),
          databases: [''],
        }),
      );
    await Promise.all(['one', 'two', 'three'].map(prepare));
    expect(await rowsOf(root, "SELECT count(*) AS n FROM mysql.user WHERE User = 'twins_b'")).toEqual([
      { n: 1 },
    ]);
  });
});
