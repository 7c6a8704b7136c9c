/** Connections to a real PostgreSQL, and to servers that are not what they should be. */
import { inspect } from 'node:util';
import { Client, DatabaseError } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { random } from '../../../../lambdas/adapters/platform.ts';
import {
  connectPostgres,
  openPostgres,
  type PostgresTarget,
} from '../../../../lambdas/adapters/postgres/connect.ts';
import { postgresError } from '../../../../lambdas/adapters/postgres/errors.ts';
import { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { scramVerifier, verifierOf } from '../../../../lambdas/credentials/scram-verifier.ts';
import { makeAuthority } from '../../../../lib/rehearsal/certificates.ts';
import { type Postgres, startPostgres } from '../../../../lib/rehearsal/postgres.ts';
import { serverThat, showing } from './odd-servers.ts';

let server: Postgres;
let admin: Client;
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all', log_connections: 'on' } });
  admin = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  admin.on('error', () => {});
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await server?.stop();
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const target = (changes: Partial<PostgresTarget> = {}): PostgresTarget => ({
  host: 'localhost',
  port: server.port,
  user: server.user,
  password: new Sensitive(server.password),
  database: 'postgres',
  tls: { authorities: { pem: server.ca ?? '' } },
  ...changes,
});

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

/** What the server has logged, up to and including this moment. */
async function logSoFar(): Promise<string> {
  const mark = `mark ${Buffer.from(random.bytes(8)).toString('hex')}`;
  await admin.query(`SELECT '${mark}'`);
  await vi.waitUntil(async () => (await server.log()).includes(mark), { timeout: 20_000, interval: 20 });
  return server.log();
}

describe('TLS is verified, and there is no way around it', () => {
  test('a connection is encrypted, and says who it is', async () => {
    const client = await openPostgres(target());
    const rows = await client.query(
      'SELECT ssl, application_name AS name FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = pg_backend_pid()',
    );
    await client.end();
    expect(rows).toEqual([{ ssl: true, name: 'keyturn' }]);
  });

  test('an IP address is verified as one', async () => {
    await (await openPostgres(target({ host: '127.0.0.1' }))).end();
    const authority = await makeAuthority(new Date());
    const port = await showing(await authority.issue(['localhost']));
    const error = await refusal(
      openPostgres(target({ host: '127.0.0.1', port, tls: { authorities: { pem: authority.ca } } })),
    );
    expect([error.code, error.message]).toEqual([
      'TargetTlsFailed',
      `The server 127.0.0.1:${port} could not be verified by TLS (ERR_TLS_CERT_ALTNAME_INVALID).`,
    ]);
  });

  const day = 86_400_000;
  const now = Date.now();
  test.each([
    ['another name', ['db.example.com'], undefined, {}],
    [
      'an expired certificate',
      ['localhost'],
      { from: new Date(now - 2 * day), until: new Date(now - day) },
      {},
    ],
    [
      'one that is not valid yet',
      ['localhost'],
      { from: new Date(now + day), until: new Date(now + 2 * day) },
      {},
    ],
    [
      'TLS 1.1',
      ['localhost'],
      undefined,
      { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    ],
  ])('%s is refused', async (_what, names, validity, options) => {
    const authority = await makeAuthority(new Date());
    const port = await showing(await authority.issue(names, validity), options);
    for (const disabled of [false, true]) {
      if (disabled) vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
      const error = await refusal(
        openPostgres(target({ port, tls: { authorities: { pem: authority.ca } } })),
      );
      expect([error.code, error.retryable]).toEqual(['TargetTlsFailed', false]);
    }
  });

  test('another authority, and the ones of the system, do not vouch for the server', async () => {
    const { ca } = await makeAuthority(new Date());
    for (const authorities of [{ pem: ca }, 'system'] as const) {
      expect((await refusal(openPostgres(target({ tls: { authorities } })))).code).toBe('TargetTlsFailed');
    }
    expect(
      (await refusal(openPostgres(target({ tls: { authorities: { path: '/none.pem' } } })))).message,
    ).toBe('The file of certificate authorities must be readable; /none.pem is not.');
  });

  test('to a server that has no TLS nothing is sent but the question', async () => {
    vi.stubEnv('PGSSLNEGOTIATION', 'direct');
    const sent: Buffer[] = [];
    const port = await serverThat((socket) => {
      socket.on('data', (bytes) => {
        sent.push(bytes);
        socket.write('N');
      });
    });
    const error = await refusal(openPostgres(target({ port })));
    expect([error.code, error.message]).toEqual([
      'TargetTlsFailed',
      `The server localhost:${port} offers no TLS, and there is no fallback (no code).`,
    ]);
    // SSLRequest (PostgreSQL documentation, section 55.7): a length of 8 and the number 80877103.
    expect(Buffer.concat(sent).toString('hex')).toBe('0000000804d2162f');
  });

  test('plain text to another machine is refused before it is called', async () => {
    for (const host of ['db.example.com', '10.0.0.1', '0.0.0.0', '2001:db8::1']) {
      const error = await refusal(openPostgres(target({ host, tls: 'off' })));
      expect([error.code, error.message]).toEqual([
        'DeploymentInvalid',
        `tls may be "off" only for a loopback address or a Unix socket; the host is ${host}.`,
      ]);
    }
  });

  test('nothing comes from the environment', async () => {
    vi.stubEnv('PGSSLMODE', 'disable');
    vi.stubEnv('PGPASSWORD', server.password);
    const client = await connectPostgres(target());
    const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    await client.end();
    expect(rows).toEqual([{ ssl: true }]);
    expect((await refusal(openPostgres(target({ password: new Sensitive('') })))).code).toBe('ValueRejected');
  });

  test('a real server without TLS', async () => {
    const plain = await startPostgres({ tls: false });
    try {
      const { port } = plain;
      const password = new Sensitive(plain.password);
      expect((await refusal(openPostgres(target({ port, password })))).code).toBe('TargetTlsFailed');
      for (const host of ['localhost', '127.0.0.1']) {
        await (await openPostgres(target({ host, port, password, tls: 'off' }))).end();
      }
    } finally {
      await plain.stop();
    }
  }, 60_000);
});

describe('what keeps us out is told apart', () => {
  beforeAll(async () => {
    await admin.query(`
      CREATE ROLE expired LOGIN PASSWORD 'right' VALID UNTIL '2001-01-01';
      CREATE ROLE asleep NOLOGIN PASSWORD 'right';
      CREATE ROLE crowded LOGIN PASSWORD 'right' CONNECTION LIMIT 0;
      CREATE ROLE app LOGIN PASSWORD 'right'`);
  });
  const right = new Sensitive('right');

  test.each([
    ['a wrong password', { user: 'app', password: new Sensitive('wrong') }, 'CredentialRejected', '28P01'],
    ['a role that does not exist', { user: 'nobody', password: right }, 'CredentialRejected', '28P01'],
    ['an expired password', { user: 'expired', password: right }, 'CredentialRejected', '28P01'],
    ['a role that may not log in', { user: 'asleep', password: right }, 'CredentialRejected', '28000'],
    ['too many connections', { user: 'crowded', password: right }, 'TargetFull', '53300'],
    ['no such database', { user: 'app', password: right, database: 'none' }, 'DatabaseMissing', '3D000'],
  ])('%s, after one attempt', async (_what, changes, code, state) => {
    const attempts = (text: string) => text.match(/connection received/g)?.length ?? 0;
    const before = attempts(await logSoFar());
    const error = await refusal(openPostgres(target(changes)));
    expect(error).toMatchObject({ code, retryable: code === 'TargetFull' });
    expect(error.message).toContain(`(SQLSTATE ${state})`);
    expect(error.cause).toBeUndefined();
    expect(attempts(await logSoFar()) - before).toBe(1);
  });

  test('nobody listens, nobody answers, nobody has that name', async () => {
    const port = await serverThat((socket) => socket.destroy());
    const silent = await serverThat(() => {});
    const closed = await refusal(openPostgres(target({ port })));
    const mute = await refusal(openPostgres(target({ port: silent, loginTimeout: 50 })));
    const nameless = await refusal(openPostgres(target({ host: 'keyturn.invalid' })));
    for (const error of [closed, mute, nameless]) {
      expect(error).toMatchObject({ code: 'TargetUnreachable', retryable: true });
    }
    expect(mute.message).toBe(`The server localhost:${silent} did not complete the login in 50 ms.`);
  });

  test('a server that is slow behind TLS is given up as well', async () => {
    const authority = await makeAuthority(new Date());
    const port = await showing(await authority.issue(['localhost']));
    const error = await refusal(
      openPostgres(target({ port, tls: { authorities: { pem: authority.ca } }, loginTimeout: 500 })),
    );
    expect(error.message).toContain('did not complete the login in 500 ms');
  });
});

describe('statements', () => {
  test('what the server says of values stays out of errors', async () => {
    const client = await openPostgres(target());
    await client.query('CREATE TEMPORARY TABLE kept (value text PRIMARY KEY)');
    await client.query('INSERT INTO kept VALUES ($1)', ['s3cr3t']);
    const error = await client
      .query('INSERT INTO kept VALUES ($1)', ['s3cr3t'])
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'TargetRefused', retryable: false });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('s3cr3t');
    await client.end();
  });

  test.each([
    [
      'a read-only session',
      'SET default_transaction_read_only = on',
      'CREATE TABLE never (a int)',
      'TargetReadOnly',
    ],
    ['a missing right', 'SET ROLE app', 'SELECT rolpassword FROM pg_authid', 'PrivilegeMissing'],
  ])('%s', async (_what, first, second, code) => {
    const client = await openPostgres(target());
    await client.query(first);
    await expect(client.query(second)).rejects.toMatchObject({ code });
    await client.end();
  });

  test('a connection that is cut while idle is an error of the next statement only', async () => {
    const client = await openPostgres(target());
    const rows = await client.query('SELECT pg_backend_pid() AS pid');
    await admin.query('SELECT pg_terminate_backend($1, 20000)', [rows[0]?.pid]);
    const error = await client.query('SELECT 1').catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(KeyturnError);
    expect(error).toMatchObject({ retryable: true });
    await client.end();
  });

  test.each([
    ['57P01', 'TargetNotReady', true],
    ['57P03', 'TargetNotReady', true],
    ['53300', 'TargetFull', true],
    ['08006', 'TargetUnreachable', true],
    ['40001', 'TargetNotReady', true],
    ['55P03', 'TargetNotReady', true],
    ['25006', 'TargetReadOnly', false],
    ['42601', 'TargetRefused', false],
  ])('SQLSTATE %s is %s', (state, code, retryable) => {
    const said = Object.assign(new DatabaseError('s3cr3t', 0, 'error'), { code: state, detail: 's3cr3t' });
    const error = postgresError(said, 'The server');
    expect(error).toMatchObject({ code, retryable });
    expect(inspect(error)).not.toContain('s3cr3t');
  });
});

