/** An account with a deployed example, a platform that runs in it, and the CLI pointed at both. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCli } from '../../bin/cli/run.ts';
import type { Terminal } from '../../bin/cli/terminal.ts';
import { type Operator, operator } from '../../lambdas/adapters/aws/operator.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { readDeployments } from '../../lib/deployment/read.ts';
import { type Account, startAccount } from '../../lib/rehearsal/endpoint/account.ts';
import { type AccountClient, accountClient } from '../../lib/rehearsal/endpoint/account-client.ts';
import { freePort } from '../../lib/rehearsal/endpoint/free-port.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import { synthesise } from '../../lib/rehearsal/synthesise.ts';
import { ocore } from '../../lib/rehearsal/twins/ocore.ts';
import { type Provider, startProvider } from '../../lib/rehearsal/twins/provider.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';

/** Waits of the state machine shrink by this: the day and a half of the prove stage's tries is a few seconds. */
const compression = 60_000;

export const program = fileURLToPath(new URL('../../bin/keyturn.mjs', import.meta.url));

export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A door in front of the platform: open it passes requests on, shut it answers 503. */
export interface Gate {
  readonly url: string;
  open: boolean;
}

export interface AccountWorld {
  readonly client: AccountClient;
  readonly account: Account;
  readonly person: Operator;
  readonly provider: Provider;
  readonly gate: Gate;
  readonly file: string;
  /** Where the platform's stored data lies. */
  readonly database: Postgres;
  /** Every output of every command so far. */
  readonly printed: string[];
  /** `keyturn …` as a process of its own. */
  spawned(argv: readonly string[], stdin?: string): Promise<Run>;
  /** `keyturn …` in this process: the same code, without the time that a process takes to start. */
  inside(argv: readonly string[], stdin?: string): Promise<Run>;
  /** As `inside`, against this endpoint. */
  elsewhere(argv: readonly string[], endpoint: string): Promise<Run>;
  stop(): Promise<void>;
}

/** Secret's name -> its first value, as people put it there before Keyturn came. */
const values = seeded(7);
export const firstValues = {
  'ocore/jwt': { JWT_SECRET: values.bytes('JWT_SECRET', 48).toString('base64') },
  'ocore/health-check-token': { HEALTH_CHECK_TOKEN: values.bytes('HEALTH', 20).toString('hex') },
  'ocore/ssh-encryption-key': { SSH_ENCRYPTION_KEY: values.bytes('SSH', 48).toString('base64') },
  'ocore/store-key': {
    STORE_KEY: `${values.bytes('STORE', 32).toString('base64url')}=`,
    STORE_KEYS_BEFORE: '',
  },
  'ocore/provider-key': { PROVIDER_KEY: `sk-${values.bytes('PROVIDER', 30).toString('base64url')}` },
};

