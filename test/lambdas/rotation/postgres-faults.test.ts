/**
 * The faults F1–F8, S1 and S2 of `reliability.md` section 2, on a real PostgreSQL: where AWS's template was seen to
 * fail, a rotation of ours ends well. And what networks, servers and people do besides.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { random } from '../../../lambdas/adapters/platform.ts';
import { postgresTarget } from '../../../lambdas/adapters/postgres/target.ts';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { Target } from '../../../lambdas/contract/target.ts';
import { type Postgres, startPostgres } from '../../../lib/rehearsal/postgres.ts';
import { Account, type StepName } from './account.ts';

let server: Postgres;
let root: Client;
const target = postgresTarget(random);
const masterPassword = 'password-of-the-master';
const first = (name: string) => `first-password-of-${name}`;
/** Every password that was ever in a secret here. */
const seen = new Set<string>();

async function reconnected(): Promise<void> {
  root = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  root.on('error', () => {});
  await root.connect();
}
beforeAll(async () => {
  // What was committed survives a killed backend, as on a server of a deployment.
  const settings = { log_statement: 'all', log_connections: 'on', synchronous_commit: 'on' };
  server = await startPostgres({ settings });
  await reconnected();
  await root.query(`CREATE ROLE master LOGIN CREATEROLE PASSWORD '${masterPassword}'`);
}, 60_000);
afterAll(async () => {
  await root?.end();
  await server?.stop();
});

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
  readonly options?: object;
  readonly port?: number;
  readonly through?: Target;
  readonly admin?: () => string;
}

/** A user and its secret, with one user or two. */
async function account(kind: 'single' | 'pair', wanted: Wanted = {}): Promise<Account> {
  const name = `u${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const user = kind === 'single' ? name : `${name}_a`;
  await root.query(
    `CREATE ROLE ${user} LOGIN PASSWORD '${first(name)}'; GRANT ${user} TO master WITH ADMIN TRUE`,
  );
  const pair = {
    users: [`${name}_a`, `${name}_b`],
    owner: `${name}_owner`,
    admin: { user: 'master', password: { secret: 'master', member: 'password' } },
  };
  const made = new Account(
    {
      dsn: 'DATABASE_URL',
      tls: { authorities: { pem: server.ca ?? '' } },
      ...(kind === 'pair' ? pair : {}),
      ...wanted.options,
    },
    {
      target: wanted.through ?? target,
      credential: async () => new Sensitive(wanted.admin?.() ?? masterPassword),
    },
  );
  accounts.push(made);
  const url = `postgres://${user}:${first(name)}@localhost:${wanted.port ?? server.port}/postgres?sslmode=require`;
  return made.created(JSON.stringify({ DATABASE_URL: url }));
}

/** Whether a consumer that reads this version could log in now. */
async function works(of: Account, version = 'AWSCURRENT'): Promise<boolean> {
  const url = new URL(of.document(version).value('DATABASE_URL').reveal());
  const client = new Client({
    host: 'localhost',
    port: server.port,
    user: url.username,
    password: url.password,
    database: 'postgres',
    ssl: { ca: server.ca ?? '' },
  });
  client.on('error', () => {});
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  );
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

describe('F1: between set and finish', () => {
  test('two users: what is current works at every instant', async () => {
    const shop = await account('pair');
    const worked: string[] = [];
    shop.before = async (step) => {
      worked.push(`${step} ${await works(shop)}`);
    };
    await shop.rotate();
    expect(worked).toEqual(['createSecret true', 'setSecret true', 'testSecret true', 'finishSecret true']);
    expect(await works(shop)).toBe(true);
    // The one before works until the rollout has seen that nothing uses it.
    expect(await works(shop, 'AWSPREVIOUS')).toBe(true);
  });

  test('one user: the time is measured, and told', async () => {
    const shop = await account('single');
    const worked: boolean[] = [];
    shop.before = async () => {
      worked.push(await works(shop));
    };
    await shop.rotate();
    expect(worked).toEqual([true, true, false, false]);
    expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, false]);
    const [finished] = shop.events;
    expect(finished).toMatchObject({ type: 'Rotation Finished', detail: { plan: 'redeploy-and-prove' } });
    expect(Number(finished?.detail.gapSeconds)).toBeGreaterThan(0);
  });
});

