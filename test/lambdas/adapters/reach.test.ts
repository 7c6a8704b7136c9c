/** The way to a real PostgreSQL, and to servers on the way to which something is wrong: the step that fails is named. */
import type { Socket } from 'node:net';
import { inspect } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { random } from '../../../lambdas/adapters/platform.ts';
import { askTls } from '../../../lambdas/adapters/postgres/ask-tls.ts';
import { postgresTarget } from '../../../lambdas/adapters/postgres/target.ts';
import { reach } from '../../../lambdas/adapters/reach.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { ReachedStep, TargetLogin } from '../../../lambdas/contract/target.ts';
import { makeAuthority } from '../../../lib/rehearsal/certificates.ts';
import { freePort } from '../../../lib/rehearsal/endpoint/free-port.ts';
import { type Postgres, startPostgres } from '../../../lib/rehearsal/postgres.ts';
import { serverThat, showing } from './postgres/odd-servers.ts';

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

const loginTo = (changes: Partial<TargetLogin> = {}): TargetLogin => ({
  engine: 'postgres',
  host: 'localhost',
  port: server.port,
  user: server.user,
  password: new Sensitive(server.password),
  database: 'postgres',
  tls: { authorities: { pem: server.ca ?? '' } },
  ...changes,
});

const { login } = postgresTarget(random);
const go = (changes: Partial<TargetLogin>, limit?: number) =>
  reach(loginTo(changes), { askTls, login }, limit);

/** Each step that passes by its name; the one that fails with its code. */
const told = (steps: readonly ReachedStep[]) =>
  steps.map((one) => (one.ok ? one.step : `${one.step}: ${one.error.code}`));

/** What the last step says is wrong. */
function wrong(steps: readonly ReachedStep[]): { says: string; hint: string | null } {
  const last = steps.at(-1);
  if (last === undefined || last.ok) throw new Error('every step passed');
  expect(last.error.cause).toBeUndefined();
  return { says: last.error.message, hint: last.error.hint };
}

/** How often the server was asked to let somebody in, so far. */
async function logins(): Promise<number> {
  const mark = `mark ${Buffer.from(random.bytes(8)).toString('hex')}`;
  await admin.query(`SELECT '${mark}'`);
  await vi.waitUntil(async () => (await server.log()).includes(mark), { timeout: 20_000, interval: 20 });
  return (await server.log()).match(/connection authorized:|password authentication failed/g)?.length ?? 0;
}

describe('the way to a server that is well', () => {
  test('is gone step by step, with one login', async () => {
    const before = await logins();
    const steps = await go({});
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls', 'login']);
    const says = steps.map((one) => (one.ok ? one.says : 'failed'));
    expect(says).toEqual([
      expect.stringMatching(/^localhost is .*127\.0\.0\.1/),
      `127.0.0.1, port ${server.port}, accepts a connection`,
      expect.stringMatching(/^TLSv1\.3, certificate valid until \d{4}-\d\d-\d\d$/),
      'postgres is let in',
    ]);
    expect((await logins()) - before).toBe(1);
    expect(inspect(steps, { depth: 10, showHidden: true })).not.toContain(server.password);
  });

  test('leaves TLS out where it is off, and names where the host is an address', async () => {
    const plain = await startPostgres({ tls: false });
    const { port } = plain;
    try {
      const password = new Sensitive(plain.password);
      const steps = await go({ host: '127.0.0.1', port, password, tls: 'off' });
      expect(told(steps)).toEqual(['dns', 'tcp', 'login']);
      expect(steps[0]).toMatchObject({ says: '127.0.0.1 is an address' });
      expect(wrong(await go({ port, password }))).toMatchObject({
        says: 'The server offers no TLS, and there is no fallback.',
        hint: 'Turn TLS on at the server (ssl = on).',
      });
    } finally {
      await plain.stop();
    }
  }, 60_000);
});

