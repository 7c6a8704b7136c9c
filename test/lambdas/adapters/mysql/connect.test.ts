/** Connections to a real MariaDB, and to servers that are not what they should be. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import type { Connection } from 'mysql2/promise';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type MysqlTarget, openMysql } from '../../../../lambdas/adapters/mysql/connect.ts';
import { type Moment, mysqlError } from '../../../../lambdas/adapters/mysql/errors.ts';
import { mysqlTarget } from '../../../../lambdas/adapters/mysql/target.ts';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { type Certificate, makeAuthority } from '../../../../lib/rehearsal/certificates.ts';
import { hasMariadb, type Mariadb, named, startMariadb } from './mariadb.ts';

const right = new Sensitive('right-password');

async function refusal(attempt: Promise<{ end(): Promise<void> }>): Promise<KeyturnError> {
  try {
    const client = await attempt;
    await client.end();
  } catch (caught) {
    if (caught instanceof KeyturnError) return caught;
    throw caught;
  }
  throw new Error('it was let in');
}

const open = new Set<{ server: Server; sockets: Set<Socket> }>();
afterEach(() => {
  vi.unstubAllEnvs();
  for (const { server, sockets } of open) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
  open.clear();
});

/** A server on a port of its own that does with a connection what it is told. */
async function serverThat(does: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    does(socket);
  });
  open.add({ server, sockets });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const packet = (number: number, body: Buffer) => {
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head.writeUInt8(number, 3);
  return Buffer.concat([head, body]);
};
const clientSsl = 0x800;
/** What a server says first ("Protocol::HandshakeV10", MySQL source documentation). */
const greeting = (flags: number, plugin = 'mysql_native_password') =>
  packet(
    0,
    Buffer.concat([
      Buffer.from('\x0a8.4.3\0', 'latin1'),
      Buffer.from([7, 0, 0, 0]),
      Buffer.from('12345678\0'),
      Buffer.from([flags & 255, (flags >> 8) & 255, 45, 2, 0, (flags >> 16) & 255, (flags >> 24) & 255, 21]),
      Buffer.alloc(10),
      Buffer.from('123456789012\0'),
      Buffer.from(`${plugin}\0`),
    ]),
  );
const plainFlags = 0x8a209;
const failure = (number: number, errno: number) =>
  packet(number, Buffer.concat([Buffer.from([0xff, errno & 255, errno >> 8]), Buffer.from('#28000s3cr3t')]));

/** A server that agrees to TLS and shows this certificate; `then` sees what comes in under it. */
const showing = (shown: Certificate, options: object = {}, then: (tls: TLSSocket) => void = () => {}) =>
  serverThat((socket) => {
    socket.write(greeting(plainFlags | clientSsl));
    socket.once('readable', () => {
      // The request for TLS; the client begins with it at once.
      socket.read(36);
      const context = createSecureContext({ cert: shown.certificate, key: shown.key, ...options });
      const tls = new TLSSocket(socket, { isServer: true, secureContext: context });
      tls.on('error', () => {});
      then(tls);
    });
  });

const nobody = (port: number, changes: Partial<MysqlTarget> = {}): MysqlTarget => ({
  host: 'localhost',
  port,
  user: 'app',
  password: right,
  database: '',
  tls: { authorities: 'system' },
  ...changes,
});