describe('F2: a rotation that is cancelled after set', () => {
  test('leaves the only working password in a version without labels, where the next rotation finds it', async () => {
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
    const from = shop.gate.trace.length;
    await shop.asOperator('RotateSecret', {
      RotationLambdaARN: 'arn:aws:lambda:eu-central-1:111122223333:function:rotation',
      ClientRequestToken: randomUUID(),
    });
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
    expect(shop.gate.trace.slice(from).filter((call) => call === 'ListSecretVersionIds')).toHaveLength(1);
  });

  test('and nobody looks there while anything else works', async () => {
    const shop = await account('single');
    await shop.rotate();
    expect(shop.gate.trace).not.toContain('ListSecretVersionIds');
    // Secrets Manager calls of the four steps in a warm container.
    const from = shop.gate.trace.length;
    await shop.rotate();
    expect(shop.gate.trace.slice(from).length).toBeLessThanOrEqual(8);
  });
});

describe.each(bothKinds)('F3, a value typed in the console between set and finish, with a %s', (kind) => {
  test('is not overwritten in silence, the original keeps a label, and the next rotation ends well', async () => {
    const shop = await account(kind);
    const original = shop.versions().find(({ labels }) => labels.includes('AWSCURRENT'))?.id ?? '';
    const release = holding(shop, 'finishSecret');
    const token = await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    const typed = shop
      .document()
      .value('DATABASE_URL')
      .reveal()
      .replace(/:first[^@]*@/, ':typed-by-somebody@');
    await shop.asOperator('PutSecretValue', {
      ClientRequestToken: randomUUID(),
      SecretString: JSON.stringify({ DATABASE_URL: typed }),
    });
    release();
    expect(await shop.step('finishSecret', token)).toMatchObject({ ok: false });
    expect(shop.document().value('DATABASE_URL').reveal()).toBe(typed);
    expect(shop.labelsOf(original)).toEqual(['AWSPREVIOUS']);
    // What a person would be told to do: clear the pending version, rotate again.
    for (const { id, labels } of shop.versions()) {
      if (!labels.includes('AWSPENDING')) continue;
      await shop.asOperator('UpdateSecretVersionStage', {
        VersionStage: 'AWSPENDING',
        RemoveFromVersionId: id,
      });
    }
    await shop.rotate();
    expect(await works(shop)).toBe(true);
  });
});

