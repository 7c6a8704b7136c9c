/** The hook with its adapter against Systems Manager over HTTP, whose hosts run the script with sh. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemsManager } from '../../../lambdas/adapters/consumers/compose.ts';
import { KeyturnError, publicError } from '../../../lambdas/contract/errors.ts';
import type { Renewing } from '../../../lambdas/contract/hooks.ts';
import type { Clock } from '../../../lambdas/contract/ports.ts';
import { rewriteProgram } from '../../../lambdas/hooks/compose/rewrite.ts';
import { exitCodes, hostScript } from '../../../lambdas/hooks/compose/script.ts';
import { hook } from '../../../lambdas/hooks/redeploy/compose.ts';
import { AwsStandIn, type Host } from './stand-ins/aws.ts';
import { ComposeHost, python, type ServicePlan } from './stand-ins/compose-host.ts';
import { readEnvironment } from './stand-ins/env-file.mjs';

const secretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/token-AbCdEf';
const version = '11111111-2222-3333-4444-555555555555';
const canary = 'LEAKME';

/** What breaks a file, a shell or an interpolation. */
const hostile: Readonly<Record<string, string>> = {
  PLAIN: `${canary}-plain`,
  SINGLE: `${canary}'single'`,
  DOUBLE: `${canary}"double"`,
  BOTH: `'${canary}"both"'`,
  DOLLAR: `${canary}$HOME\${PLAIN}$$`,
  DOLLAR_QUOTE: `${canary}'$HOME'\${PLAIN}$$x`,
  BACKSLASH: `${canary}\\n\\\\t\\`,
  BACKSLASH_QUOTE: `\\'${canary}\\\\'\\"`,
  NUMBER_SIGN: `${canary} # no comment`,
  LINES: `${canary}\nOTHER=injected\n# no comment\n`,
  CARRIAGE: `${canary}\r\nx`,
  TABS: `\t${canary}\t `,
  SHELL: `${canary}\`id\`$(id);|&<>*?`,
  EQUALS: `=${canary}==`,
  UNICODE: `${canary}-é-漢字-😀`,
  EMPTY: '',
  LONG: `${canary}${"x'$\\".repeat(1024)}`,
};

const hosts: ComposeHost[] = [];
// After all of them: tests of the script run side by side.
afterAll(() => {
  for (const host of hosts) host.remove();
});

function host(services: Readonly<Record<string, ServicePlan>> = { web: {}, worker: {} }): ComposeHost {
  const document = JSON.stringify({ ...hostile, _keyturn: '{}' });
  const made = new ComposeHost({
    canary,
    secrets: { [secretId]: { [version]: document } },
    services: { ...services },
  });
  hosts.push(made);
  writeFileSync(join(made.directory, '.env'), before);
  return made;
}

const before = "# kept\nFIRST=1\nPLAIN=old # why\nexport SINGLE = 'old'\n\nLAST=$FIRST\n";

function script(on: ComposeHost, overrides: Partial<Parameters<typeof hostScript>[0]> = {}): string {
  return hostScript({
    ...{ secretId, versionId: version, region: 'eu-central-1', directory: on.directory, file: '.env' },
    variables: { PLAIN: 'PLAIN', SINGLE: 'SINGLE' },
    ...{
      services: ['web', 'worker'],
      healthSeconds: 5,
      steadySeconds: 1,
      since: new Date(Date.now() - 1),
      gatherSeconds: 0,
    },
    ...overrides,
  });
}

const envOf = (on: ComposeHost) => readFileSync(join(on.directory, '.env'), 'utf8');

