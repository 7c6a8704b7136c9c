/** Connections to a real Redis, and to servers that are not what they should be. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { connectRedis, type RedisClient } from '../../../../lambdas/adapters/redis/connect.ts';
import type { ManagedUsers } from '../../../../lambdas/adapters/redis/elasticache.ts';
import { redisTarget } from '../../../../lambdas/adapters/redis/target.ts';
import { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import type { TargetLogin } from '../../../../lambdas/contract/target.ts';
import { makeAuthority } from '../../../../lib/rehearsal/certificates.ts';
import { noRedis, type Redis, startRedis } from '../../../../lib/rehearsal/redis.ts';

const absent = noRedis();
const missing = absent === null ? '' : ` (not run: ${absent})`;
const noUsers: ManagedUsers = {
  count: () => Promise.reject(new Error('no user is managed here')),
  set: () => Promise.reject(new Error('no user is managed here')),
};
const target = redisTarget({ clock: { now: () => new Date() }, warn: () => {}, managed: noUsers });

/** The error, of which nothing that an inspector finds holds the password. */
async function refusal(attempt: Promise<{ end(): Promise<void> }>, canary = ''): Promise<KeyturnError> {
  const caught = await attempt.then(
    async (client) => {
      await client.end();
      return null;
    },
    (error: unknown) => error,
  );
  if (!(caught instanceof KeyturnError)) throw new Error(`it was not refused: ${String(caught)}`);
  if (canary !== '') expect(inspect(caught, { depth: 10, showHidden: true })).not.toContain(canary);
  return caught;
}

const listening: Server[] = [];
afterEach(() => {
  for (const one of listening.splice(0)) one.close();
  vi.unstubAllEnvs();
});

/** A server on a port of its own that does with a connection what it is told. */
async function serverThat(does: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    does(socket);
  });
  const close = server.close.bind(server);
  server.close = (done) => {
    for (const socket of sockets) socket.destroy();
    return close(done);
  };
  listening.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
const plain = (port: number, password = 'canary-of-plain'): TargetLogin => ({
  engine: 'redis',
  host: '127.0.0.1',
  port,
  user: 'default',
  password: new Sensitive(password),
  database: '0',
  tls: 'off',
});

