/** Passwords of users on a real Redis: two at a time, by their hashes, saved, and dropped. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { Redis as Client } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectRedis, type RedisClient } from '../../../../lambdas/adapters/redis/connect.ts';
import type { ManagedUsers } from '../../../../lambdas/adapters/redis/elasticache.ts';
import { saved } from '../../../../lambdas/adapters/redis/persistence.ts';
import { redisTarget } from '../../../../lambdas/adapters/redis/target.ts';
import { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import type { TargetLogin, TargetSession } from '../../../../lambdas/contract/target.ts';
import { noRedis, type Redis, type RedisOptions, startRedis } from '../../../../lib/rehearsal/redis.ts';

const absent = noRedis();
const missing = absent === null ? '' : ` (not run: ${absent})`;

const warnings: string[] = [];
const target = redisTarget({
  clock: { now: () => new Date() },
  warn: (text) => void warnings.push(text),
  managed: {
    count: () => Promise.reject(new Error('no user is managed here')),
    set: () => Promise.reject(new Error('no user is managed here')),
  },
});

const servers: Redis[] = [];
const clients: RedisClient[] = [];
async function started(options: RedisOptions = {}): Promise<Redis> {
  const server = await startRedis(options);
  servers.push(server);
  return server;
}
afterAll(async () => {
  for (const client of clients) await client.end();
  for (const server of servers) await server.stop();
});

const loginTo = (server: Redis, changes: Partial<TargetLogin> = {}): TargetLogin => ({
  engine: 'redis',
  host: 'localhost',
  port: server.port,
  user: 'default',
  password: new Sensitive(server.password),
  database: '0',
  tls: server.ca === null ? 'off' : { authorities: { pem: server.ca } },
  ...changes,
});
async function opened(login: TargetLogin): Promise<RedisClient> {
  const client = await connectRedis(login);
  clients.push(client);
  return client;
}
/** `yes`, or the code of what came instead. */
async function letsIn(login: TargetLogin): Promise<string> {
  try {
    await (await target.login(login)).end();
    return 'yes';
  } catch (caught) {
    if (caught instanceof KeyturnError) return caught.code;
    throw caught;
  }
}
async function refusal(work: Promise<unknown>): Promise<KeyturnError> {
  const caught = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (caught instanceof KeyturnError) return caught;
  throw new Error('it was not refused');
}
const fresh = () => new Sensitive(randomBytes(30).toString('base64url'));
/** With a session of this login. */
async function within<T>(
  login: TargetLogin,
  work: (session: Awaited<ReturnType<typeof target.login>>) => Promise<T>,
): Promise<T> {
  const session = await target.login(login);
  return work(session).finally(() => session.end());
}