describe.concurrent('the script', () => {
  it('gives every hostile value to the containers exactly, and shows it nowhere', async ({ expect }) => {
    const on = host({ web: { scale: 2 } });
    const names = Object.fromEntries(Object.keys(hostile).map((name) => [name, name]));
    const { exitCode, output } = await on.run(script(on, { variables: names, services: ['web'] }));
    expect(output).toMatch(/^keyturn service web 2 0 \d{4}-[0-9T:.-]+Z \d+\nkeyturn exit 0\n$/);
    expect(exitCode).toBe(0);
    for (const { environment } of on.state.containers) expect(environment).toMatchObject(hostile);
    expect(on.state.containers[0]?.environment).toMatchObject({ FIRST: '1', LAST: '1' });
    expect(on.leaks).toBe('');
    expect(on.printed + JSON.stringify(on.calls)).not.toContain(canary);
    // Two containers, a file that was replaced: nothing else is left.
    expect(readdirSync(on.directory)).toEqual(['.env']);
  });

  it('recreates the services in their order, each without those that it depends on', async ({ expect }) => {
    const on = host({ web: { temper: 'slow' }, worker: {} });
    const { output } = await on.run(script(on, { services: ['worker', 'web'] }));
    expect(on.state.recreated).toEqual(['worker', 'web']);
    expect(output.match(/service (\w+)/g)).toEqual(['service worker', 'service web']);
    const ups = on.calls.filter((call) => call[2] === 'up');
    expect(ups[0]).toEqual(['docker', 'compose', 'up', '-d', '--force-recreate', '--no-deps', 'worker']);
  });

  it('does not do the same restart twice, and does another one', async ({ expect }) => {
    const on = host({ web: {} });
    const since = new Date();
    await on.run(script(on, { services: ['web'], since }));
    const again = await on.run(script(on, { services: ['web'], since }));
    expect(again.exitCode).toBe(0);
    expect(again.output).toMatch(/^keyturn service web 1 0 /);
    expect(on.state.recreated).toEqual(['web']);
    await on.run(script(on, { services: ['web'], since: new Date() }));
    expect(on.state.recreated).toEqual(['web', 'web']);
  });

  it('waits for another one on the same directory', async ({ expect }) => {
    const on = host({ web: {} });
    const since = new Date();
    const both = await Promise.all([1, 2].map(() => on.run(script(on, { services: ['web'], since }))));
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(on.state.recreated).toEqual(['web']);
  });

  it.each([
    ['never becomes healthy', 'never', 71, 'keyturn unhealthy web'],
    ['flaps', 'flapping', 71, 'keyturn unhealthy web'],
    ['does not come up', 'fails', 70, 'keyturn failed web'],
  ] as const)('stops at a service that %s, and leaves the next alone', async (_what, temper, code, line) => {
    const on = host({ web: { temper }, worker: {} });
    const { exitCode, output } = await on.run(script(on));
    expect({ exitCode, output }).toEqual({ exitCode: code, output: `${line}\nkeyturn exit ${code}\n` });
    expect(on.state.recreated).not.toContain('worker');
    expect(on.printed).not.toContain(canary);
  });

  it.each([
    ['the version is not readable', { versionId: version.replace('1', '9') }, 65],
    ['the document lacks the variable', { variables: { PLAIN: 'MISSING' } }, 66],
    ['the file is not there', { file: 'absent.env' }, 68],
    ['the directory is not there', { directory: '/nowhere/at/all' }, 72],
  ] as const)('changes nothing when %s', async (_what, overrides, code) => {
    const on = host();
    const { exitCode, output } = await on.run(script(on, overrides));
    expect({ exitCode, output }).toEqual({ exitCode: code, output: `keyturn exit ${code}\n` });
    expect(exitCodes.has(code)).toBe(true);
    expect(envOf(on)).toBe(before);
    expect(on.state.recreated).toEqual([]);
  });

  it('changes nothing where a tool is missing', async ({ expect }) => {
    const on = host();
    rmSync(join(on.bin, 'docker'));
    // Where the machine has a docker of its own, that one lacks compose or its daemon.
    writeFileSync(join(on.bin, 'docker'), '#!/bin/sh\nexit 1\n');
    chmodSync(join(on.bin, 'docker'), 0o755);
    expect((await on.run(script(on))).output).toBe('keyturn exit 64\n');
    expect(envOf(on)).toBe(before);
  });

  it('does not take a container for young that only started anew', async ({ expect }) => {
    const on = host({ web: {} });
    const since = new Date();
    await on.run(script(on, { services: ['web'], variables: { SINGLE: 'SINGLE' }, since }));
    const { state } = on;
    writeFileSync(join(on.directory, '.env'), envOf(on).replace('PLAIN=old', `PLAIN='${hostile.PLAIN}'`));
    for (const container of state.containers) container.startedAt = Date.now() + 1000;
    on.write(state);
    await on.run(script(on, { services: ['web'], since }));
    expect(on.state.recreated).toEqual(['web', 'web']);
    expect(on.state.containers[0]?.environment.PLAIN).toBe(hostile.PLAIN);
  });

  it('killed while docker works leaves the new file, and starts anew when it is run again', async ({
    expect,
  }) => {
    const on = host({ web: { hang: true } });
    const killed = await on.run(script(on, { services: ['web'] }), () => on.state.recreated.length > 0);
    expect(killed.exitCode).toBe(137);
    expect(readEnvironment(envOf(on))).toMatchObject({ PLAIN: hostile.PLAIN, FIRST: '1' });
    on.plan('web', {});
    expect((await on.run(script(on, { services: ['web'] }))).exitCode).toBe(0);
    expect(on.state.recreated).toEqual(['web', 'web']);
  });

  it('holds no braces that Systems Manager would replace, and fits into a parameter', () => {
    const text = script(host());
    expect(text).not.toContain('{{');
    expect(text.length).toBeLessThan(12_000);
  });
});

