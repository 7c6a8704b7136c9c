/** Whole rotations through the real steps on a real MariaDB, and what networks, servers and people do besides. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Connection, createConnection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { mysqlTarget } from '../../../lambdas/adapters/mysql/target.ts';
import { random } from '../../../lambdas/adapters/platform.ts';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { completedTag } from '../../../lambdas/contract/marks.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { Target } from '../../../lambdas/contract/target.ts';
import { hasMariadb, type Mariadb, named, rowsOf, startMariadb } from '../adapters/mysql/mariadb.ts';
import { Account, type StepName } from './account.ts';

let server: Mariadb;
let root: Connection;
const target = mysqlTarget(random);
const masterPassword = 'password-of-the-master';
const first = (name: string) => `first-password-of-${name}`;
/** Every password that was ever in a secret here. */
const seen = new Set<string>();

const accounts: Account[] = [];
const closing: Server[] = [];
afterEach(() => {
  for (const account of accounts.splice(0)) {
    for (const { id } of account.versions()) {
      const password = account.passwordOf(id);
      if (password !== null) seen.add(password);
    }
    account.close();
  }
  for (const one of closing.splice(0)) one.close();
});

interface Wanted {
  readonly port?: number;
  readonly through?: Target;
  readonly admin?: () => string;
}

/** A user and its secret, with one user or two. */
async function account(kind: 'single' | 'pair', wanted: Wanted = {}): Promise<Account> {
  const name = `u${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const user = kind === 'single' ? name : `${name}_a`;
  await root.query(
    `CREATE USER ${user}@'%' IDENTIFIED BY '${first(name)}'; GRANT SELECT, INSERT ON shop.* TO ${user}@'%'`,
  );
  const pair = {
    users: [`${name}_a`, `${name}_b`],
    admin: { user: 'master', password: { secret: 'master', member: 'password' } },
  };
  const made = new Account(
    {
      engine: 'mysql',
      dsn: 'DATABASE_URL',
      tls: { authorities: { pem: server.ca } },
      tables: [{ table: 'orders', rights: ['SELECT', 'INSERT'] }],
      ...(kind === 'pair' ? pair : {}),
    },
    {
      target: wanted.through ?? target,
      credential: async () => new Sensitive(wanted.admin?.() ?? masterPassword),
    },
  );
  accounts.push(made);
  const url = `mysql://${user}:${first(name)}@localhost:${wanted.port ?? server.port}/shop`;
  return made.created(JSON.stringify({ DATABASE_URL: url }));
}

