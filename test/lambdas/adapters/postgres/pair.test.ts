/** Two users that take turns on a real server, prepared by an administrator who is no superuser, as on RDS. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { postgresTarget } from '../../../../lambdas/adapters/postgres/target.ts';
import { secretClass } from '../../../../lambdas/classes/database-credential.ts';
import { type Memory, SecretDocument } from '../../../../lambdas/contract/document.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { type Postgres, startPostgres } from '../../../../lib/rehearsal/postgres.ts';

let server: Postgres;
const open: Client[] = [];

beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all', scram_iterations: '4096' } });
}, 60_000);
afterAll(async () => {
  await Promise.all(open.map((client) => client.end().catch(() => {})));
  await server?.stop();
});

const target = postgresTarget(random);
const masterPassword = 'password-of-the-master';

async function connected(user: string, password: string, database: string, name = 'app'): Promise<Client> {
  const client = new Client({
    host: server.host,
    port: server.port,
    user,
    password,
    database,
    application_name: name,
    ssl: { ca: server.ca ?? '' },
  });
  client.on('error', () => {});
  await client.connect();
  open.push(client);
  return client;
}
const superuser = (database = 'postgres') => connected(server.user, server.password, database);

/** A database with its application's users, rotated by the class itself. */
class Shop {
  readonly name: string;
  readonly passwords: string[] = [];
  current: SecretDocument;
  previous: SecretDocument | null = null;
  admin = { user: '', password: masterPassword };
  readonly #copies: readonly string[];

  constructor(name: string, password: string, user = `${name}_a`, copies: Record<string, string> = {}) {
    this.name = name;
    const url = (database: string) =>
      `postgres://${user}:${password}@localhost:${server.port}/${database}?sslmode=require`;
    this.current = new SecretDocument(
      new Map([
        ['DATABASE_URL', url(name)],
        ...Object.entries(copies).map(([copy, database]) => [copy, url(database)] as const),
      ]),
      null,
    );
    this.#copies = Object.keys(copies);
    this.admin.user = `${name}_master`;
  }

  /** The server as RDS leaves it: an administrator with CREATEROLE who owns the database. */
  async prepared(sql = ''): Promise<this> {
    const root = await superuser();
    await root.query(`CREATE ROLE ${this.admin.user} LOGIN CREATEROLE CREATEDB PASSWORD '${masterPassword}'`);
    await root.query(`CREATE DATABASE ${this.name} OWNER ${this.admin.user}`);
    const master = await this.master();
    if (sql !== '') await master.query(sql);
    return this;
  }

  master = () => connected(this.admin.user, this.admin.password, this.name);

  get bound() {
    return secretClass.bind(
      {
        dsn: 'DATABASE_URL',
        copies: this.#copies,
        users: [`${this.name}_a`, `${this.name}_b`],
        owner: `${this.name}_owner`,
        admin: { user: this.admin.user, password: { secret: 'admin', member: 'password' } },
        tls: { authorities: { pem: server.ca ?? '' } },
      },
      { target, credential: async () => new Sensitive(this.admin.password) },
    );
  }

  login(document = this.current, variable = 'DATABASE_URL') {
    const url = new URL(document.value(variable).reveal());
    return { user: url.username, password: url.password, database: url.pathname.slice(1) };
  }