describe('the step that fails is the last one, and says why', () => {
  test('dns: a name that nobody has', async () => {
    const steps = await go({ host: 'keyturn.invalid' });
    expect(told(steps)).toEqual(['dns: TargetUnreachable']);
    expect(wrong(steps).says).toMatch(
      /^The server keyturn\.invalid:\d+ cannot be reached: .*\((ENOTFOUND|EAI_AGAIN)\)\.$/,
    );
  });

  test('dns: a resolver that never answers', async () => {
    const steps = await reach(loginTo(), { askTls, login }, 30, () => new Promise(() => {}));
    expect(told(steps)).toEqual(['dns: TargetUnreachable']);
    expect(wrong(steps)).toEqual({
      says: `The server localhost:${server.port} cannot be reached: no resolver answers (EAI_AGAIN).`,
      hint: 'See the DNS settings of the VPC: enableDnsSupport, and the servers of its DHCP options.',
    });
  });

  test('tcp: a closed port', async () => {
    const port = await freePort();
    const steps = await go({ host: '127.0.0.1', port });
    expect(told(steps)).toEqual(['dns', 'tcp: TargetUnreachable']);
    expect(wrong(steps)).toEqual({
      says: `The server 127.0.0.1:${port} cannot be reached: nothing listens there (ECONNREFUSED).`,
      hint: 'Check the port, and whether the server runs.',
    });
  });

  test('tls: a server that accepts and says nothing', async () => {
    const open = new Set<Socket>();
    const port = await serverThat((socket) => socket.resume(), open);
    const steps = await go({ host: '127.0.0.1', port }, 50);
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls: TargetUnreachable']);
    expect(wrong(steps).says).toBe(
      `The server 127.0.0.1:${port} accepted the connection, and then said nothing for 50 ms.`,
    );
    await vi.waitUntil(() => open.size === 0, { timeout: 20_000 });
  });

  test('tls: a server that agrees to TLS and says nothing', async () => {
    const port = await serverThat((socket) => socket.once('data', () => socket.write('S')));
    expect(told(await go({ host: '127.0.0.1', port }, 200))).toEqual([
      'dns',
      'tcp',
      'tls: TargetUnreachable',
    ]);
  });

  test('tls: a server that cuts the connection', async () => {
    const port = await serverThat((socket) => socket.end());
    const steps = await go({ host: '127.0.0.1', port });
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls: TargetUnreachable']);
    expect(wrong(steps).says).toMatch(/the connection was cut \((ECONNRESET|EPIPE)\)\.$/);
  });

  test('tls: a server of another kind', async () => {
    const port = await serverThat((socket) => socket.write('220 mail.example.com ESMTP\r\n'));
    expect(wrong(await go({ host: '127.0.0.1', port }))).toEqual({
      says: 'The server did not answer the request for TLS as PostgreSQL does.',
      hint: 'See whether the port is that of the database.',
    });
  });

  const day = 86_400_000;
  const past = () => ({ from: new Date(Date.now() - 2 * day), until: new Date(Date.now() - day) });
  test.each([
    [
      'for another name',
      ['db.example.com'],
      undefined,
      'ERR_TLS_CERT_ALTNAME_INVALID',
      /for other names than this host/,
    ],
    ['that expired', ['localhost'], past(), 'CERT_HAS_EXPIRED', /See the dates/],
  ])('tls: a certificate %s', async (_what, names, validity, code, hint) => {
    const authority = await makeAuthority(new Date());
    const port = await showing(await authority.issue(names, validity));
    for (const disabled of ['0', '1']) {
      vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', disabled);
      const steps = await go({ port, tls: { authorities: { pem: authority.ca } } });
      vi.unstubAllEnvs();
      expect(told(steps)).toEqual(['dns', 'tcp', 'tls: TargetTlsFailed']);
      expect(wrong(steps).says).toBe(`The server localhost:${port} could not be verified by TLS (${code}).`);
      expect(wrong(steps).hint).toMatch(hint);
    }
  });

  test('tls: another authority, and the password is not sent', async () => {
    const before = await logins();
    const { ca } = await makeAuthority(new Date());
    for (const authorities of [{ pem: ca }, 'system'] as const) {
      const steps = await go({ tls: { authorities } });
      expect(told(steps)).toEqual(['dns', 'tcp', 'tls: TargetTlsFailed']);
      expect(wrong(steps).hint).toContain('for Amazon RDS and Aurora that is "rds"');
    }
    expect(await logins()).toBe(before);
  });

  test('tls: a file of authorities that is not there', async () => {
    const steps = await go({ tls: { authorities: { path: '/none.pem' } } });
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls: DeploymentInvalid']);
  });

  test('login: a wrong password, after one attempt', async () => {
    const before = await logins();
    const steps = await go({ password: new Sensitive('canary-Zk49wQpL') });
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls', 'login: CredentialRejected']);
    expect((await logins()) - before).toBe(1);
    expect(inspect(steps, { depth: 10, showHidden: true })).not.toContain('canary');
  });
});