describe('a server that answers', () => {
  const replies: readonly (readonly [string, string, boolean])[] = [
    ['WRONGPASS invalid username-password pair or user is disabled.', 'CredentialRejected', false],
    ['NOAUTH Authentication required.', 'CredentialRejected', false],
    [
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
      'TargetRefused',
      false,
    ],
    ["ERR wrong number of arguments for 'auth' command", 'TargetRefused', false],
    ['NOPERM this user has no permissions to run the command', 'PrivilegeMissing', false],
    ['LOADING Redis is loading the dataset in memory', 'TargetNotReady', true],
    ['BUSY Redis is busy running a script.', 'TargetNotReady', true],
    ['MASTERDOWN Link with MASTER is down', 'TargetNotReady', true],
    ["READONLY You can't write against a read only replica.", 'TargetReadOnly', false],
    ['ERR max number of clients reached', 'TargetFull', true],
    ['MISCONF Errors writing to the AOF file: No space left on device', 'TargetNotReady', true],
    ['DENIED Redis is running in protected mode', 'TargetRefused', false],
    ["ERR unknown command 'AUTH', with args beginning with: 'canary-of-plain'", 'TargetRefused', false],
    ['SOMETHING else, with canary-of-plain in it', 'TargetRefused', false],
  ];
  test.each(replies)('%s', async (reply, code, retryable) => {
    const asked: string[] = [];
    const port = await serverThat((socket) => {
      socket.on('data', (bytes) => {
        asked.push(bytes.toString());
        socket.write(`-${reply}\r\n`);
      });
    });
    const error = await refusal(connectRedis(plain(port)), 'canary-of-plain');
    expect([error.code, error.retryable]).toEqual([code, retryable]);
    // One login, and not a second one in another form.
    expect(asked).toEqual(['*2\r\n$4\r\nAUTH\r\n$15\r\ncanary-of-plain\r\n']);
  });

  test('before it is asked, since it has no connection left', async () => {
    const port = await serverThat((socket) => {
      socket.end('-ERR max number of clients reached\r\n');
    });
    expect((await refusal(connectRedis(plain(port)), 'canary-of-plain')).code).toBe('TargetFull');
  });

  test('nothing at all: the login is given up', async () => {
    const port = await serverThat(() => {});
    const error = await refusal(connectRedis(plain(port), { login: 150 }), 'canary-of-plain');
    expect([error.code, error.retryable, error.message]).toEqual([
      'TargetUnreachable',
      true,
      expect.stringContaining('did not complete the login in 150 ms'),
    ]);
  });

  test('not as Redis does', async () => {
    const port = await serverThat((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    expect((await refusal(connectRedis(plain(port)), 'canary-of-plain')).code).toBe('TargetUnreachable');
  });

  test('by ending the connection', async () => {
    const port = await serverThat((socket) => socket.on('data', () => socket.destroy()));
    const error = await refusal(connectRedis(plain(port)), 'canary-of-plain');
    expect([error.code, error.retryable]).toEqual(['TargetUnreachable', true]);
  });
});

test('nothing listens there', async () => {
  const port = await serverThat(() => {});
  listening.splice(0).forEach((one) => {
    one.close();
  });
  const error = await refusal(connectRedis(plain(port)));
  expect([error.code, error.retryable]).toEqual(['TargetUnreachable', true]);
});

test.each(['10.0.0.7', 'cache.example.com'])('without TLS nothing is sent to %s', async (host) => {
  const error = await refusal(connectRedis({ ...plain(6379), host }));
  expect([error.code, error.message]).toEqual(['DeploymentInvalid', expect.stringContaining(host)]);
});

describe.skipIf(absent !== null)(`a real server${missing}`, () => {
  let server: Redis;
  let admin: RedisClient;
  beforeAll(async () => {
    server = await startRedis({ lines: ['databases 2'] });
    admin = await connectRedis(login());
  }, 60_000);
  afterAll(async () => {
    await admin?.end();
    await server?.stop();
  });
  const login = (changes: Partial<TargetLogin> = {}): TargetLogin => ({
    engine: 'redis',
    host: 'localhost',
    port: server.port,
    user: 'default',
    password: new Sensitive(server.password),
    database: '0',
    tls: { authorities: { pem: server.ca ?? '' } },
    ...changes,
  });

  test('lets in the default user and a named one, who is shown as keyturn', async () => {
    await admin.send('ACL', 'SETUSER', 'app', 'on', '>password-of-app', '+@all');
    const client = await connectRedis(login({ user: 'app', password: new Sensitive('password-of-app') }));
    expect(await client.send('ACL', 'WHOAMI')).toBe('app');
    expect(await admin.send('CLIENT', 'LIST')).toMatch(/ name=keyturn .* user=app /);
    await client.end();
    await vi.waitUntil(async () => !String(await admin.send('CLIENT', 'LIST')).includes('user=app'), {
      timeout: 20_000,
    });
  });

  test('chooses the database, and tells when there is none of that number', async () => {
    const client = await connectRedis(login({ database: '1' }));
    expect(await client.send('CLIENT', 'INFO')).toContain(' db=1 ');
    await client.end();
    expect((await refusal(connectRedis(login({ database: '2' })))).code).toBe('DatabaseMissing');
  });

  test.each([['default'], ['app'], ['nobody']])('refuses %s with a wrong password, once', async (user) => {
    const rejected = async () =>
      Number(/acl_access_denied_auth:(\d+)/.exec(String(await admin.send('INFO', 'stats')))?.[1] ?? 0) +
      Number(/cmdstat_auth:.*failed_calls=(\d+)/.exec(String(await admin.send('INFO', 'commandstats')))?.[1]);
    const before = await rejected();
    const wrong = 'canary-wrong-password';
    const error = await refusal(connectRedis(login({ user, password: new Sensitive(wrong) })), wrong);
    expect([error.code, error.retryable]).toEqual(['CredentialRejected', false]);
    expect((await rejected()) - before).toBe(1);
  });

  test('an error of a command holds none of its words', async () => {
    const client = await connectRedis(login());
    const error = await refusal(
      client.send('NOSUCH', 'canary-of-command').then(() => client),
      'canary-of-command',
    );
    expect(error.code).toBe('TargetRefused');
    await client.end();
  });

  test('is not believed with a certificate of another authority, or for another name', async () => {
    const other = await makeAuthority(new Date());
    const strange = await refusal(connectRedis(login({ tls: { authorities: { pem: other.ca } } })));
    const unknown = await refusal(connectRedis(login({ tls: { authorities: 'system' } })));
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    const forced = await refusal(connectRedis(login({ tls: { authorities: 'system' } })));
    expect([strange.code, unknown.code, forced.code]).toEqual(
      Array.from({ length: 3 }, () => 'TargetTlsFailed'),
    );
    const named = await startRedis({ certificate: await other.issue(['other.test']) });
    try {
      const misnamed = login({ port: named.port, tls: { authorities: { pem: other.ca } } });
      const error = await refusal(connectRedis(misnamed));
      expect([error.code, error.hint]).toEqual(['TargetTlsFailed', expect.stringContaining('other names')]);
    } finally {
      await named.stop();
    }
  });

  test('has no connection left', async () => {
    const full = await startRedis({ tls: false, lines: ['maxclients 1'] });
    try {
      const url = {
        ...login(),
        port: full.port,
        password: new Sensitive(full.password),
        tls: 'off' as const,
      };
      const client = await connectRedis(url);
      const error = await refusal(connectRedis(url), full.password);
      expect([error.code, error.retryable]).toEqual(['TargetFull', true]);
      await client.end();
    } finally {
      await full.stop();
    }
  });

  test('TLS is demanded of a server that has none', async () => {
    const bare = await startRedis({ tls: false });
    try {
      const error = await refusal(connectRedis(login({ port: bare.port }), { login: 500 }));
      // Redis waits for the end of what it takes for a command.
      expect([error.code, error.hint]).toEqual(['TargetUnreachable', expect.stringContaining('speaks TLS')]);
    } finally {
      await bare.stop();
    }
  });

  test('the way to it is told step by step', async () => {
    const steps = async (changes: Partial<TargetLogin>) =>
      (await target.reach?.(login(changes)))?.map((one) => `${one.step} ${one.ok ? 'ok' : one.error.code}`);
    expect(await steps({})).toEqual(['dns ok', 'tcp ok', 'tls ok', 'login ok']);
    expect(await steps({ tls: { authorities: 'system' } })).toEqual([
      'dns ok',
      'tcp ok',
      'tls TargetTlsFailed',
    ]);
    expect(await steps({ password: new Sensitive('wrong') })).toEqual([
      'dns ok',
      'tcp ok',
      'tls ok',
      'login CredentialRejected',
    ]);
    expect(await steps({ host: 'no-such-host.invalid' })).toEqual(['dns TargetUnreachable']);
  });
});