/** Whether a consumer that reads this version could log in now, and work. */
async function works(of: Account, version = 'AWSCURRENT'): Promise<boolean> {
  const url = new URL(of.document(version).value('DATABASE_URL').reveal());
  try {
    const client = await createConnection({
      host: 'localhost',
      port: server.port,
      user: url.username,
      password: url.password,
      database: 'shop',
      ssl: { ca: server.ca, verifyIdentity: true },
    });
    client.on('error', () => {});
    await client.query('INSERT INTO orders VALUES (1)');
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/** What the rollout does at its end. */
async function completed(of: Account, kind: 'single' | 'pair'): Promise<void> {
  const userOf = (label: string) => new URL(of.document(label).value('DATABASE_URL').reveal()).username;
  if (kind === 'pair') {
    const session = await target.login({
      engine: 'mysql',
      host: 'localhost',
      port: server.port,
      user: 'master',
      password: new Sensitive(masterPassword),
      database: '',
      tls: { authorities: { pem: server.ca } },
    });
    await session.disableLogin(userOf('AWSPREVIOUS')).finally(() => session.end());
  }
  const current = of.versions().find(({ labels }) => labels.includes('AWSCURRENT'));
  await of.asOperator('TagResource', { Tags: [{ Key: completedTag, Value: current?.id ?? '' }] });
}

const bothKinds = [['single'], ['pair']] as const;

/** Refuses every invocation of this step until it is told not to. */
function holding(of: Account, step: StepName): () => void {
  let holds = true;
  of.before = (one) => {
    if (holds && one === step) throw new Error('the function is not deployed');
  };
  return () => {
    holds = false;
  };
}

/** Refuses every invocation after one that failed, until it is told not to. */
function heldOnceFailed(of: Account): () => void {
  let holds = true;
  of.before = () => {
    if (holds && of.failures().length > 0) throw new Error('the function is not deployed');
  };
  return () => {
    holds = false;
  };
}

/** Ends the first session that changes a password, from the server's side: `changed` tells whether it has done so. */
function killing(changed: boolean): { readonly target: Target; readonly killed: number } {
  let killed = 0;
  const ofUser = (user: string) =>
    rowsOf(root, `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = '${user}'`);
  const around = async (user: string, change: () => Promise<void>) => {
    if (killed > 0) return change();
    if (changed) await change();
    const sessions = await ofUser(user);
    for (const session of sessions as { id: number }[]) await root.query(`KILL CONNECTION ${session.id}`);
    killed += sessions.length;
    await vi.waitUntil(async () => (await ofUser(user)).length === 0, { timeout: 20_000 });
    // On the session that is gone: this fails as the first statement does whose answer is lost.
    await change();
  };
  return {
    target: {
      async login(login) {
        const session = await target.login(login);
        return {
          ...session,
          changePassword: (password) => around(login.user, () => session.changePassword(password)),
          preparePair: (pair) => around(login.user, () => session.preparePair(pair)),
        };
      },
    },
    get killed() {
      return killed;
    },
  };
}

/** A way to the server that can be cut on this side only: what was sent has arrived. */
async function cuttable(): Promise<{ readonly port: number; cut(): void }> {
  const clients = new Set<Socket>();
  const all = new Set<Socket>();
  const proxy = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      all.add(socket);
      socket.on('error', () => {});
    }
    clients.add(client);
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('end', () => upstream.end());
    upstream.on('close', () => client.destroy());
  });
  const close = proxy.close.bind(proxy);
  proxy.close = (done) => {
    for (const socket of all) socket.destroy();
    return close(done);
  };
  closing.push(proxy);
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    cut() {
      for (const client of clients) client.destroy();
      clients.clear();
    },
  };
}