describe('the file', () => {
  let folder: string;
  let file: string;
  const document = (values: Readonly<Record<string, string>>) =>
    writeFileSync(join(folder, 'answer'), JSON.stringify({ SecretString: JSON.stringify(values) }));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyturn-file-'));
    file = join(folder, '.env');
    writeFileSync(join(folder, 'aws'), `#!/bin/sh\ncat '${folder}/answer'\n`);
    chmodSync(join(folder, 'aws'), 0o755);
    document({ TOKEN: "new'$value" });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function rewrite(names: readonly string[] = ['TOKEN'], environment: Readonly<Record<string, string>> = {}) {
    const pairs = names.map((name) => `${name}=${name}`);
    const { status, signal, stdout, stderr } = spawnSync(
      python,
      ['-c', rewriteProgram, secretId, version, 'eu-central-1', file, ...pairs],
      { encoding: 'utf8', env: { PATH: `${folder}:/usr/bin:/bin`, ...environment } },
    );
    return { code: status ?? signal, printed: stdout + stderr };
  }

  const fresh = `"new'\\$value"`;
  it.each([
    ['replaces in its place', 'A=1\nTOKEN=old\nB=2\n', `A=1\nTOKEN=${fresh}\nB=2\n`],
    ['adds what is not there', 'A=1', `A=1\nTOKEN=${fresh}\n`],
    ['fills an empty file', '', `TOKEN=${fresh}\n`],
    [
      'keeps comments, blank lines and order',
      '# TOKEN=x\n\n B=2\nTOKEN=old\n#end',
      `# TOKEN=x\n\n B=2\nTOKEN=${fresh}\n#end`,
    ],
    ['keeps a comment behind the value', 'TOKEN=old # why\n', `TOKEN=${fresh} # why\n`],
    ['keeps a comment behind a quoted value', "TOKEN='old' # why\n", `TOKEN=${fresh} # why\n`],
    ['knows export and spaces', 'export TOKEN = old\n', `export TOKEN =${fresh}\n`],
    ['knows the form with a colon', 'TOKEN: old\n', `TOKEN=${fresh}\n`],
    ['replaces each occurrence', 'TOKEN=a\nTOKEN=b\n', `TOKEN=${fresh}\nTOKEN=${fresh}\n`],
    ['replaces a value of many lines as one', "TOKEN='a\nB=no\n'\nB=2\n", `TOKEN=${fresh}\nB=2\n`],
    ['is not misled by a name inside a value', "A='\nTOKEN=x\n'\n", `A='\nTOKEN=x\n'\nTOKEN=${fresh}\n`],
    ['is not misled by a longer name', 'MY_TOKEN=a\nTOKENS=b\n', `MY_TOKEN=a\nTOKENS=b\nTOKEN=${fresh}\n`],
    [
      'is not misled by an escaped quote',
      'A="\\"\nTOKEN=x"\nTOKEN=old\n',
      `A="\\"\nTOKEN=x"\nTOKEN=${fresh}\n`,
    ],
    ['keeps the line ends of Windows', 'A=1\r\nTOKEN=old\r\nB=2\r\n', `A=1\r\nTOKEN=${fresh}\r\nB=2\r\n`],
    ['keeps bytes that are no UTF-8', 'A=\xff\nTOKEN=old\n', `A=\xff\nTOKEN=${fresh}\n`],
  ])('%s', (_what, old, expected) => {
    writeFileSync(file, Buffer.from(old, 'latin1'));
    expect(rewrite()).toEqual({ code: 10, printed: '' });
    expect(readFileSync(file, 'latin1')).toBe(expected);
  });

  it('takes single quotes where they are enough, since they are literal in every release', () => {
    document({ TOKEN: '$HOME "x" \\n # y' });
    writeFileSync(file, '');
    expect(rewrite()).toEqual({ code: 10, printed: '' });
    expect(readFileSync(file, 'utf8')).toBe(`TOKEN='$HOME "x" \\n # y'\n`);
    expect(rewrite()).toEqual({ code: 0, printed: '' });
  });

  it('keeps owner, group and mode, and follows a link', () => {
    const real = join(folder, 'real.env');
    writeFileSync(real, 'TOKEN=old\n');
    chmodSync(real, 0o640);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) chownSync(real, 1234, 2345);
    symlinkSync('real.env', file);
    expect(rewrite().code).toBe(10);
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    const { mode, uid, gid } = statSync(real);
    expect(mode & 0o7777).toBe(0o640);
    if (isRoot) expect([uid, gid]).toEqual([1234, 2345]);
  });

  it.each([
    ['a quote that is never closed', "A='x\nTOKEN=old\n", { TOKEN: 'x' }, 67],
    ['a value that no environment can hold', 'TOKEN=old\n', { TOKEN: 'a\0b' }, 66],
  ])('is left alone for %s', (_what, old, values, code) => {
    writeFileSync(file, old);
    document(values);
    expect(rewrite()).toEqual({ code, printed: '' });
    expect(readFileSync(file, 'utf8')).toBe(old);
  });

  it.each(
    ['unlink', 'open', 'write', 'fchown', 'fchmod', 'fsync', 'rename', 'close'].flatMap((call) =>
      ['before', 'after'].map((when) => [when, call] as const),
    ),
  )('is the old or the new one when the process is killed %s %s', (when, call) => {
    writeFileSync(
      join(folder, 'sitecustomize.py'),
      `import os, signal
real = os.${call}
def deadly(*given, **named):
    # Files of the interpreter itself are opened with other flags.
    if ${call === 'open' ? 'given[1] & os.O_EXCL' : 'True'}:
        if "${when}" == "after": real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **named)
os.${call} = deadly
`,
    );
    const old = 'A=1\nTOKEN=old\n';
    writeFileSync(file, old);
    // What an earlier crash left.
    writeFileSync(join(folder, '..env.keyturn'), 'half');
    const killed = rewrite(['TOKEN'], { PYTHONPATH: folder });
    expect(killed.code).toBe('SIGKILL');
    expect([old, `A=1\nTOKEN=${fresh}\n`]).toContain(readFileSync(file, 'utf8'));
    expect(killed.printed).toBe('');
    rmSync(join(folder, 'sitecustomize.py'));
    expect([0, 10]).toContain(rewrite().code);
    expect(readFileSync(file, 'utf8')).toBe(`A=1\nTOKEN=${fresh}\n`);
    expect(readdirSync(folder).filter((name) => name.endsWith('.keyturn'))).toEqual([]);
  });
});