describe('the addresses of a name', () => {
  const six = (last: number) => ({ address: `100::${last}`, family: 6 });
  const four = { address: '127.0.0.1', family: 4 };

  test('IPv4 is tried, however many of IPv6 come first', async () => {
    const found = [six(1), six(2), six(3), six(4), four];
    const steps = await reach(loginTo(), { askTls, login }, 5_000, async () => found);
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls', 'login']);
    expect(steps[0]).toMatchObject({ says: 'localhost is 127.0.0.1, 100::1, 100::2' });
  });

  test('where none accepts, the answer is that of the first', async () => {
    const port = await freePort();
    const steps = await reach(loginTo({ port }), { askTls, login }, 100, async () => [six(1), four]);
    expect(wrong(steps).says).toContain('ECONNREFUSED');
  });

  test('one that does not answer keeps nobody waiting for another', async () => {
    const silent = { address: '100::1', family: 4 };
    const steps = await reach(loginTo(), { askTls, login }, 60_000, async () => [silent, four]);
    expect(told(steps)).toEqual(['dns', 'tcp', 'tls', 'login']);
    expect(steps[1]).toMatchObject({ says: `127.0.0.1, port ${server.port}, accepts a connection` });
    // The one that was not taken is given up, too.
    expect(process.getActiveResourcesInfo()).not.toContain('ConnectWrap');
  });

  test('a name without any', async () => {
    const steps = await reach(loginTo(), { askTls, login }, 100, async () => []);
    expect(told(steps).at(-1)).toMatch(/: TargetUnreachable$/);
  });
});

test('no timer and no socket is left, whatever the way was', async () => {
  const limit = 54_321;
  const started = vi.spyOn(globalThis, 'setTimeout');
  const cleared = vi.spyOn(globalThis, 'clearTimeout');
  const open = new Set<Socket>();
  const cut = await serverThat((socket) => socket.resume().end(), open);
  const other = await serverThat((socket) => socket.resume().write('hello'), open);
  try {
    for (const changes of [{}, { host: '127.0.0.1', port: cut }, { host: '127.0.0.1', port: other }]) {
      await go(changes, limit);
    }
    const timers = started.mock.calls.flatMap(([, delay], at) =>
      delay === limit ? [started.mock.results[at]?.value] : [],
    );
    expect(timers.length).toBeGreaterThanOrEqual(8);
    const ended = new Set(cleared.mock.calls.map(([timer]) => timer));
    expect(timers.filter((timer) => !ended.has(timer))).toEqual([]);
  } finally {
    vi.restoreAllMocks();
  }
  await vi.waitUntil(() => open.size === 0, { timeout: 20_000 });
  // The server's own processes, one for each connection; ours is that of `admin`.
  await vi.waitUntil(
    async () => {
      const { rows } = await admin.query(
        "SELECT count(*)::int AS open FROM pg_stat_activity WHERE backend_type = 'client backend'",
      );
      return rows[0]?.open === 1;
    },
    { timeout: 20_000 },
  );
});