export async function startAccountWorld(): Promise<AccountWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-cli-'));
  const port = await freePort();
  const [provider, database] = await Promise.all([startProvider(), startPostgres()]);
  const { gate, server: gateServer } = await startGate(port);
  const file = join(folder, 'deployment.json');
  writeFileSync(file, JSON.stringify(deployment(port, gate.url, provider.url, database.ca ?? '')));
  const account = await startAccount({ compression });
  const client = accountClient(account.url);
  const person = operator({
    region: 'eu-central-1',
    endpoint: account.url,
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
  });
  await person.create(
    'ocore/sweeper',
    new Sensitive(JSON.stringify({ DATABASE_URL: database.url('postgres') })),
  );
  const [template = ''] = synthesise(readDeployments([file]));
  await client.deploy(template);
  await testRunsOver(client);
  for (const [name, value] of Object.entries(firstValues)) {
    await person.edit(name, new Sensitive(JSON.stringify(value)));
  }
  await startPlatform(client, port);

  const printed: string[] = [];
  const common = ['--deployment', file, '--endpoint', account.url];
  const noted = (run: Run) => {
    printed.push(run.stdout, run.stderr);
    return run;
  };
  return {
    client,
    account,
    person,
    provider,
    gate,
    file,
    database,
    printed,
    spawned: async (argv, stdin = '') => noted(await spawned([...argv, ...common], stdin)),
    inside: async (argv, stdin = '') => noted(await inside([...argv, ...common], stdin)),
    elsewhere: async (argv, endpoint) =>
      noted(await inside([...argv, '--deployment', file, '--endpoint', endpoint], '')),
    async stop() {
      await account.stop();
      await provider.close();
      await database.stop();
      gateServer.closeAllConnections();
      await new Promise((resolve) => gateServer.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The example of oCore on loopback, with a key of a provider and one of stored data beside its own secrets. */
function deployment(port: number, gateUrl: string, providerUrl: string, ca: string): object {
  const example = JSON.parse(readFileSync(new URL('../../lib/examples/ocore.json', import.meta.url), 'utf8'));
  const { JWT_SECRET, HEALTH_CHECK_TOKEN, SSH_ENCRYPTION_KEY } = example.secrets;
  return {
    ...example,
    url: `http://127.0.0.1:${port}`,
    secrets: {
      JWT_SECRET: { ...JWT_SECRET, onDemand: 'any-time' },
      HEALTH_CHECK_TOKEN: {
        source: HEALTH_CHECK_TOKEN.source,
        consumers: ['backend'],
        probe: {
          kind: 'http',
          url: `${gateUrl}/api/health`,
          headers: { authorization: 'Bearer {HEALTH_CHECK_TOKEN}' },
          accepted: { status: [200], present: '/version' },
          refused: { status: [200, 401, 403], absent: '/version' },
        },
      },
      SSH_ENCRYPTION_KEY,
      STORE_KEY: {
        class: 'encryption-keyring',
        source: { create: { name: 'ocore/store-key' } },
        options: { variable: 'STORE_KEY', accepted: 'STORE_KEYS_BEFORE', format: { encoding: 'fernet' } },
        consumers: ['backend'],
        reencrypt: [
          {
            kind: 'postgres',
            connection: { secret: 'ocore/sweeper', member: 'DATABASE_URL' },
            tls: { ca },
            columns: [{ table: 'credentials', column: 'sealed', codec: { id: 'fernet' } }],
          },
        ],
      },
      PROVIDER_KEY: {
        class: 'operator-supplied',
        source: { create: { name: 'ocore/provider-key' } },
        options: { variable: 'PROVIDER_KEY', rules: { minimumLength: 20 } },
        consumers: ['backend'],
        probe: {
          kind: 'http',
          url: `${providerUrl}/v1/models`,
          headers: { 'x-api-key': '{PROVIDER_KEY}' },
          accepted: { status: [200] },
          refused: { status: [401] },
        },
      },
    },
  };
}

async function startPlatform(client: AccountClient, port: number): Promise<void> {
  const { backend } = ocore.consumers;
  if (backend === undefined) throw new Error('the twin has no backend');
  const provider = await startProvider();
  const twins = { seeded: values, provider };
  const variables = Object.entries(firstValues).flatMap(([name, value]) =>
    Object.keys(value).map((variable) => [
      variable,
      `arn:aws:secretsmanager:eu-central-1:111122223333:secret:${name}:${variable}::`,
    ]),
  );
  await client.defineService({
    cluster: 'ocore',
    service: 'backend',
    desiredCount: 1,
    command: backend.command,
    cwd: backend.cwd,
    environment: { ...backend.environment(twins, {}), ...ocore.secrets.DATABASE_URL?.initial(twins) },
    secrets: Object.fromEntries(variables),
    healthPath: backend.healthPath,
    port,
  });
  await provider.close();
}

/** Secrets Manager tests each schedule when it is saved; until then RotateSecret is refused. */
async function testRunsOver(client: AccountClient): Promise<void> {
  while ((await client.rotations()).some(({ status }) => status === 'running')) await pause(20);
}

async function startGate(port: number): Promise<{ gate: Gate; server: Server }> {
  const gate = { url: '', open: true };
  const server = createServer((incoming, response) => {
    if (!gate.open) {
      response.writeHead(503).end();
      return;
    }
    const { method, url, headers } = incoming;
    const onward = request({ port, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  gate.url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  return { gate, server };
}

/** `keyturn` as a process of its own, its streams pipes. */
export function spawned(argv: readonly string[], stdin: string): Promise<Run> {
  const child = spawn(process.execPath, [program, ...argv], { stdio: 'pipe' });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // A command that refuses its arguments does not read.
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({
        code: code ?? -1,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
}

async function inside(argv: readonly string[], stdin: string): Promise<Run> {
  const { terminal, stdout, stderr } = injected(Readable.from([Buffer.from(stdin)]));
  const code = await runCli(argv, terminal);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** A terminal of strings. @param tty whether all three streams say that they are terminals */
export function injected(stdin: Terminal['stdin'], tty = false) {
  const out: string[] = [];
  const err: string[] = [];
  const stream = (into: string[]) => ({ isTTY: tty, columns: 100, write: (text: string) => into.push(text) });
  const terminal: Terminal = {
    stdin,
    stdout: stream(out),
    stderr: stream(err),
    environment: {},
    userName: () => 'jane',
  };
  return { terminal, stdout: () => out.join(''), stderr: () => err.join('') };
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