describe('Run Command', () => {
  let aws: AwsStandIn;
  const clock: Clock = {
    now: () => new Date(),
    sleep: async (milliseconds) => {
      await new Promise((resolve) => setTimeout(resolve, milliseconds / 50));
    },
  };
  const signing = {
    credentials: async () => ({ accessKeyId: 'ASIATEST', secretAccessKey: 'x', sessionToken: 'y' }),
    clock,
  };

  beforeAll(() => {
    vi.stubEnv('AWS_REGION', 'eu-central-1');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
  });
  beforeEach(async () => {
    aws = new AwsStandIn();
    vi.stubEnv('AWS_ENDPOINT_URL_SSM', await aws.start());
  });
  afterEach(() => aws.stop());

  const first = 'i-0123456789abcdef0';
  const second = 'i-0123456789abcdef1';

  /** A host that runs scripts for real. */
  function attach(id: string, on: ComposeHost, tags: Readonly<Record<string, string>> = {}): Host {
    const made: Host = { id, tags, reachable: true, run: (text) => on.run(text) };
    aws.hosts.push(made);
    return made;
  }

  function consumer(on: ComposeHost, members: object = {}) {
    const bound = hook.connect(systemsManager(signing)).bind({
      ...{ kind: 'compose', hosts: { instances: [first] }, directory: on.directory },
      ...{ variables: { PLAIN: 'PLAIN' }, services: ['web'], healthSeconds: 5, steadySeconds: 1 },
      ...members,
    });
    if (!bound.ok) throw new Error(bound.broken.join());
    return bound.hook;
  }

  const renewing = (overrides: Partial<Renewing> = {}): Renewing => ({
    ...{ secretId, versionId: version, since: new Date(Date.now() - 1) },
    ...overrides,
  });

  it('restarts a host and sees from its report that the containers are younger than the version', async () => {
    const on = host({ web: { temper: 'slow' } });
    attach(first, on);
    const bound = consumer(on);
    const what = renewing();
    expect(await bound.look(what, clock)).toEqual({ renewed: false, reason: 'no command has been sent' });
    await bound.begin(what, clock);
    await vi.waitFor(async () =>
      expect(await bound.look(what, clock)).toEqual({
        renewed: false,
        reason: `${first}: the command is under way`,
      }),
    );
    await bound.begin(what, clock);
    await aws.ended;
    await bound.begin(what, clock);
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
    expect(aws.commands).toHaveLength(1);
    expect(aws.commands[0]?.input).toMatchObject({
      DocumentName: 'AWS-RunShellScript',
      InstanceIds: [first],
      MaxConcurrency: '1',
      MaxErrors: '0',
      TimeoutSeconds: 120,
      Parameters: { executionTimeout: ['305'] },
    });
    expect(aws.commands[0]?.comment).toMatch(new RegExp(`^keyturn ${version} [0-9a-f]{20}$`));
    expect(on.state.containers[0]?.environment.PLAIN).toBe(hostile.PLAIN);
    expect([...aws.texts, on.printed].join()).not.toContain(canary);
  });

  const otherId = secretId.replace('token', 'other');
  const otherVersion = version.replace('1', '2');
  /** Two secrets, each with a consumer of its own on the same host. */
  function sharing(services: Readonly<Record<string, ServicePlan>>) {
    const on = host(services);
    const { state } = on;
    state.secrets[otherId] = { [otherVersion]: JSON.stringify({ SINGLE: `${canary}-other` }) };
    on.write(state);
    attach(first, on);
    return {
      on,
      one: { bound: consumer(on), what: renewing({ shared: true }) },
      other: {
        bound: consumer(on, { variables: { SINGLE: 'SINGLE' } }),
        what: renewing({ secretId: otherId, versionId: otherVersion, shared: true }),
      },
    };
  }
  const both = { PLAIN: hostile.PLAIN, SINGLE: `${canary}-other` };

  it('two secrets that end together restart a service once, with both values', async () => {
    const { on, one, other } = sharing({ web: {} });
    await one.bound.begin(one.what, clock);
    await other.bound.begin(other.what, clock);
    await vi.waitFor(() => expect(on.sleeping).toEqual(['20', '20']), { timeout: 20_000, interval: 50 });
    expect(on.state.recreated).toEqual([]);
    on.wake();
    await aws.ended;
    expect(await one.bound.look(one.what, clock)).toEqual({ renewed: true });
    expect(await other.bound.look(other.what, clock)).toEqual({ renewed: true });
    expect(on.state.recreated).toEqual(['web']);
    expect(on.state.containers.map(({ environment }) => environment)).toMatchObject([both]);
    expect(aws.commands.map(({ input }) => input.Parameters)).toMatchObject([
      { executionTimeout: ['325'] },
      { executionTimeout: ['325'] },
    ]);
  });

  it('a value that is written after the restart began restarts the service again', async () => {
    const { on, one, other } = sharing({ web: { temper: 'slow' } });
    on.wake();
    await one.bound.begin(one.what, clock);
    await vi.waitFor(() => expect(on.state.recreated).toEqual(['web']), { timeout: 20_000, interval: 20 });
    // What runs by then is younger than this version, and has another value.
    await other.bound.begin(other.what, clock);
    await aws.ended;
    expect(await other.bound.look(other.what, clock)).toEqual({ renewed: true });
    expect(on.state.recreated).toEqual(['web', 'web']);
    expect(on.state.containers.map(({ environment }) => environment)).toMatchObject([both]);
  });

  const stopping = { secretId, stop: 'a1' };
  const stop = (bound: ReturnType<typeof consumer>, of = stopping) =>
    bound.quiesce?.(of, clock) ?? Promise.reject(new Error('it cannot be stopped'));
  const runningOn = (on: ComposeHost) => on.state.containers.filter(({ stopped }) => stopped !== true).length;

  it('stops the services on every host, says so by what runs, and starts them with the next restart', async () => {
    const on = host({ web: { scale: 2 }, worker: {} });
    attach(first, on);
    const bound = consumer(on, { services: ['web', 'worker'] });
    const what = renewing();
    await bound.begin(what, clock);
    await aws.ended;
    expect(await stop(bound)).toMatchObject({ idle: false });
    await aws.ended;
    expect(await stop(bound)).toEqual({ idle: true });
    expect(runningOn(on)).toBe(0);
    expect(aws.commands).toHaveLength(2);
    expect(aws.commands[1]?.input).toMatchObject({ InstanceIds: [first], MaxConcurrency: '50' });
    expect(aws.commands[1]?.comment).toMatch(/^keyturn stop [0-9a-f]{20} a1$/);

    // The same version again, as a resumed rollout brings it: its restart was sent before the stop.
    expect(await bound.look(what, clock)).toMatchObject({ renewed: false });
    await bound.begin(what, clock);
    await aws.ended;
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
    expect(runningOn(on)).toBe(3);
    expect(readdirSync(on.directory)).toEqual(['.env']);
    expect([...aws.texts, on.printed].join()).not.toContain(canary);
  });

  it('another stop is another command, whatever the one before has said', async () => {
    const on = host({ web: {} });
    attach(first, on);
    const bound = consumer(on);
    await bound.begin(renewing(), clock);
    await aws.ended;
    for (const one of ['a1', 'b2']) {
      expect(await stop(bound, { secretId, stop: one })).toMatchObject({ idle: false });
      await aws.ended;
      expect(await stop(bound, { secretId, stop: one })).toEqual({ idle: true });
      expect(runningOn(on)).toBe(0);
      await bound.begin(renewing(), clock);
      await aws.ended;
      expect(runningOn(on)).toBe(1);
    }
  });

  it('what is stopped for one secret is not started, nor stopped, for another', async () => {
    const { on, one, other } = sharing({ web: {} });
    on.wake();
    await one.bound.begin(one.what, clock);
    await aws.ended;
    await stop(one.bound);
    await aws.ended;
    await other.bound.begin(other.what, clock);
    await aws.ended;
    const refused = `${first}: a service is stopped for another secret, whose rollout must end first (service web)`;
    expect(await other.bound.look(other.what, clock)).toEqual({ renewed: false, reason: refused });
    await stop(other.bound, { secretId: otherId, stop: 'b2' });
    await aws.ended;
    expect(await stop(other.bound, { secretId: otherId, stop: 'b2' })).toEqual({
      idle: false,
      reason: refused,
    });
    expect(runningOn(on)).toBe(0);

    const again = renewing({ shared: true });
    await one.bound.begin(again, clock);
    await aws.ended;
    expect(await one.bound.look(again, clock)).toEqual({ renewed: true });
    // The other one's value was brought before, so that this start has both.
    expect(on.state.containers.map(({ environment }) => environment)).toMatchObject([both]);
    await other.bound.begin(other.what, clock);
    await aws.ended;
    expect(await other.bound.look(other.what, clock)).toEqual({ renewed: true });
  });

  it('a service that goes on running is no stop', async () => {
    const on = host({ web: {} });
    attach(first, on);
    const bound = consumer(on);
    await bound.begin(renewing(), clock);
    await aws.ended;
    on.plan('web', { temper: 'unstoppable' });
    await stop(bound);
    await aws.ended;
    expect(await stop(bound)).toEqual({
      idle: false,
      reason: `${first}: docker compose stop failed, or a container of the service still runs (service web)`,
    });
    expect(aws.commands).toHaveLength(2);
  });

  it('a stop that not every host has confirmed is none', async () => {
    const on = host({ web: {} });
    attach(first, on);
    const two = consumer(on, { hosts: { instances: [first, second] } });
    await stop(two);
    await aws.ended;
    expect(await stop(two)).toEqual({ idle: false, reason: '1 of 2 hosts have answered' });
  });

  it('finds hosts by their tag, and one after the other stops at the first that fails', async () => {
    const [good, bad] = [host({ web: {} }), host({ web: { temper: 'fails' } })];
    attach(first, bad, { role: 'shop' });
    attach(second, good, { role: 'shop' });
    attach('i-0123456789abcdef2', host(), { role: 'other' });
    const run = (id: string, on: ComposeHost) => {
      const found = aws.hosts.find((one) => one.id === id);
      // Each has the directory of its own in reality.
      if (found) found.run = (text) => on.run(text.replaceAll(good.directory, on.directory));
    };
    run(first, bad);
    const bound = consumer(good, { hosts: { tag: { key: 'role', value: 'shop' } } });
    const what = renewing();
    await bound.begin(what, clock);
    await aws.ended;
    expect(await bound.look(what, clock)).toEqual({
      renewed: false,
      reason: `${first}: docker compose up failed (service web), ${second}: the command ended with Terminated`,
    });
    expect(good.state.recreated).toEqual([]);
    bad.plan('web', {});
    await bound.begin(what, clock);
    await aws.ended;
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
    expect(aws.commands).toHaveLength(2);
  });

  /** Hosts whose script needs no second: what they print is what the script would, of their own state. */
  function quick(id: string, startedAt: () => Date, ends: { exitCode: number } = { exitCode: 0 }): Host {
    const made: Host = {
      ...{ id, tags: {}, reachable: true },
      run: async () => ({
        exitCode: ends.exitCode,
        output:
          ends.exitCode === 0
            ? `noise ${canary}\nkeyturn service web 1 0 ${startedAt().toISOString().replace('Z', '987654Z')} 1\nkeyturn exit 0\n`
            : `keyturn exit ${ends.exitCode}\n`,
      }),
    };
    aws.hosts.push(made);
    return made;
  }

  it('does not count a container that is older than the version', async () => {
    const what = renewing();
    quick(first, () => new Date(what.since.getTime() - 5));
    const bound = consumer(host());
    await bound.begin(what, clock);
    await aws.ended;
    expect(await bound.look(what, clock)).toEqual({
      renewed: false,
      reason: `${first}: the service web has a container that is older than the version`,
    });
  });

  it.each([
    ['an agent that is away', { reachable: false }, `${first}: the command ended with Delivery Timed Out`],
    [
      'a host without rights on the secret',
      { exitCode: 65 },
      `${first}: the host may not read the version from Secrets Manager, or has no AWS CLI`,
    ],
    ['a script that was killed', { exitCode: 137 }, `${first}: the command ended with Failed`],
  ])(
    'names %s',
    async (_what, { reachable = true, exitCode = 1 }: { reachable?: boolean; exitCode?: number }, reason) => {
      quick(first, () => new Date(), { exitCode }).reachable = reachable;
      const bound = consumer(host());
      const what = renewing();
      await bound.begin(what, clock);
      await aws.ended;
      expect(await bound.look(what, clock)).toEqual({ renewed: false, reason });
    },
  );

  it('names a tag that no host has, and a host that Systems Manager does not know', async () => {
    const what = renewing();
    const none = consumer(host(), { hosts: { tag: { key: 'role', value: 'none' } } });
    await none.begin(what, clock);
    await aws.ended;
    expect(await none.look(what, clock)).toEqual({
      renewed: false,
      reason: 'the command reached no host',
    });
    quick(first, () => new Date());
    const two = consumer(host(), { hosts: { instances: [first, second] } });
    await two.begin(what, clock);
    await aws.ended;
    expect(await two.look(what, clock)).toEqual({ renewed: false, reason: '1 of 2 hosts have answered' });
  });

  it('does not send twice when the answer to the first was lost', async () => {
    quick(first, () => new Date());
    const bound = consumer(host());
    const what = renewing();
    aws.loseNextSend = true;
    await expect(bound.begin(what, clock)).rejects.toMatchObject({ code: 'AwsUnreachable', retryable: true });
    await bound.begin(what, clock);
    await aws.ended;
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
    expect(aws.commands).toHaveLength(1);
  });

  it('finds its command among many of others, and sends again for another version or publication', async () => {
    quick(first, () => new Date());
    const bound = consumer(host());
    const what = renewing();
    await bound.begin(what, clock);
    await aws.ended;
    const other = aws.commands[0];
    if (other === undefined) throw new Error();
    for (let index = 0; index < 120; index += 1) aws.commands.push({ ...other, comment: 'a person’s' });
    await bound.begin(what, clock);
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
    const again = renewing({ since: new Date(what.since.getTime() + 1) });
    await bound.begin(again, clock);
    await bound.begin(renewing({ versionId: version.replace('1', '9') }), clock);
    await aws.ended;
    expect(new Set(aws.commands.map(({ comment }) => comment)).size).toBe(4);
  });

  it('waits out throttling, and leaves what AWS quotes out of its errors', async () => {
    const bound = consumer(host());
    aws.errors.push('ThrottlingException', 'ThrottlingException');
    expect(await bound.look(renewing(), clock)).toMatchObject({ renewed: false });
    aws.errors.push('com.amazonaws.ssm#AccessDeniedException');
    const error = await bound.look(renewing(), clock).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(KeyturnError);
    expect(error).toMatchObject({
      code: 'AwsDenied',
      message: 'ListCommands failed with AccessDeniedException (request r-1).',
    });
    expect(publicError(error).stack).not.toContain('quotes');
  });

  it('refuses to write into a script what is no ARN and no id of a version', async () => {
    const bound = consumer(host());
    for (const wrong of [{ secretId: "x'; id; '" }, { versionId: '$(id)' }]) {
      await expect(bound.begin(renewing(wrong), clock)).rejects.toMatchObject({ code: 'SettingsInvalid' });
    }
    expect(aws.commands).toEqual([]);
  });
});