describe('steps that come otherwise than they should', () => {
  test('F4: eight createSecret at once all end well, and store one value', async () => {
    const shop = await account('single');
    const release = holding(shop, 'createSecret');
    const token = await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    release();
    const results = await Promise.all(Array.from({ length: 8 }, () => shop.step('createSecret', token)));
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    await shop.until('succeeded');
    expect(
      shop
        .versions()
        .filter(({ labels }) => labels.includes('AWSCURRENT'))
        .map(({ id }) => id),
    ).toEqual([token]);
    expect(await works(shop)).toBe(true);
  });

  test.each(bothKinds)(
    'F5, with a %s: every step three times in order, and once more in a fresh container',
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

  test.each(bothKinds)('F6, with a %s: finish straight after create promotes nothing', async (kind) => {
    const shop = await account(kind);
    const release = holding(shop, 'setSecret');
    const token = await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    expect(await shop.step('finishSecret', token)).toMatchObject({
      ok: false,
      errorType: 'CredentialRejected',
    });
    expect([shop.labelsOf(token), await works(shop)]).toEqual([['AWSPENDING'], true]);
    release();
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
  });

  test('F7: a schedule that is saved tests a copy, and changes nothing', async () => {
    const shop = await account('single');
    const before = shop.versions();
    await shop.asOperator('RotateSecret', { RotateImmediately: false, ClientRequestToken: randomUUID() });
    await vi.waitUntil(() => shop.run?.kind === 'test' && shop.run.status !== 'running', { timeout: 20_000 });
    expect([shop.run?.status, shop.versions(), await works(shop)]).toEqual(['succeeded', before, true]);
  });

  test('F8: a secret that is no JSON is told of without its content', async () => {
    const shop = await account('single');
    const canary = `canary-${randomUUID()}`;
    await shop.asOperator('PutSecretValue', {
      ClientRequestToken: randomUUID(),
      SecretString: `{"DATABASE_URL": "postgres://app:${canary}@localhost/postgres`,
    });
    await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    expect(shop.failures()[0]).toBe('DocumentInvalid');
    const printed = shop.printed.join('\n');
    expect(printed).toContain('must be a JSON object of strings; it is not JSON.');
    for (let at = 0; at + 8 <= canary.length; at += 1)
      expect(printed).not.toContain(canary.slice(at, at + 8));
    await shop.asOperator('CancelRotateSecret');
  });
});

test('S1: to a server without TLS nothing is sent, and nothing is changed', async () => {
  const shop = await account('single');
  const sent: Buffer[] = [];
  const plain = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      sent.push(bytes);
      socket.write('N');
    });
  });
  closing.push(plain);
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as AddressInfo;
  const url = shop.document().value('DATABASE_URL').reveal().replace(`:${server.port}`, `:${port}`);
  await shop.asOperator('PutSecretValue', {
    ClientRequestToken: randomUUID(),
    SecretString: JSON.stringify({ DATABASE_URL: url.replace('sslmode=require', 'sslmode=disable') }),
  });
  await shop.begin();
  await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
  await shop.asOperator('CancelRotateSecret');
  expect(new Set(shop.failures())).toEqual(new Set(['TargetTlsFailed']));
  // SSLRequest (PostgreSQL documentation, section 55.7), and no byte more.
  expect(new Set(sent.map((bytes) => bytes.toString('hex')))).toEqual(new Set(['0000000804d2162f']));
});

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
  proxy.on('close', () => {
    for (const socket of all) socket.destroy();
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

describe('a password that is sent, and a connection that is lost', () => {
  test.each([
    ['before it was changed', 'CurrentWorks'],
    ['after it was changed', 'PendingWorks'],
    ['because an administrator ended the session', 'CurrentWorks'],
  ])('%s: the rotation ends well', async (when, left) => {
    const way = await cuttable();
    const shop = await account('single', { port: way.port });
    const user = new URL(shop.document().value('DATABASE_URL').reveal()).username;
    const blocker = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
    await blocker.connect();
    await blocker.query(`BEGIN; ALTER ROLE ${user} CONNECTION LIMIT 50`);
    const token = await shop.begin();
    const waiting = async () => {
      const { rows } = await root.query(
        "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND wait_event_type = 'Lock' AND query LIKE 'ALTER ROLE%'",
        [user],
      );
      return rows[0]?.pid as number | undefined;
    };
    await vi.waitUntil(async () => (await waiting()) !== undefined, { timeout: 20_000 });
    const pid = await waiting();
    const release = holding(shop, 'setSecret');
    if (when.startsWith('because')) await root.query('SELECT pg_terminate_backend($1)', [pid]);
    else way.cut();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    if (when.startsWith('before')) await root.query('SELECT pg_terminate_backend($1, 20000)', [pid]);
    await blocker.query('ROLLBACK');
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
      await reconnected();
    };
    await shop.rotate();
    expect([restarted, await works(shop)]).toEqual([true, true]);
  });

  test('loses every session because one of its backends was killed', async () => {
    const shop = await account(kind);
    let killed = false;
    shop.before = async (step) => {
      if (step !== 'testSecret' || killed) return;
      killed = true;
      const recoveries = async () => (await server.log()).split('ready to accept connections').length;
      const before = await recoveries();
      const victim = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
      const ended = new Promise<void>((resolve) => victim.once('end', resolve));
      victim.on('error', () => {});
      await victim.connect();
      const { rows } = await victim.query('SELECT pg_backend_pid() AS pid');
      process.kill(Number(rows[0]?.pid), 'SIGKILL');
      await ended;
      // The server ends the other sessions as well, and recovers: until then it lets nobody in.
      await vi.waitUntil(async () => (await recoveries()) > before, { timeout: 20_000 });
      await reconnected();
    };
    await shop.rotate();
    expect([killed, await works(shop)]).toEqual([true, true]);
  });

  test('takes no writes: nothing changed, and it is said which server is meant', async () => {
    const shop = await account(kind);
    const set = async (to: string) => {
      await root.query(`ALTER SYSTEM SET default_transaction_read_only = ${to}`);
      await root.query('SELECT pg_reload_conf()');
      await vi.waitUntil(
        async () => {
          const probe = new Client({
            connectionString: server.url('postgres'),
            ssl: { ca: server.ca ?? '' },
          });
          await probe.connect();
          const { rows } = await probe.query('SHOW default_transaction_read_only');
          await probe.end();
          return rows[0]?.default_transaction_read_only === to;
        },
        { timeout: 20_000 },
      );
    };
    await set('on');
    try {
      const token = await shop.begin();
      await vi.waitUntil(() => shop.failures().length > 1, { timeout: 20_000 });
      expect(new Set(shop.failures())).toEqual(new Set(['TargetReadOnly']));
      expect([await works(shop), await works(shop, token)]).toEqual([true, false]);
    } finally {
      await root.query('SET default_transaction_read_only = off');
      await set('off');
    }
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
  });
});

test('a role that was dropped: every password is refused, and the sentence says so', async () => {
  const shop = await account('single');
  const user = new URL(shop.document().value('DATABASE_URL').reveal()).username;
  await root.query(`DROP ROLE ${user}`);
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

test.each([
  ['a master user', 'CREATEROLE'],
  ['a superuser', 'SUPERUSER'],
])(
  '%s rotates by itself, and the users that it prepares rotate with its new password',
  async (_what, rights) => {
    const user = `admin${randomUUID().replaceAll('-', '').slice(0, 8)}`;
    await root.query(`CREATE ROLE ${user} LOGIN ${rights} PASSWORD '${first(user)}'`);
    const own = new Account(
      { dsn: 'ADMIN_URL', tls: { authorities: { pem: server.ca ?? '' } } },
      { target, credential: () => Promise.reject(new Error('nobody else is asked')) },
    );
    accounts.push(own);
    const url = `postgres://${user}:${first(user)}@localhost:${server.port}/postgres`;
    await own.created(JSON.stringify({ ADMIN_URL: url }));
    const passwordNow = () => new URL(own.document().value('ADMIN_URL').reveal()).password;
    const shop = await account('pair', {
      admin: passwordNow,
      options: { admin: { user, password: { secret: 'own', member: 'password' } } },
    });
    const appUser = new URL(shop.document().value('DATABASE_URL').reveal()).username;
    await root.query(`GRANT ${appUser} TO ${user} WITH ADMIN TRUE`);
    await own.rotate();
    expect(passwordNow()).not.toBe(first(user));
    await shop.rotate();
    expect(await works(shop)).toBe(true);
    expect(shop.failures()).toEqual([]);
  },
);

test('a rotation takes two connections and no refused login, be it of one user or of two', async () => {
  const connections = (text: string) => text.match(/connection received/g)?.length ?? 0;
  const refused = (text: string) => text.match(/authentication failed/g)?.length ?? 0;
  for (const [kind] of bothKinds) {
    const shop = await account(kind);
    const before = await logSoFar();
    await shop.rotate();
    const after = await logSoFar();
    expect([kind, connections(after) - connections(before), refused(after) - refused(before)]).toEqual([
      kind,
      2,
      0,
    ]);
  }
});

/** What the server has logged, up to and including this moment. */
async function logSoFar(): Promise<string> {
  const mark = `mark ${randomUUID()}`;
  await root.query(`SELECT '${mark}'`);
  await vi.waitUntil(async () => (await server.log()).includes(mark), { timeout: 20_000, interval: 20 });
  return server.log();
}

test('S2: with log_statement = all, no password of any rotation is in the log, in any form', async () => {
  const log = await logSoFar();
  const passwords = [...seen].filter((password) => /^[A-Za-z0-9]{40}$/.test(password));
  expect(passwords.length).toBeGreaterThan(20);
  expect(log.match(/ALTER ROLE .* PASSWORD 'SCRAM-SHA-256\$/g)?.length).toBeGreaterThan(20);
  for (const password of passwords) {
    for (const form of ['base64', 'base64url', 'hex'] as const) {
      expect(log).not.toContain(Buffer.from(password).toString(form).replace(/=+$/, ''));
    }
    for (let at = 0; at + 8 <= password.length; at += 1)
      expect(log).not.toContain(password.slice(at, at + 8));
  }
});