describe('a password that the server never sees', () => {
  const passwords = [
    'pencil',
    'a\u00a0b',
    'soft\u00adhyphen',
    '\u2168',
    '\u0627\u0031',
    'tab\tand é',
    '\u00ad',
    'ﬁ漢😀',
  ];

  test('our verifiers are those that the server makes itself', async () => {
    for (const [at, password] of passwords.entries()) {
      const role = `made_${at}`;
      await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${password}'`);
      const { rows } = await admin.query('SELECT rolpassword AS made FROM pg_authid WHERE rolname = $1', [
        role,
      ]);
      const made = String(rows[0]?.made);
      const [, iterations, salt = ''] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(made) ?? [];
      const ours = verifierOf(new Sensitive(password), Buffer.from(salt, 'base64'), Number(iterations));
      expect({ password, made: ours.reveal() }).toEqual({ password, made });
    }
  });

  test('logs in after ALTER ROLE with the verifier, and is nowhere in the log', async () => {
    const password = new Sensitive(Buffer.from(random.bytes(24)).toString('base64url'));
    await admin.query('CREATE ROLE verified LOGIN');
    const verifier = scramVerifier(password, random, 10_000);
    await admin.query(`ALTER ROLE verified PASSWORD '${verifier.reveal()}'`);
    const client = await openPostgres(target({ user: 'verified', password }));
    expect(await client.query('SELECT current_user AS me')).toEqual([{ me: 'verified' }]);
    await client.end();
    const log = await logSoFar();
    expect(log).toContain('ALTER ROLE verified');
    for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
      expect(log).not.toContain(Buffer.from(password.reveal()).toString(encoding));
    }
  });
});