describe('a consumer', () => {
  const good = {
    ...{ kind: 'compose', hosts: { instances: ['i-0123456789abcdef0'] }, directory: '/opt/shop' },
    ...{ variables: { TOKEN: 'TOKEN' }, services: ['web'] },
  };

  it.each([
    ['a relative directory', { directory: 'opt' }, /^directory must be an absolute path/],
    ['a directory with ..', { directory: '/opt/../etc' }, /^directory must be an absolute path/],
    ['a directory with a quote', { directory: "/opt/x';id;'" }, /^directory must be an absolute path/],
    [
      'a file in another directory',
      { file: '../.env' },
      'file must be the name of a file; received "../.env".',
    ],
    ['a service with an option', { services: ['--all'] }, /^services\.0 must be the name of a service/],
    ['a service with a command', { services: ['web;id'] }, /^services\.0 must be the name of a service/],
    ['a service twice', { services: ['web', 'web'] }, 'services must name each once; web is there twice.'],
    [
      'a variable with a space',
      { variables: { 'A B': 'TOKEN' } },
      /^variables.* must be the name of a variable/,
    ],
    ['no variable', { variables: {} }, 'variables must map at least one name; it is empty.'],
    ['an instance with a star', { hosts: { instances: ['i-*'] } }, /must be the id of an EC2 instance/],
    ['a tag with a star', { hosts: { tag: { key: 'role', value: '*' } } }, /must be part of a tag/],
    [
      'a steady time as long as the wait',
      { healthSeconds: 5, steadySeconds: 5 },
      /^steadySeconds must be less/,
    ],
    ['another member', { image: 'x' }, 'the whole must not have the field image: no such field is known.'],
  ])('with %s is refused in a sentence', (_what, change, sentence) => {
    const checked = hook.check({ ...good, ...change });
    expect(checked).toMatchObject({ ok: false });
    expect(checked.ok ? '' : checked.broken[0]).toMatch(sentence);
  });

  const document = {
    actions: ['ssm:SendCommand'],
    resources: ['arn:{partition}:ssm:{region}::document/AWS-RunShellScript'],
  };
  const listing = expect.objectContaining({
    actions: ['ssm:ListCommands', 'ssm:ListCommandInvocations'],
    resources: ['*'],
  });

  it.each([
    [
      'ids',
      { instances: ['i-0123456789abcdef0', 'mi-0123456789abcdef0'] },
      {
        actions: ['ssm:SendCommand'],
        resources: [
          'arn:{partition}:ec2:{region}:{account}:instance/i-0123456789abcdef0',
          'arn:{partition}:ssm:{region}:{account}:managed-instance/mi-0123456789abcdef0',
        ],
      },
    ],
    [
      'a tag',
      { tag: { key: 'role', value: 'shop' } },
      expect.objectContaining({
        actions: ['ssm:SendCommand'],
        resources: [
          'arn:{partition}:ec2:{region}:{account}:instance/*',
          'arn:{partition}:ssm:{region}:{account}:managed-instance/*',
        ],
        conditions: { StringEquals: { 'ssm:resourceTag/role': 'shop' } },
      }),
    ],
  ])('whose hosts are named by %s needs exactly its statements', (_what, on, statement) => {
    expect(hook.check({ ...good, hosts: on })).toEqual({ ok: true, hook: [document, statement, listing] });
  });
});