describe.skipIf(absent !== null)(`a user with two passwords${missing}`, () => {
  let server: Redis;
  let admin: RedisClient;
  beforeAll(async () => {
    server = await started();
    admin = await opened(loginTo(server));
    await admin.send('ACL', 'SETUSER', 'app', 'on', '>first-of-app', '~*', '+@all');
  }, 60_000);

  test.each(['default', 'app'])('%s: both work, then one; open sessions go on', async (user) => {
    const [first, second] = [
      user === 'app' ? new Sensitive('first-of-app') : new Sensitive(server.password),
      fresh(),
    ];
    const before = loginTo(server, { user, password: first });
    const after = loginTo(server, { user, password: second });
    const open = await opened(before);
    await within(before, (session) => session.addPassword(user, second));
    // The same again changes nothing.
    await within(before, (session) => session.addPassword(user, second));
    expect([await letsIn(before), await letsIn(after)]).toEqual(['yes', 'yes']);
    await within(after, (session) => session.keepOnly(user, second));
    await within(after, (session) => session.keepOnly(user, second));
    expect([await letsIn(before), await letsIn(after)]).toEqual(['CredentialRejected', 'yes']);
    expect(await open.send('PING')).toBe('PONG');
    const kept = (await open.send('ACL', 'GETUSER', user)) as unknown[];
    expect(kept[3]).toEqual([createHash('sha256').update(second.reveal()).digest('hex')]);
    // What is stored is what a restart brings back.
    if (user === 'default') {
      await within(after, (session) => session.addPassword('default', new Sensitive(server.password)));
    }
  });

  test('a user that is not there is not made', async () => {
    const error = await refusal(within(loginTo(server), (session) => session.addPassword('nobody', fresh())));
    expect(error).toMatchObject({ code: 'TargetRefused', retryable: false });
    expect(error.message).toContain('must have the user nobody');
    expect(await admin.send('ACL', 'USERS')).not.toContain('nobody');
  });

  test('a user that any password lets in is left as it is', async () => {
    await admin.send('ACL', 'SETUSER', 'open', 'on', 'nopass', '~*', '+@all');
    const error = await refusal(within(loginTo(server), (session) => session.addPassword('open', fresh())));
    expect([error.code, /any password/.test(error.message)]).toEqual(['TargetRefused', true]);
    expect(await letsIn(loginTo(server, { user: 'open', password: fresh() }))).toBe('yes');
  });

  test('a user without the right is told so, and nothing changes', async () => {
    await admin.send('ACL', 'SETUSER', 'modest', 'on', '>first-of-modest', '~*', '+ping', '+client|setname');
    const login = loginTo(server, { user: 'modest', password: new Sensitive('first-of-modest') });
    const next = fresh();
    const error = await refusal(within(login, (session) => session.addPassword('modest', next)));
    expect([error.code, error.hint]).toEqual(['PrivilegeMissing', expect.stringContaining('options.admin')]);
    expect(await letsIn({ ...login, password: next })).toBe('CredentialRejected');
    await within(loginTo(server), (session) => session.addPassword('modest', next));
    expect(await letsIn({ ...login, password: next })).toBe('yes');
  });

  test('what a user may do with a key is asked without doing it', async () => {
    await admin.send(
      'ACL',
      'SETUSER',
      'queue',
      'on',
      '>first-of-queue',
      '~bull:*',
      '+@transaction',
      '+set',
      '+incr',
    );
    const login = loginTo(server, { user: 'queue', password: new Sensitive('first-of-queue') });
    const wanted = [
      { table: 'bull:jobs', rights: ['SET', 'GET'] },
      { table: 'session:1', rights: ['SET'] },
    ];
    expect(await within(login, (session) => session.missingRights(wanted))).toEqual([
      'GET on bull:jobs',
      'SET on session:1',
    ]);
    // One that is right at once, so that nothing but the end of the transaction keeps it from running.
    const allowed = [{ table: 'bull:jobs', rights: ['INCR'] }];
    expect(await within(login, (session) => session.missingRights(allowed))).toEqual([]);
    expect(await admin.send('EXISTS', 'bull:jobs')).toBe(0);
  });

  test('open sessions are counted by what opened them and by their age, and ended', async () => {
    await admin.send('ACL', 'SETUSER', 'pool', 'on', '>first-of-pool', '~*', '+@all');
    const login = loginTo(server, { user: 'pool', password: new Sensitive('first-of-pool') });
    const old = await opened(login);
    await old.send('CLIENT', 'SETNAME', 'worker');
    const nameless = await opened(login);
    await nameless.send('CLIENT', 'SETNAME', '');
    await opened(loginTo(server));
    await within(login, async (session) => {
      expect(await session.uses({ user: 'pool' })).toEqual([
        { by: '127.0.0.1', sessions: 1 },
        { by: 'worker', sessions: 1 },
      ]);
      const long = { at: new Date(Date.now() - 60_000), mark: null };
      expect(await session.uses({ user: 'pool', openedBefore: long })).toEqual([]);
      const soon = { at: new Date(Date.now() + 60_000), mark: null };
      expect(await session.uses({ user: 'pool', openedBefore: soon })).toHaveLength(2);
      await session.endUses({ user: 'pool', openedBefore: long });
      expect(await old.send('PING')).toBe('PONG');
      await session.endUses({ user: 'pool', openedBefore: soon });
      await vi.waitUntil(async () => (await session.uses({ user: 'pool' })).length === 0, {
        timeout: 20_000,
      });
    });
    expect((await refusal(old.send('PING'))).code).toBe('TargetUnreachable');
    // Sessions of another user were left alone.
    expect(await admin.send('PING')).toBe('PONG');
  });

  test('a session from after the mark is no older one, whatever its age in whole seconds says', async () => {
    await admin.send('ACL', 'SETUSER', 'marked', 'on', '>of-marked', '~*', '+@all');
    const login = loginTo(server, { user: 'marked', password: new Sensitive('of-marked') });
    const stale = await opened(login);
    await stale.send('CLIENT', 'SETNAME', 'stale');
    const at = new Date();
    const mark = (await target.mark?.(login)) ?? null;
    expect(mark).toMatch(/^\d+@\w{40}$/);
    const fresh = await opened(login);
    await fresh.send('CLIENT', 'SETNAME', 'fresh');
    await within(login, async (session) => {
      const names = async (told: string | null) =>
        (await session.uses({ user: 'marked', openedBefore: { at, mark: told } })).map(({ by }) => by);
      expect(await names(mark)).toEqual(['stale']);
      expect(await names(null)).toEqual(['fresh', 'stale']);
      // Of another run of the server.
      expect(await names(`${mark}0`)).toEqual(['fresh', 'stale']);
    });
    // One who may not know it goes by the age.
    await admin.send('ACL', 'SETUSER', 'humble', 'on', '>of-humble', '~*', '+@all', '-info');
    const humble = loginTo(server, { user: 'humble', password: new Sensitive('of-humble') });
    expect(await target.mark?.(humble)).toBeNull();
  });

  test('a connection that has not logged in is nobody’s', async () => {
    const plain = await started({ tls: false });
    const socket = connect({ host: '127.0.0.1', port: plain.port });
    await once(socket, 'connect');
    await within(loginTo(plain), async (session) => {
      expect(await session.uses({ user: 'default' })).toEqual([]);
    });
    socket.destroy();
  });

  test('no monitor, slow log or ACL log holds a password', async () => {
    const lines: string[] = [];
    await admin.send('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    const watching = new Client({
      host: 'localhost',
      port: server.port,
      password: server.password,
      tls: { ca: server.ca ?? '' },
    });
    const monitor = await watching.monitor();
    monitor.on('monitor', (_time: string, words: string[]) => lines.push(words.join(' ')));
    const [second, wrong] = [fresh(), fresh()];
    const app = loginTo(server, { user: 'seen', password: new Sensitive('first-of-seen') });
    await admin.send('ACL', 'SETUSER', 'seen', 'on', '>first-of-seen', '~*', '+@all');
    await within(app, (session) => session.addPassword('seen', second));
    await letsIn({ ...app, password: wrong });
    await within({ ...app, password: second }, (session) => session.keepOnly('seen', second));
    const mark = randomBytes(8).toString('hex');
    await admin.send('PING', mark);
    await vi.waitUntil(() => lines.some((line) => line.includes(mark)), { timeout: 20_000 });
    monitor.disconnect();
    watching.disconnect();
    const kept = JSON.stringify([
      lines,
      await admin.send('SLOWLOG', 'GET', '-1'),
      await admin.send('ACL', 'LOG'),
      server.log(),
      await server.stored(),
    ]);
    // It saw the changes.
    expect(kept).toContain(createHash('sha256').update(second.reveal()).digest('hex'));
    for (const password of [second, wrong]) {
      const text = password.reveal();
      for (let at = 0; at + 8 <= text.length; at += 1) expect(kept).not.toContain(text.slice(at, at + 8));
    }
  });
});