describe('TLS is verified, and there is no way around it', () => {
  const day = 86_400_000;
  const now = Date.now();
  test.each([
    ['another name', ['db.example.com'], undefined, {}, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'an expired certificate',
      ['localhost'],
      { from: new Date(now - 2 * day), until: new Date(now - day) },
      {},
      'CERT_HAS_EXPIRED',
    ],
    [
      'TLS 1.1',
      ['localhost'],
      undefined,
      { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      'HANDSHAKE_SSL_ERROR',
    ],
  ])('%s is refused, and the password stays here', async (_what, names, validity, options, reason) => {
    const authority = await makeAuthority(new Date());
    const heard: Buffer[] = [];
    const port = await showing(await authority.issue(names, validity), options, (tls) =>
      tls.on('data', (bytes) => heard.push(bytes)),
    );
    for (const disabled of [false, true]) {
      if (disabled) vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const error = await refusal(openMysql(nobody(port, { tls: { authorities: { pem: authority.ca } } })));
      expect([error.code, error.retryable]).toEqual(['TargetTlsFailed', false]);
      expect(error.message).toContain(`(${reason})`);
    }
    expect(heard).toEqual([]);
  });

  test('an address needs a certificate for the address: one for localhost is not enough', async () => {
    const authority = await makeAuthority(new Date());
    const port = await showing(await authority.issue(['localhost']));
    const error = await refusal(
      openMysql(nobody(port, { host: '127.0.0.1', tls: { authorities: { pem: authority.ca } } })),
    );
    expect(error.message).toBe(
      `The server 127.0.0.1:${port} could not be verified by TLS (ERR_TLS_CERT_ALTNAME_INVALID).`,
    );
  });

  test('to a server that has no TLS nothing is sent', async () => {
    const sent: Buffer[] = [];
    const port = await serverThat((socket) => {
      socket.write(greeting(plainFlags));
      socket.on('data', (bytes) => sent.push(bytes));
    });
    const error = await refusal(openMysql(nobody(port)));
    expect([error.code, error.message]).toEqual([
      'TargetTlsFailed',
      `The server localhost:${port} offers no TLS, and there is no fallback (HANDSHAKE_NO_SSL_SUPPORT).`,
    ]);
    expect(sent).toEqual([]);
  });

  test.each([
    ['a refusal instead of the greeting', failure(0, 1045)],
    ['a refusal behind the greeting', Buffer.concat([greeting(plainFlags | clientSsl), failure(2, 1045)])],
    [
      'a welcome behind the greeting',
      Buffer.concat([greeting(plainFlags | clientSsl), packet(2, Buffer.from([0, 0, 0, 2, 0, 0, 0]))]),
    ],
  ])('%s, before TLS, says nothing of the password', async (_what, said) => {
    const port = await serverThat((socket) => socket.write(said));
    const error = await refusal(openMysql(nobody(port, { loginTimeout: 5_000 })));
    expect(['TargetTlsFailed', 'TargetUnreachable']).toContain(error.code);
  });

  test('plain text to another machine is refused before it is called', async () => {
    for (const host of ['db.example.com', '10.0.0.1', '0.0.0.0', '2001:db8::1']) {
      const error = await refusal(openMysql(nobody(3306, { host, tls: 'off' })));
      expect([error.code, error.message]).toEqual([
        'DeploymentInvalid',
        `tls may be "off" only for a loopback address or a Unix socket; the host is ${host}.`,
      ]);
    }
  });

  test('an empty password is none', async () => {
    expect((await refusal(openMysql(nobody(3306, { password: new Sensitive('') })))).code).toBe(
      'ValueRejected',
    );
  });
});

describe('the password does not go out as it is', () => {
  const switchTo = (plugin: string) =>
    packet(
      2,
      Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0`), Buffer.from('12345678901234567890\0')]),
    );
  /** What a client sends to a server that asks for a plugin, and then for all of the password. */
  async function heardBy(plugin: string, more: Buffer | null): Promise<[KeyturnError, string]> {
    const heard: Buffer[] = [];
    const port = await serverThat((socket) => {
      const answers = [switchTo(plugin), ...(more === null ? [] : [more])];
      socket.write(greeting(plainFlags));
      socket.on('data', (bytes) => {
        heard.push(bytes);
        const next = answers.shift();
        if (next === undefined) socket.end();
        else socket.write(next);
      });
    });
    const error = await refusal(openMysql(nobody(port, { tls: 'off' })));
    return [error, Buffer.concat(heard).toString('latin1')];
  }

  test.each([
    ['mysql_clear_password', null, 'TargetRefused'],
    ['sha256_password', null, 'TargetRefused'],
    // 4: "the password, please", which without TLS means under a key that the server sends.
    ['caching_sha2_password', packet(4, Buffer.from([1, 4])), 'TargetRefused'],
    ['dialog', null, 'TargetRefused'],
  ])('to %s', async (plugin, more, code) => {
    const [error, heard] = await heardBy(plugin, more);
    expect(error.code).toBe(code);
    expect(heard).not.toContain('right-password');
    // The last packet of a client that asked for the key would be the byte 2 (or 1).
    expect(heard.endsWith('\x01\x00\x00\x05\x02')).toBe(false);
    expect(heard.endsWith('\x01\x00\x00\x03\x01')).toBe(false);
  });
});

describe('what keeps us out, without a server', () => {
  test('nobody listens, nobody answers, nobody has that name', async () => {
    const port = await serverThat((socket) => socket.destroy());
    const silent = await serverThat(() => {});
    const closed = await refusal(openMysql(nobody(port)));
    const mute = await refusal(openMysql(nobody(silent, { loginTimeout: 50 })));
    const nameless = await refusal(openMysql(nobody(3306, { host: 'keyturn.invalid' })));
    for (const error of [closed, mute, nameless]) {
      expect(error).toMatchObject({ code: 'TargetUnreachable', retryable: true });
    }
    expect(mute.message).toBe(`The server localhost:${silent} did not complete the login in 50 ms.`);
  });

  test('a server that is slow behind TLS is given up as well', async () => {
    const authority = await makeAuthority(new Date());
    const port = await showing(await authority.issue(['localhost']));
    const error = await refusal(
      openMysql(nobody(port, { tls: { authorities: { pem: authority.ca } }, loginTimeout: 500 })),
    );
    expect(error.message).toContain('did not complete the login in 500 ms');
  });

  test.each([
    [1045, 'login', 'CredentialRejected', false],
    [1698, 'login', 'CredentialRejected', false],
    [1045, 'statement', 'PrivilegeMissing', false],
    [1045, 'before-tls', 'TargetTlsFailed', false],
    [3118, 'login', 'CredentialRejected', false],
    [4151, 'login', 'CredentialRejected', false],
    [3955, 'login', 'TargetRefused', true],
    [1862, 'login', 'CredentialExpired', false],
    [1820, 'statement', 'CredentialExpired', false],
    [1040, 'before-tls', 'TargetFull', true],
    [1203, 'login', 'TargetFull', true],
    [1129, 'before-tls', 'TargetRefused', false],
    [1130, 'before-tls', 'TargetRefused', false],
    [1049, 'login', 'DatabaseMissing', false],
    [1290, 'statement', 'TargetReadOnly', false],
    [1836, 'statement', 'TargetReadOnly', false],
    [1819, 'statement', 'ValueRejected', false],
    [1213, 'statement', 'TargetNotReady', true],
    [1064, 'statement', 'TargetRefused', false],
    [-111, 'login', 'TargetUnreachable', true],
  ] as const)('error %i of a %s is %s', (errno, moment: Moment, code, retryable) => {
    const said = Object.assign(new Error('s3cr3t'), { errno, sql: 's3cr3t', sqlMessage: 's3cr3t' });
    const error = mysqlError(said, 'The server', moment);
    expect(error).toMatchObject({ code, retryable });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('s3cr3t');
  });
});

describe.skipIf(!hasMariadb)(named('a real MariaDB'), () => {
  let server: Mariadb;
  let root: Connection;
  beforeAll(async () => {
    server = await startMariadb();
    root = await server.root();
    await root.query(`
      CREATE USER app@'%' IDENTIFIED BY 'right-password';
      CREATE USER strict@'%' IDENTIFIED BY 'right-password' REQUIRE SSL;
      CREATE USER asleep@'%' IDENTIFIED BY 'right-password' ACCOUNT LOCK;
      CREATE USER expired@'%' IDENTIFIED BY 'right-password' PASSWORD EXPIRE;
      CREATE USER crowded@'%' IDENTIFIED BY 'right-password' WITH MAX_USER_CONNECTIONS 1;
      CREATE USER busy@'%' IDENTIFIED BY 'right-password';
      CREATE DATABASE shop; CREATE DATABASE closed; GRANT ALL ON shop.* TO app@'%'`);
  }, 60_000);
  afterAll(async () => {
    await root?.end();
    await server?.stop();
  });
  const target = (changes: Partial<MysqlTarget> = {}) =>
    nobody(server.port, { tls: { authorities: { pem: server.ca } }, ...changes });

  test.each(['localhost', '127.0.0.1'])('%s: encrypted, one attempt, our own modes', async (host) => {
    const client = await openMysql(target({ host, database: 'shop' }));
    const [row] = await client.query(
      'SELECT @@sql_mode AS mode, DATABASE() AS place, @@character_set_client AS signs',
    );
    const [cipher] = await client.query("SHOW SESSION STATUS LIKE 'Ssl_version'");
    await client.end();
    expect(row).toEqual({ mode: 'STRICT_TRANS_TABLES', place: 'shop', signs: 'utf8mb4' });
    expect(cipher?.Value).toMatch(/^TLSv1\.[23]$/);
  });

  test('another authority, and the ones of the system, do not vouch for the server', async () => {
    const { ca } = await makeAuthority(new Date());
    for (const authorities of [{ pem: ca }, 'system'] as const) {
      const error = await refusal(openMysql(target({ tls: { authorities } })));
      expect([error.code, error.hint]).toEqual([
        'TargetTlsFailed',
        'Another authority signed it than those that tls.authorities names; for Amazon RDS and Aurora that is "rds".',
      ]);
    }
  });

  test('without TLS, and by a Unix socket', async () => {
    for (const host of ['localhost', '127.0.0.1', server.socketPath]) {
      await (await openMysql(target({ host, tls: 'off' }))).end();
    }
    const error = await refusal(openMysql(target({ host: 'localhost', tls: 'off', user: 'strict' })));
    expect(error.code).toBe('CredentialRejected');
    await (await openMysql(target({ user: 'strict' }))).end();
  });

  test.each([
    ['a wrong password', { password: new Sensitive('wrong') }, 'CredentialRejected', 1045],
    ['a user that does not exist', { user: 'nobody' }, 'CredentialRejected', 1045],
    ['a locked account', { user: 'asleep' }, 'CredentialRejected', 4151],
    ['an expired password', { user: 'expired' }, 'CredentialExpired', 1820],
    ['no such database', { database: 'none' }, 'PrivilegeMissing', 1044],
    ['no right to the database', { database: 'closed' }, 'PrivilegeMissing', 1044],
  ])('%s, after one attempt', async (_what, changes, code, number) => {
    const attempts = async () => (await server.log()).match(/ Connect\t/g)?.length ?? 0;
    const before = await attempts();
    const error = await refusal(openMysql(target(changes)));
    expect(error).toMatchObject({ code, retryable: false });
    expect(error.message).toContain(`(error ${number})`);
    expect(error.cause).toBeUndefined();
    expect((await attempts()) - before).toBeLessThanOrEqual(2);
  });

  test('too many connections, of the user and of the server', async () => {
    const first = await openMysql(target({ user: 'crowded' }));
    const second = await refusal(openMysql(target({ user: 'crowded' })));
    await first.end();
    expect([second.code, second.retryable]).toEqual(['TargetFull', true]);
    await root.query('SET GLOBAL max_connections = 10');
    const held = [];
    let error: KeyturnError | null = null;
    while (error === null && held.length < 20) {
      try {
        held.push(await openMysql(target({ user: 'busy' })));
      } catch (caught) {
        error = caught as KeyturnError;
      }
    }
    await Promise.all(held.map((client) => client.end()));
    await root.query('SET GLOBAL max_connections = 151');
    expect([error?.code, error?.retryable]).toEqual(['TargetFull', true]);
  });

  test('what the server says of values stays out of errors; a connection that is cut is an error of the next statement only', async () => {
    const client = await openMysql(target({ database: 'shop' }));
    await client.query('CREATE TABLE kept (value varchar(20) PRIMARY KEY)');
    await client.query('INSERT INTO kept VALUES (?)', ["s3cr3t'\\"]);
    const error = await client
      .query('INSERT INTO kept VALUES (?)', ["s3cr3t'\\"])
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'TargetRefused', retryable: false });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('s3cr3t');
    expect(await client.query('SELECT value FROM kept')).toEqual([{ value: "s3cr3t'\\" }]);
    const [row] = await client.query('SELECT CONNECTION_ID() AS id');
    await root.query(`KILL ${Number(row?.id)}`);
    const cut = await client.query('SELECT 1').catch((caught: unknown) => caught);
    expect(cut).toMatchObject({ retryable: true });
    await client.end();
  });

  test('the server may not ask for a file of ours, nor be sent two statements at once', async () => {
    const client = await openMysql(target({ database: 'shop' }));
    await client.query('CREATE TABLE kept_lines (one text)');
    await expect(
      client.query("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE kept_lines"),
    ).rejects.toMatchObject({ code: 'TargetRefused' });
    await client.end();
    const again = await openMysql(target({ database: 'shop' }));
    await expect(again.query('SELECT 1; SELECT 2')).rejects.toMatchObject({ code: 'TargetRefused' });
    expect(await again.query('SELECT count(*) AS found FROM kept_lines')).toEqual([{ found: 0 }]);
    await again.end();
  });

  test('an answer that takes too long is given up, and the connection with it', async () => {
    const client = await openMysql(target({ statementTimeout: 300 }));
    await expect(client.query('SELECT SLEEP(20)')).rejects.toMatchObject({
      code: 'TargetUnreachable',
      retryable: true,
    });
    await expect(client.query('SELECT 1')).rejects.toBeInstanceOf(KeyturnError);
    await client.end();
  });

  describe('the way there, step by step', () => {
    const reached = async (changes: Partial<MysqlTarget>) =>
      (await mysqlTarget(random).reach?.({ engine: 'mysql', ...target(changes) }))?.map((step) =>
        step.ok ? `${step.step}: ok` : `${step.step}: ${step.error.code}`,
      );

    test('to its end, and to each of its steps', async () => {
      const plain = await serverThat((socket) => socket.write(greeting(plainFlags)));
      const full = await serverThat((socket) => socket.write(failure(0, 1040)));
      const other = await serverThat((socket) => socket.write('220 mail.example.com\r\n'));
      const more = await serverThat((socket) =>
        socket.write(Buffer.concat([greeting(plainFlags | clientSsl), packet(2, Buffer.from('before TLS'))])),
      );
      expect(await reached({})).toEqual(['dns: ok', 'tcp: ok', 'tls: ok', 'login: ok']);
      expect(await reached({ host: 'keyturn.invalid' })).toEqual(['dns: TargetUnreachable']);
      expect(await reached({ tls: { authorities: 'system' } })).toEqual([
        'dns: ok',
        'tcp: ok',
        'tls: TargetTlsFailed',
      ]);
      expect(await reached({ port: plain })).toEqual(['dns: ok', 'tcp: ok', 'tls: TargetTlsFailed']);
      expect(await reached({ port: full })).toEqual(['dns: ok', 'tcp: ok', 'tls: TargetFull']);
      expect((await reached({ port: other }))?.slice(2)).toEqual(['tls: TargetUnreachable']);
      const said = await mysqlTarget(random).reach?.({ engine: 'mysql', ...target({ port: more }) });
      expect(said?.at(-1)).toMatchObject({
        step: 'tls',
        error: { message: 'The server did not greet as MySQL does.' },
      });
      expect(await reached({ password: new Sensitive('wrong') })).toEqual([
        'dns: ok',
        'tcp: ok',
        'tls: ok',
        'login: CredentialRejected',
      ]);
    }, 60_000);
  });
});