describe.skipIf(!hasMariadb)(named('a real MariaDB'), () => {
  beforeAll(async () => {
    server = await startMariadb();
    root = await server.root();
    await root.query(`
      CREATE DATABASE shop; CREATE TABLE shop.orders (id int);
      CREATE USER master@'%' IDENTIFIED BY '${masterPassword}';
      GRANT SELECT, INSERT, CREATE USER, PROCESS, CONNECTION ADMIN ON *.* TO master@'%' WITH GRANT OPTION`);
  }, 60_000);
  afterAll(async () => {
    await root?.end();
    await server?.stop();
  });

  test.each(bothKinds)(
    'five rotations with a %s: every one ends, with two connections and no refused login',
    async (kind) => {
      const shop = await account(kind);
      for (let round = 0; round < 5; round += 1) {
        const before = (await server.log()).length;
        await shop.rotate();
        const log = (await server.log()).slice(before);
        expect(log.match(/ Connect\t[^A]/g)).toHaveLength(2);
        expect(log).not.toContain('Access denied');
        expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, kind === 'pair']);
        await completed(shop, kind);
        expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, false]);
      }
      expect(shop.failures()).toEqual([]);
    },
  );

  test.each(bothKinds)(
    'every step three times in order, and once more in a fresh container, with a %s',
    async (kind) => {
      const shop = await account(kind);
      const repeated: string[] = [];
      let depth = 0;
      shop.before = async (step) => {
        if (depth > 0) return;
        depth += 1;
        const token = shop.run?.token ?? '';
        for (let time = 0; time < 2; time += 1) repeated.push(String((await shop.step(step, token)).ok));
        shop.recycle();
        repeated.push(String((await shop.step(step, token)).ok));
        depth -= 1;
      };
      await shop.rotate();
      expect(repeated).toEqual(Array.from({ length: 12 }, () => 'true'));
      expect(await works(shop)).toBe(true);
    },
  );

  test('two users: what is current works at every instant', async () => {
    const shop = await account('pair');
    const worked: string[] = [];
    shop.before = async (step) => {
      worked.push(`${step} ${await works(shop)}`);
    };
    await shop.rotate();
    expect(worked).toEqual(['createSecret true', 'setSecret true', 'testSecret true', 'finishSecret true']);
  });

  test('one user, cancelled after set: the next rotation finds the only password that works', async () => {
    const shop = await account('single');
    const release = holding(shop, 'testSecret');
    const lost = await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    await shop.asOperator('CancelRotateSecret');
    await shop.asOperator('UpdateSecretVersionStage', {
      VersionStage: 'AWSPENDING',
      RemoveFromVersionId: lost,
    });
    expect([shop.labelsOf(lost), await works(shop), await works(shop, lost)]).toEqual([[], false, true]);
    release();
    await shop.asOperator('RotateSecret', {
      RotationLambdaARN: 'arn:aws:lambda:eu-central-1:111122223333:function:rotation',
      ClientRequestToken: randomUUID(),
    });
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
  });

  test.each([
    ['before it was changed', 'CurrentWorks'],
    ['after it was changed', 'PendingWorks'],
    ['because an administrator ended the session', 'CurrentWorks'],
  ])('a password is sent, and the connection lost %s: the rotation ends well', async (when, left) => {
    const way = await cuttable();
    const shop = await account('single', { port: way.port });
    const user = new URL(shop.document().value('DATABASE_URL').reveal()).username;
    const blocker = await server.root();
    await blocker.query('LOCK TABLES mysql.global_priv WRITE');
    const token = await shop.begin();
    const waiting = async () => {
      const [row] = await rowsOf(
        root,
        `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = '${user}' AND INFO LIKE 'SET PASSWORD%'`,
      );
      return (row as { id?: number } | undefined)?.id;
    };
    await vi.waitUntil(async () => (await waiting()) !== undefined, { timeout: 20_000 });
    const id = await waiting();
    const release = holding(shop, 'setSecret');
    if (when.startsWith('because')) await root.query(`KILL CONNECTION ${id}`);
    else way.cut();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    if (when.startsWith('before')) await root.query(`KILL CONNECTION ${id}`).catch(() => {});
    if (!when.startsWith('after')) {
      await vi.waitUntil(async () => (await waiting()) === undefined, { timeout: 20_000 });
    }
    await blocker.query('UNLOCK TABLES');
    await blocker.end();
    const working = async () =>
      (await works(shop, token)) ? 'PendingWorks' : (await works(shop)) ? 'CurrentWorks' : '';
    await vi.waitUntil(async () => (await working()) === left, { timeout: 20_000 });
    expect(['TargetUnreachable', 'TargetNotReady']).toContain(shop.failures()[0]);
    release();
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
  });

  test('two users: prepared, and the answer is lost', async () => {
    let losses = 2;
    const losing: Target = {
      async login(login) {
        const session = await target.login(login);
        return {
          ...session,
          async preparePair(pair) {
            await session.preparePair(pair);
            losses -= 1;
            if (losses < 0) return;
            throw new KeyturnError({ code: 'TargetUnreachable', message: 'No answer.', retryable: true });
          },
        };
      },
    };
    const shop = await account('pair', { through: losing });
    await shop.rotate();
    expect(shop.failures()).toEqual(['TargetUnreachable', 'TargetUnreachable']);
    expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, true]);
  });

  describe.each(bothKinds)('a server that does not do what it is asked, with a %s', (kind) => {
    test('restarts in the middle of the rotation', async () => {
      const shop = await account(kind);
      let restarted = false;
      shop.before = async (step) => {
        if (step !== 'testSecret' || restarted) return;
        restarted = true;
        await root.end();
        await server.restart();
        root = await server.root();
      };
      await shop.rotate();
      expect([restarted, await works(shop)]).toEqual([true, true]);
    });

    test.each([
      ['before the change', false],
      ['after the change, so that its answer is lost', true],
    ])('kills the session of the rotation %s', async (_when, changed) => {
      const way = killing(changed);
      const shop = await account(kind, { through: way.target });
      const release = holding(shop, 'testSecret');
      const token = await shop.begin();
      await vi.waitUntil(() => shop.failures().length > 1, { timeout: 20_000 });
      expect(way.killed).toBe(1);
      expect(['TargetUnreachable', 'TargetNotReady']).toContain(shop.failures()[0]);
      // The retry has set it, whatever the killed session had done; a user alone has one password at any time.
      expect([await works(shop), await works(shop, token)]).toEqual([kind === 'pair', true]);
      release();
      await shop.until('succeeded');
      expect([await works(shop), shop.labelsOf(token)]).toEqual([true, ['AWSCURRENT']]);
    });

    test('kills the session of the rotation, and the function is gone: what is current or what is pending works', async () => {
      for (const changed of [false, true]) {
        const shop = await account(kind, { through: killing(changed).target });
        const release = heldOnceFailed(shop);
        const token = await shop.begin();
        await vi.waitUntil(() => shop.failures().length > 1, { timeout: 20_000 });
        expect([changed, await works(shop), await works(shop, token)]).toEqual(
          kind === 'pair' ? [changed, true, changed] : [changed, !changed, changed],
        );
        release();
        await shop.until('succeeded');
        expect(await works(shop)).toBe(true);
      }
    });

    test('takes no writes: nothing changed, and it is said which server is meant', async () => {
      const shop = await account(kind);
      await root.query('SET GLOBAL read_only = 1');
      const token = await shop.begin();
      await vi.waitUntil(() => shop.failures().length > 1, { timeout: 20_000 });
      expect(new Set(shop.failures())).toEqual(new Set(['TargetReadOnly']));
      await root.query('SET GLOBAL read_only = 0');
      expect(shop.labelsOf(token)).toEqual(['AWSPENDING']);
      await shop.until('succeeded');
      expect(await works(shop)).toBe(true);
    });
  });

  test('a user that was dropped: every password is refused, and the sentence says so', async () => {
    const shop = await account('single');
    const user = new URL(shop.document().value('DATABASE_URL').reveal()).username;
    await root.query(`DROP USER ${user}@'%'`);
    await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    expect(new Set(shop.failures())).toEqual(new Set(['CredentialRejected']));
    expect(shop.printed.join('\n')).toContain(
      `The server lets ${user} in with none of the 2 passwords that the secret holds.`,
    );
    await shop.asOperator('CancelRotateSecret');
  });

  test('a wrong password of the administrator touches nothing, and once it is right the rotation ends well', async () => {
    let password = 'wrong';
    const shop = await account('pair', { admin: () => password });
    await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 1, { timeout: 20_000 });
    expect([new Set(shop.failures()), await works(shop)]).toEqual([new Set(['AdministratorRejected']), true]);
    password = masterPassword;
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
  });

  test('no password of any rotation is in the general log, in any form', async () => {
    const log = await server.log();
    const passwords = [...seen].filter((password) => /^[A-Za-z0-9]{40}$/.test(password));
    expect(passwords.length).toBeGreaterThan(20);
    expect(
      log.match(/SET PASSWORD = '\*|IDENTIFIED VIA mysql_native_password USING '\*/g)?.length,
    ).toBeGreaterThan(20);
    for (const password of passwords) {
      for (const form of ['base64', 'base64url', 'hex'] as const) {
        expect(log).not.toContain(Buffer.from(password).toString(form).replace(/=+$/, ''));
      }
      for (let at = 0; at + 8 <= password.length; at += 1) {
        expect(log).not.toContain(password.slice(at, at + 8));
      }
    }
  });
});