describe.skipIf(absent !== null)(`what a restart brings back${missing}`, () => {
  test.each([['acl-file'], ['configuration']] as const)('%s: the new password', async (saves) => {
    const server = await started({ saves });
    const second = fresh();
    await within(loginTo(server), (session) => session.addPassword('default', second));
    await server.restart();
    const next = loginTo(server, { password: second });
    expect([await letsIn(loginTo(server)), await letsIn(next)]).toEqual(['yes', 'yes']);
    await within(next, (session) => session.keepOnly('default', second));
    await server.restart();
    expect([await letsIn(loginTo(server)), await letsIn(next)]).toEqual(['CredentialRejected', 'yes']);
  });

  test('a server without a file is refused before anything changes, or goes on with a warning', async () => {
    const server = await started({ saves: 'nowhere' });
    const second = fresh();
    const error = await refusal(within(loginTo(server), (session) => session.addPassword('default', second)));
    expect([error.code, error.retryable]).toEqual(['TargetRefused', false]);
    expect(error.message).toContain('neither an ACL file nor a configuration file');
    expect(error.hint).toContain('options.persistence');
    expect(await letsIn(loginTo(server, { password: second }))).toBe('CredentialRejected');

    warnings.length = 0;
    const lenient = loginTo(server, { persistence: 'best-effort' });
    await within(lenient, (session) => session.addPassword('default', second));
    expect(await letsIn(loginTo(server, { password: second }))).toBe('yes');
    expect(warnings).toEqual([expect.stringContaining('A restart of it brings the old password back.')]);
  });

  test('a file that cannot be written is found before anything changes', async () => {
    const server = await started({ saves: 'acl-file', lines: ['rename-command SHUTDOWN ""'] });
    const [, file = ''] = (await (
      await opened(loginTo(server))
    ).send('CONFIG', 'GET', 'aclfile')) as string[];
    // Also as root: a folder cannot be replaced by a file.
    await rm(file);
    await mkdir(file);
    const second = fresh();
    const error = await refusal(within(loginTo(server), (session) => session.addPassword('default', second)));
    expect([error.code, error.message.includes('could not save')]).toEqual(['TargetRefused', true]);
    expect(await letsIn(loginTo(server, { password: second }))).toBe('CredentialRejected');
  });

  test('a file that can be written no more afterwards is told of, and asked for again', async () => {
    const server = await started();
    const client = await opened(loginTo(server));
    const [, file = ''] = (await client.send('CONFIG', 'GET', 'aclfile')) as string[];
    const lose = async () => {
      await rm(file);
      await mkdir(file);
    };
    const error = await refusal(saved(client, 'required', () => {}, lose));
    expect([error.code, error.retryable]).toEqual(['TargetRefused', true]);
  });

  test('a server whose CONFIG is taken away cannot be known to save', async () => {
    const server = await started({ saves: 'configuration', lines: ['rename-command CONFIG ""'] });
    const error = await refusal(
      within(loginTo(server), (session) => session.addPassword('default', fresh())),
    );
    expect(error.code).toBe('TargetRefused');
    const second = fresh();
    await within(loginTo(server, { persistence: 'best-effort' }), (session) =>
      session.addPassword('default', second),
    );
    expect(await letsIn(loginTo(server, { password: second }))).toBe('yes');
  });
});