  /** As its application logs in. */
  async app(document = this.current, variable = 'DATABASE_URL', name = 'app'): Promise<Client> {
    const { user, password, database } = this.login(document, variable);
    return connected(user, password, database, name);
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
}

const rowsOf = async (client: Client, sql: string) => (await client.query(sql)).rows;

describe('rotations by an administrator who is no superuser', () => {
  test('what either user makes, the other uses and changes, five rotations long', async () => {
    const shop = await new Shop('five', 'first').prepared(`CREATE ROLE five_a LOGIN PASSWORD 'first'`);
    await (await shop.master()).query('GRANT CREATE ON SCHEMA public TO five_a');
    const before = await shop.app();
    await before.query('CREATE TABLE made_0 (id int); INSERT INTO made_0 VALUES (0)');
    for (let round = 1; round <= 5; round += 1) {
      await shop.rotate();
      expect(shop.login().user).toBe(round % 2 === 1 ? 'five_b' : 'five_a');
      const app = await shop.app();
      for (let made = 0; made < round; made += 1) {
        await app.query(
          `INSERT INTO made_${made} SELECT max(id) + 1 FROM made_${made}; ALTER TABLE made_${made} ADD by_${round} int`,
        );
      }
      await app.query(`
        CREATE TABLE made_${round} (id int DEFAULT 0);
        INSERT INTO made_${round} VALUES (0);
        CREATE OR REPLACE FUNCTION doubled(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
        DROP TYPE IF EXISTS mood;
        CREATE TYPE mood AS ENUM ('${round}')`);
      await app.end();
    }
    const root = await superuser('five');
    expect(
      await rowsOf(root, "SELECT DISTINCT tableowner AS of FROM pg_tables WHERE tablename LIKE 'made_%'"),
    ).toEqual([{ of: 'five_owner' }]);
    expect(await rowsOf(root, 'SELECT count(*)::int AS rows FROM made_0')).toEqual([{ rows: 6 }]);
    expect(
      await rowsOf(
        root,
        "SELECT rolname AS name, rolcanlogin AS login, rolpassword IS NULL AS without FROM pg_authid WHERE rolname LIKE 'five_%' ORDER BY 1",
      ),
    ).toEqual([
      { name: 'five_a', login: false, without: true },
      { name: 'five_b', login: true, without: false },
      { name: 'five_master', login: true, without: false },
      { name: 'five_owner', login: false, without: true },
    ]);
    expect(new Set(shop.passwords).size).toBe(5);
    // The administrator keeps no more than it had: it may give itself the roles, and is none of them.
    expect(
      await rowsOf(
        root,
        "SELECT bool_or(inherit_option OR set_option) AS acts FROM pg_auth_members WHERE member = 'five_master'::regrole",
      ),
    ).toEqual([{ acts: false }]);
  });

  test('what was granted by hand to either user survives, and reaches the other', async () => {
    const shop = await new Shop('hand', 'first').prepared(`
      CREATE ROLE hand_a LOGIN PASSWORD 'first';
      CREATE ROLE hand_readers NOLOGIN;
      CREATE SCHEMA kept;
      CREATE TABLE kept.whole (id int); CREATE TABLE kept.columns (id int, secret text);
      CREATE TABLE kept.lines (id int, who text); ALTER TABLE kept.lines ENABLE ROW LEVEL SECURITY;
      INSERT INTO kept.lines VALUES (1, 'x');
      CREATE TABLE kept.read (id int); GRANT SELECT ON kept.read TO hand_readers;
      CREATE SEQUENCE kept.numbers;
      CREATE FUNCTION kept.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
      REVOKE EXECUTE ON FUNCTION kept.one() FROM PUBLIC;
      CREATE TYPE kept.colour AS ENUM ('red'); REVOKE USAGE ON TYPE kept.colour FROM PUBLIC;
      REVOKE TEMPORARY ON DATABASE hand FROM PUBLIC;
      CREATE ROLE hand_other NOLOGIN`);
    const master = await shop.master();
    await shop.rotate();
    expect(shop.login().user).toBe('hand_b');
    // To the user in use, and to the idle one.
    await master.query(`
      GRANT USAGE ON SCHEMA kept TO hand_b;
      GRANT SELECT ON kept.whole TO hand_b WITH GRANT OPTION;
      GRANT UPDATE (id), SELECT (id) ON kept.columns TO hand_a;
      GRANT SELECT ON kept.lines TO hand_a;
      CREATE POLICY mine ON kept.lines TO hand_b USING (true);
      GRANT USAGE ON SEQUENCE kept.numbers TO hand_a;
      GRANT EXECUTE ON FUNCTION kept.one() TO hand_b;
      GRANT USAGE ON TYPE kept.colour TO hand_a;
      GRANT TEMPORARY ON DATABASE hand TO hand_a;
      GRANT hand_readers TO hand_b WITH ADMIN FALSE, INHERIT TRUE, SET TRUE;
      ALTER DEFAULT PRIVILEGES IN SCHEMA kept GRANT INSERT ON TABLES TO hand_b;
      GRANT hand_b TO hand_master WITH INHERIT TRUE, SET TRUE;
      ALTER DEFAULT PRIVILEGES FOR ROLE hand_b GRANT SELECT ON TABLES TO hand_other;
      ALTER DEFAULT PRIVILEGES FOR ROLE hand_b REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
      GRANT CREATE ON SCHEMA kept TO hand_b;
      ALTER ROLE hand_b SET search_path TO kept, "$user", "With ""quotes"", and a comma";
      ALTER ROLE hand_a SET work_mem TO '6MB';
      ALTER ROLE hand_a IN DATABASE hand SET statement_timeout TO '55s';
      ALTER ROLE hand_b SET application_name TO 'it''s \\ me';
      ALTER ROLE hand_b CONNECTION LIMIT 7`);
    for (const user of ['hand_a', 'hand_b', 'hand_a']) {
      await shop.rotate();
      expect(shop.login().user).toBe(user);
      const app = await shop.app(undefined, undefined, '');
      expect(
        await rowsOf(
          app,
          `SELECT current_user AS me, current_setting('search_path') AS path, current_setting('work_mem') AS mem,
             current_setting('statement_timeout') AS timeout`,
        ),
      ).toEqual([
        {
          me: 'hand_owner',
          path: 'kept, "$user", "With ""quotes"", and a comma"',
          mem: '6MB',
          timeout: '55s',
        },
      ]);
      await app.query(`
        SELECT * FROM kept.whole; SELECT id FROM kept.columns; UPDATE kept.columns SET id = 1; SELECT * FROM kept.read;
        SELECT nextval('kept.numbers'), kept.one(), 'red'::kept.colour; CREATE TEMPORARY TABLE mine ()`);
      expect(await rowsOf(app, 'SELECT id FROM kept.lines')).toEqual([{ id: 1 }]);
      await expect(app.query('SELECT secret FROM kept.columns')).rejects.toMatchObject({ code: '42501' });
      await app.query(
        `CREATE TABLE kept.by_${user} (id int); CREATE OR REPLACE FUNCTION kept.closed_${user}() RETURNS int LANGUAGE sql AS 'SELECT 2'`,
      );
      await app.query(`GRANT SELECT ON kept.whole TO hand_other`);
      await master.query(`CREATE TABLE kept.later_${user} (id int)`);
      await app.query(`INSERT INTO kept.later_${user} VALUES (1)`);
      expect(
        await rowsOf(
          master,
          `SELECT has_table_privilege('hand_other', 'kept.by_${user}', 'SELECT') AS reads,
             has_function_privilege('hand_other', 'kept.closed_${user}()', 'EXECUTE') AS runs,
             (SELECT rolconnlimit FROM pg_roles WHERE rolname = '${user}') AS limit`,
        ),
      ).toEqual([{ reads: true, runs: false, limit: 7 }]);
      await app.query(`DROP TABLE kept.by_${user}; DROP FUNCTION kept.closed_${user}()`);
      await master.query(`DROP TABLE kept.later_${user}`);
      await app.end();
    }
  });

  test('a right that the administrator cannot hand on stops the rotation, and says what to run', async () => {
    const shop = await new Shop('alien', 'first').prepared(`CREATE ROLE alien_a LOGIN PASSWORD 'first'`);
    const root = await superuser('alien');
    await root.query('CREATE TABLE ledger (id int); GRANT SELECT ON ledger TO alien_a');
    await expect(shop.turn()).rejects.toMatchObject({
      code: 'PrivilegeMissing',
      message:
        'The administrator must be allowed to run: GRANT SELECT ON TABLE public.ledger TO alien_owner; the server does not let it.',
    });
    // All or nothing: the other user is not there.
    expect(await rowsOf(root, "SELECT FROM pg_roles WHERE rolname IN ('alien_b', 'alien_owner')")).toEqual(
      [],
    );
    await root.query('CREATE ROLE alien_owner; GRANT alien_owner TO alien_master WITH ADMIN TRUE');
    await root.query('GRANT SELECT ON TABLE public.ledger TO alien_owner');
    await shop.rotate();
    await (await shop.app()).query('SELECT * FROM ledger');
  });
});

describe('what somebody made by hand', () => {
  test('a single user with objects of every kind is adopted, its open sessions too', async () => {
    const shop = await new Shop('adopted', 'first').prepared(`CREATE ROLE adopted_a LOGIN PASSWORD 'first'`);
    await (await shop.master()).query('GRANT CREATE ON DATABASE adopted TO adopted_a');
    const old = await shop.app();
    await old.query(`
      CREATE SCHEMA own; CREATE TABLE own.orders (id serial PRIMARY KEY); CREATE VIEW own.seen AS SELECT * FROM own.orders;
      CREATE FUNCTION own.one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE own.pair AS (a int, b int);
      CREATE DOMAIN own.small AS int CHECK (VALUE < 10)`);
    await (await shop.master()).query('REVOKE CREATE ON DATABASE adopted FROM adopted_a');
    await shop.turn();
    // The session from before goes on, and what it still makes is handed over when its login ends.
    await old.query(
      'INSERT INTO own.orders DEFAULT VALUES; ALTER TABLE own.orders ADD note text; CREATE TABLE own.late (id int)',
    );
    await shop.retire();
    const app = await shop.app();
    await app.query(`
      ALTER TABLE own.late ADD more int; ALTER TABLE own.orders ADD more int; CREATE OR REPLACE VIEW own.seen AS SELECT * FROM own.orders;
      CREATE TABLE own.next (id int); DROP FUNCTION own.one(); INSERT INTO own.orders DEFAULT VALUES`);
    expect(await rowsOf(app, 'SELECT max(id) AS last FROM own.orders')).toEqual([{ last: 2 }]);
    expect(
      await rowsOf(app, "SELECT has_database_privilege('adopted_owner', 'adopted', 'CREATE') AS lent"),
    ).toEqual([{ lent: false }]);
  });

  test('a pair that was made by a superuser: the administrator needs to be its administrator', async () => {
    const shop = await new Shop('pair', 'first').prepared();
    const root = await superuser('pair');
    await root.query(`
      CREATE ROLE pair_a LOGIN NOINHERIT PASSWORD 'first' VALID UNTIL 'tomorrow'; CREATE ROLE pair_b LOGIN PASSWORD 'other' VALID UNTIL '2001-01-01';
      CREATE ROLE pair_owner NOLOGIN; GRANT pair_owner TO pair_a;
      CREATE SCHEMA own AUTHORIZATION pair_b; CREATE TABLE own.things (id int); ALTER TABLE own.things OWNER TO pair_b`);
    await expect(shop.turn()).rejects.toMatchObject({ code: 'PrivilegeMissing' });
    await root.query(
      'GRANT pair_a, pair_b, pair_owner TO pair_master WITH ADMIN TRUE, INHERIT FALSE, SET FALSE',
    );
    await shop.rotate();
    const app = await shop.app();
    await app.query('ALTER TABLE own.things ADD more int');
    await shop.rotate();
    await (await shop.app()).query('ALTER TABLE own.things ADD yet_more int');
  });

  test('objects in a database that the secret does not lead to are named; a copy leads there', async () => {
    const shop = await new Shop('near', 'first').prepared(`CREATE ROLE near_a LOGIN PASSWORD 'first'`);
    const root = await superuser();
    await root.query('CREATE DATABASE far OWNER near_a');
    const far = await connected('near_a', 'first', 'far');
    await far.query('CREATE TABLE moon (id int)');
    await expect(shop.turn()).rejects.toMatchObject({
      code: 'TargetRefused',
      message: expect.stringContaining('others are in far (1).'),
    });
    const both = new Shop('near', 'first', 'near_a', { FAR_URL: 'far' });
    await both.rotate();
    const app = await both.app(both.current, 'FAR_URL');
    await app.query('ALTER TABLE moon ADD side text');
    expect(await rowsOf(app, 'SELECT current_user AS me')).toEqual([{ me: 'near_owner' }]);
  });

  test('a role that was dropped meanwhile is made anew', async () => {
    const shop = await new Shop('dropped', 'first').prepared(`CREATE ROLE dropped_a LOGIN PASSWORD 'first'`);
    await shop.rotate();
    const root = await superuser('dropped');
    await root.query(
      'DROP OWNED BY dropped_a; DROP ROLE dropped_a; DROP OWNED BY dropped_b; DROP ROLE dropped_b',
    );
    await shop.turn();
    expect(await rowsOf(await shop.app(), 'SELECT session_user AS me')).toEqual([{ me: 'dropped_a' }]);
  });

  test.each([
    [
      'a superuser',
      'ALTER ROLE %_a SUPERUSER',
      'The role odd1_a must not be a superuser: the two users would share all of its rights; it is one.',
    ],
    [
      'an owner that logs in',
      'CREATE ROLE %_owner LOGIN',
      'The role odd2_owner, which both users belong to, must not be able to log in; it is.',
    ],
  ])('%s is refused', async (_what, sql, message) => {
    const name = /odd\d/.exec(message)?.[0] ?? '';
    const shop = await new Shop(name, 'first').prepared(`CREATE ROLE ${name}_a LOGIN PASSWORD 'first'`);
    await (await superuser()).query(sql.replace('%', name));
    await expect(shop.turn()).rejects.toMatchObject({ code: 'TargetRefused', message });
  });
});

describe('the evidence', () => {
  test('sessions of the old user are counted by their names, and ended when that is asked for', async () => {
    const shop = await new Shop('seen', 'first').prepared(`CREATE ROLE seen_a LOGIN PASSWORD 'first'`);
    await shop.rotate();
    const pools = [
      await shop.app(undefined, undefined, 'worker'),
      await shop.app(undefined, undefined, 'worker'),
      await shop.app(undefined, undefined, 'x\npostgres://u:p@h'),
    ];
    await shop.turn();
    const uses = () => shop.bound.oldValue?.uses(shop.old());
    expect(await uses()).toEqual([
      { by: 'worker', sessions: 2 },
      { by: 'x?x0apostgres?//u?p?h', sessions: 1 },
    ]);
    await pools.pop()?.end();
    await vi.waitUntil(async () => (await uses())?.length === 1, { timeout: 20_000 });
    await shop.bound.oldValue?.endUses(shop.old());
    await vi.waitUntil(async () => (await uses())?.length === 0, { timeout: 20_000 });
    await expect(pools[0]?.query('SELECT 1')).rejects.toThrow();
  });

  test('where the old user is in use again, only what is older than the new password counts', async () => {
    const shop = await new Shop('again', 'first').prepared(`CREATE ROLE again_a LOGIN PASSWORD 'first'`);
    const before = shop.current;
    await shop.app(undefined, undefined, 'stale');
    await shop.turn();
    await shop.turn();
    const root = await superuser();
    const [row] = await rowsOf(root, 'SELECT clock_timestamp() AS now');
    await shop.app(undefined, undefined, 'fresh');
    const asked = { document: shop.current, old: before, since: { at: row?.now as Date, mark: null } };
    expect(await shop.bound.oldValue?.uses(asked)).toEqual([{ by: 'stale', sessions: 1 }]);
    await shop.bound.oldValue?.disable(asked);
    expect(await shop.bound.accepts?.(shop.current)).toBe(true);
    expect(await shop.bound.accepts?.(before)).toBe(false);
    await shop.bound.oldValue?.endUses(asked);
    await vi.waitUntil(async () => (await shop.bound.oldValue?.uses(asked))?.length === 0, {
      timeout: 20_000,
    });
    expect(
      await rowsOf(root, "SELECT application_name AS left FROM pg_stat_activity WHERE usename = 'again_a'"),
    ).toEqual([{ left: 'fresh' }]);
  });

  test('to disable twice, or a role that is gone, does no harm', async () => {
    const shop = await new Shop('twice', 'first').prepared(`CREATE ROLE twice_a LOGIN PASSWORD 'first'`);
    await shop.rotate();
    await shop.retire();
    const root = await superuser('twice');
    await root.query('DROP OWNED BY twice_a; DROP ROLE twice_a');
    await shop.retire();
    await shop.rotate();
  });
});

test('no password in the log of the server, in any form', async () => {
  const shop = await new Shop('logged', 'first').prepared(`CREATE ROLE logged_a LOGIN PASSWORD 'first'`);
  for (let round = 0; round < 3; round += 1) await shop.rotate();
  const mark = Buffer.from(random.bytes(8)).toString('hex');
  await (await superuser()).query(`SELECT '${mark}'`);
  await vi.waitUntil(async () => (await server.log()).includes(mark), { timeout: 20_000, interval: 20 });
  const log = await server.log();
  expect(log.match(/ALTER ROLE "logged_[ab]" LOGIN/g)).toHaveLength(3);
  expect(shop.passwords).toHaveLength(3);
  for (const password of shop.passwords) {
    for (const form of ['base64', 'base64url', 'hex'] as const) {
      expect(log).not.toContain(Buffer.from(password).toString(form).replace(/=+$/, ''));
    }
    for (let at = 0; at + 8 <= password.length; at += 1)
      expect(log).not.toContain(password.slice(at, at + 8));
  }
});
