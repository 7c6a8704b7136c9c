/** `keyturn preflight` against an account: the real function in its own process, and a real PostgreSQL. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../bin/cli/run.ts';
import { type Operator, operator } from '../../lambdas/adapters/aws/operator.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { readDeployments } from '../../lib/deployment/read.ts';
import { type Account, startAccount } from '../../lib/rehearsal/endpoint/account.ts';
import { type AccountClient, accountClient } from '../../lib/rehearsal/endpoint/account-client.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import { synthesise } from '../../lib/rehearsal/synthesise.ts';
import { injected, pause, type Run } from './account-world.ts';
import { deployment } from './preflight-deployment.ts';

let [server, admin]: [Postgres?, Client?] = [];
let account: Account;
let client: AccountClient;
let person: Operator;
const folder = mkdtempSync(join(tmpdir(), 'keyturn-preflight-'));
const file = join(folder, 'deployment.json');
const printed: string[] = [];
const arns = new Map<string, string>();

/** Values that may be nowhere but in Secrets Manager and on the way to the server. */
const passwords = {
  single: 'canary-single-8fJq2Lm',
  pair_a: 'canary-pair-Wn5tR0x',
  pair_admin: 'canary-admin-Yb7cD3k',
  wrong: 'canary-wrong-Hs4vG9z',
  token: 'canary-token-Pd1uE6a',
};
const url = (user: keyof typeof passwords, at = `localhost:${server?.port}`) =>
  JSON.stringify({ DATABASE_URL: `postgresql://${user}:${passwords[user]}@${at}/postgres` });
const rightValues = () => ({
  'shop/single': url('single'),
  'shop/pair': url('pair_a'),
  'shop/admin': JSON.stringify({ username: 'pair_admin', password: passwords.pair_admin }),
  'shop/token': JSON.stringify({ TOKEN: passwords.token }),
  'stranger/single': url('single'),
});

beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all', log_connections: 'on' } });
  admin = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  await admin.connect();
  // The statements are in the server's log; only what functions send is looked for there.
  await admin.query('SET log_statement = none');
  for (const user of ['single', 'pair_a', 'pair_admin'] as const) {
    await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD '${passwords[user]}'`);
  }
  writeFileSync(file, JSON.stringify(deployment(server.ca ?? '')));
  // A report names users, hosts and ports: only passwords and tokens are secret.
  account = await startAccount({ publicMembers: ['username'] });
  client = accountClient(account.url);
  person = operator({
    region: 'eu-central-1',
    endpoint: account.url,
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
  });
  for (const [name, value] of Object.entries(rightValues())) {
    arns.set(name, await person.create(name, new Sensitive(value)));
  }
  await person.create('shop/master', new Sensitive('{"username":"m","password":"canary-master-Kx2"}'));
  const [template = ''] = synthesise(readDeployments([file]));
  await client.deploy(template);
  while ((await client.rotations()).some(({ status }) => status === 'running')) await pause(20);
}, 240_000);

afterAll(async () => {
  await account?.stop();
  await admin?.end();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

let changed = new Set<string>();
beforeEach(async () => {
  const values: Record<string, string> = rightValues();
  for (const name of changed) await person.edit(name, new Sensitive(values[name] ?? ''));
  changed = new Set();
});

async function change(name: string, value: string): Promise<void> {
  changed.add(name);
  await person.edit(name, new Sensitive(value));
}

async function preflight(...argv: string[]): Promise<Run> {
  const { terminal, stdout, stderr } = injected(Readable.from([]));
  const code = await runCli(
    ['preflight', ...argv, '--deployment', file, '--endpoint', account.url],
    terminal,
  );
  printed.push(stdout(), stderr());
  return { code, stdout: stdout(), stderr: stderr() };
}

interface Report {
  readonly ok: boolean;
  readonly functionName: string;
  readonly steps: readonly {
    of: string;
    step: string;
    ok: boolean;
    code: string | null;
    hint: string | null;
  }[];
}

/** With `--json`: each step that passes by its name, the one that fails with its code. */
async function told(key: string): Promise<{ code: number; steps: string[] }> {
  const { code, stdout } = await preflight(key, '--json');
  const { ok, steps } = JSON.parse(stdout) as Report;
  expect(ok).toBe(code === 0);
  return { code, steps: steps.map((one) => `${one.of}: ${one.ok ? one.step : `${one.step} ${one.code}`}`) };
}

/** How often the server let a user in, and how often it did not. */
async function logins(user: string): Promise<{ in: number; out: number }> {
  const mark = `mark-${Math.random()}`;
  await admin?.query(`DO $$ BEGIN RAISE LOG '${mark}'; END $$`);
  await vi.waitUntil(async () => (await server?.log())?.includes(mark), { timeout: 20_000, interval: 20 });
  const log = (await server?.log()) ?? '';
  const count = (text: string) => log.split(text).length - 1;
  return {
    in: count(`connection authorized: user=${user} `),
    out: count(`password authentication failed for user "${user}"`),
  };
}

const way = ['read', 'dns', 'tcp', 'tls', 'login'];

describe('where all is well', () => {
  test('every step is told, and the command ends with 0', async () => {
    const before = await logins('single');
    const run = await preflight('SINGLE');
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^SINGLE, seen from keyturn-shop-database-credential\n/);
    for (const step of [...way, 'test'])
      expect(run.stdout).toMatch(new RegExp(`  current value +${step} +ok `));
    expect(run.stdout).toMatch(/Every step passes\.\n$/);
    // The way, and the test of the class.
    expect(await logins('single')).toEqual({ in: before.in + 2, out: before.out });
  });

  test('the administrator is told apart', async () => {
    const steps = ['current value', 'administrator'].flatMap((of) =>
      way.filter((step) => of === 'current value' || step !== 'read').map((step) => `${of}: ${step}`),
    );
    expect(await told('PAIR')).toEqual({ code: 0, steps: [...steps, 'current value: test'] });
  });

  test('a secret without a server is read and tested', async () => {
    expect(await told('TOKEN')).toEqual({ code: 0, steps: ['current value: read', 'current value: test'] });
  });

  test('nothing is written, by the command or by the function', async () => {
    const from = (await client.callRecords()).next;
    const before = await person.labels('shop/pair');
    await preflight('PAIR');
    const { items } = await client.callRecords(from);
    const made = items.filter(({ operation }) => operation !== 'Invoke');
    const calls = new Set(made.map(({ caller, operation }) => `${caller}: ${operation}`));
    const name = 'keyturn-shop-database-credential';
    expect([...calls].sort()).toEqual([
      `${name}: DescribeSecret`,
      `${name}: GetSecretValue`,
      'operator: DescribeSecret',
    ]);
    expect(await person.labels('shop/pair')).toEqual(before);
  });
});

describe('where something is wrong, it ends with 1', () => {
  const own = (...steps: string[]) => steps.map((step) => `current value: ${step}`);

  test.each([
    ['a name that nobody has', 'keyturn.invalid:5432', own('read', 'dns TargetUnreachable')],
    ['a port where nothing listens', '127.0.0.1:9', own('read', 'dns', 'tcp TargetUnreachable')],
  ])('%s', async (_what, at, steps) => {
    await change('shop/single', url('single', at));
    expect(await told('SINGLE')).toEqual({ code: 1, steps });
  });

  test('a password that is refused is tried once, and the hint says why that may be', async () => {
    await change('shop/single', url('single').replace(passwords.single, passwords.wrong));
    const before = await logins('single');
    const run = await preflight('SINGLE');
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(
      /current value +login +failed .*\(SQLSTATE 28P01\)\. \(CredentialRejected\)\n/,
    );
    expect(run.stdout).not.toContain('test');
    expect(run.stdout).toMatch(
      /The current value fails at login\.\n {2}→ An expired password \(rolvaliduntil\) and a role that does not exist/,
    );
    expect(await logins('single')).toEqual({ in: before.in, out: before.out + 1 });
  });

  test('an administrator whose password is wrong is not taken for the credential', async () => {
    await change('shop/admin', JSON.stringify({ username: 'pair_admin', password: passwords.wrong }));
    const before = await logins('pair_admin');
    const { code, steps } = await told('PAIR');
    expect(code).toBe(1);
    expect(steps.slice(0, 5)).toEqual(own(...way));
    expect(steps.at(-1)).toBe('administrator: login CredentialRejected');
    expect(await logins('pair_admin')).toEqual({ in: before.in, out: before.out + 1 });
  });

  test.each([
    ['has not the member', '{}', 'DocumentInvalid'],
    [
      'is one of the users that it prepares',
      JSON.stringify({ username: 'pair_b', password: 'any' }),
      'AdministratorRejected',
    ],
  ])('an administrator whose secret %s is tried nowhere', async (_what, value, code) => {
    await change('shop/admin', value);
    expect((await told('PAIR')).steps.at(-1)).toBe(`administrator: read ${code}`);
  });

  test.each([
    ['no JSON', `not-json-${passwords.wrong}`],
    ['no connection string', JSON.stringify({ OTHER: passwords.wrong })],
    ['a server of another kind', url('single').replace('postgresql:', 'mysql:')],
  ])('a value that is %s', async (_what, value) => {
    await change('shop/single', value);
    const { code, steps } = await told('SINGLE');
    expect(code).toBe(1);
    expect(steps.at(-1)).toMatch(/^current value: read (DocumentInvalid|DsnInvalid)$/);
  });
});

describe('refused are', () => {
  test('a function of an older version', async () => {
    await client.faultInvocation({
      kind: 'refuse',
      pattern: { keyturn: ['preflight'] },
      errorType: 'EventInvalid',
    });
    const run = await preflight('SINGLE');
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toBe(
      'The function keyturn-shop-database-credential failed with EventInvalid.\nIt may be older than this command: deploy the stack again.\n',
    );
    expect(await client.pendingFaults()).toBe(0);
  });

  test('a secret that another service rotates', async () => {
    const run = await preflight('MASTER', '--json');
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({ error: { code: 'OperationRefused' } });
    expect(run.stdout).toContain('MASTER is rotated by the service that manages it');
  });

  test.each([
    ['of a stranger', 'stranger/single'],
    ['of another function of this deployment', 'shop/token'],
  ])('a secret %s, before it is touched', async (_whose, name) => {
    const from = (await client.callRecords()).next;
    const event = { keyturn: 'preflight', SecretId: arns.get(name) ?? '' };
    const made = await client.invoke('keyturn-shop-database-credential', event);
    expect(made).toMatchObject({ ok: false, errorType: 'StepRefused' });
    const { items } = await client.callRecords(from);
    expect(items.filter(({ caller }) => caller.includes('database-credential'))).toEqual([]);
  });

  test.each([
    ['without a secret', { keyturn: 'preflight' }],
    ['with a name for an ARN', { keyturn: 'preflight', SecretId: 'shop/single' }],
    ['of another kind', { keyturn: 'rotate', SecretId: 'arn:aws:secretsmanager:eu-central-1:1:secret:x' }],
  ])('an event %s', async (_what, event) => {
    const made = await client.invoke('keyturn-shop-database-credential', event);
    expect(made).toMatchObject({ ok: false, errorType: 'EventInvalid' });
  });
});

test('no value was printed or logged, by anybody', async () => {
  expect(printed.length).toBeGreaterThan(15);
  const seen = [...printed, ...account.logs.map(({ line }) => line), (await server?.log()) ?? ''].join('\n');
  expect(seen).toContain('database-credential');
  for (const value of Object.values(passwords)) expect(seen).not.toContain(value);
  expect((await client.leaks()).leaks).toEqual([]);
});