test.skipIf(absent !== null)(
  `a replica is refused, and a primary with replicas says so${missing}`,
  async () => {
    const primary = await started({ tls: false });
    const replica = await started({
      tls: false,
      lines: [`replicaof 127.0.0.1 ${primary.port}`, `masterauth ${primary.password}`],
    });
    const error = await refusal(
      within(loginTo(replica), (session) => session.addPassword('default', fresh())),
    );
    expect([error.code, error.hint]).toEqual(['TargetReadOnly', expect.stringContaining('primary')]);
    const facts = await opened(loginTo(primary));
    await vi.waitUntil(
      async () => String(await facts.send('INFO', 'replication')).includes('connected_slaves:1'),
      {
        timeout: 30_000,
      },
    );
    warnings.length = 0;
    await within(loginTo(primary), async (session) => {
      await session.addPassword('default', fresh());
      // It is logged in, too, and would not come back with the old password.
      expect(await session.uses({ user: 'default' })).toContainEqual({
        by: 'replica 127.0.0.1',
        sessions: 1,
      });
    });
    expect(warnings).toEqual([expect.stringContaining('users are not replicated')]);
  },
);

describe.skipIf(absent !== null)(`passwords that ElastiCache keeps${missing}`, () => {
  test('the one in use stays beside a new one, and another one goes', async () => {
    const server = await started();
    const admin = await opened(loginTo(server));
    await admin.send('ACL', 'SETUSER', 'app', 'on', '>first-of-app', '>stray-of-app', '~*', '+@all');
    let changes = 0;
    const managed: ManagedUsers = {
      async count({ userId, user }) {
        expect([userId, user]).toEqual(['shop-app', 'app']);
        return ((await admin.send('ACL', 'GETUSER', user)) as unknown[][])[3]?.length ?? 0;
      },
      async set({ user }, passwords) {
        changes += 1;
        expect(passwords.length).toBeLessThanOrEqual(2);
        const given = passwords.map((one) => `>${one.reveal()}`);
        await admin.send('ACL', 'SETUSER', user, 'resetpass', ...given);
      },
    };
    const elastiCache = redisTarget({ clock: { now: () => new Date() }, warn: () => {}, managed });
    const of = (password: Sensitive) =>
      loginTo(server, { user: 'app', password, elastiCacheUser: 'shop-app' });
    const [first, stray, second] = [new Sensitive('first-of-app'), new Sensitive('stray-of-app'), fresh()];
    const change = async (by: Sensitive, work: (session: TargetSession) => Promise<void>) => {
      const session = await elastiCache.login(of(by));
      await work(session).finally(() => session.end());
    };
    await change(first, (session) => session.addPassword('app', second));
    expect([await letsIn(of(first)), await letsIn(of(second)), await letsIn(of(stray))]).toEqual([
      'yes',
      'yes',
      'CredentialRejected',
    ]);
    // The same again, by the new one: with it alone the old one would be gone while consumers still use it.
    await change(second, (session) => session.addPassword('app', second));
    expect(await letsIn(of(first))).toBe('yes');
    await change(second, (session) => session.keepOnly('app', second));
    await change(second, (session) => session.keepOnly('app', second));
    expect([await letsIn(of(first)), await letsIn(of(second)), changes]).toEqual([
      'CredentialRejected',
      'yes',
      2,
    ]);
  });
});
