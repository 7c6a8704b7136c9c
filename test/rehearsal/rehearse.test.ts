/** `npm run rehearse` as a person runs it: a process with flags, an exit code, sentences and a report. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { canarySearch } from '../../lib/rehearsal/endpoint/canaries.ts';
import { makeTeam, type Team } from './team.ts';

const main = fileURLToPath(new URL('../../lib/rehearsal/main.ts', import.meta.url));
const endpointMain = fileURLToPath(new URL('../../lib/rehearsal/endpoint/endpoint-main.ts', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function started(file: string, args: readonly string[], temporary?: string): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...(temporary === undefined ? {} : { TMPDIR: temporary }) },
  });
}

async function rehearse(args: readonly string[], temporary?: string): Promise<Ended> {
  const child = started(main, args, temporary);
  const printed = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    printed.stdout += String(chunk);
  });
  child.stderr?.on('data', (chunk) => {
    printed.stderr += String(chunk);
  });
  const [code] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : null, ...printed };
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-rehearse-test-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

describe('a rehearsal that is not begun', () => {
  test('--help prints the flags and what the exit codes mean', async () => {
    const { code, stdout, stderr } = await rehearse(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const flag of ['platform', 'secret', 'seed', 'json', 'deployment', 'endpoint', 'help']) {
      expect(stdout).toContain(`--${flag}`);
    }
    expect(stdout).toContain('2  a flag, platform, secret or file was refused; nothing has run');
  });

  const good = { name: 'team', platform: 'ocore', secrets: {}, consumers: {} };
  const token = { source: { create: { name: 'team/token' } }, consumers: ['web'] };

  test.each<[string, (directory: string) => Promise<string[]> | string[], RegExp]>([
    [
      'an unknown flag',
      () => ['--colour', 'red'],
      /^--colour is not a flag; the flags are --platform, .+\.$/,
    ],
    [
      'an unknown platform',
      () => ['--platform', 'exa'],
      /^--platform must be one of exo, ocore; received "exa"\.$/,
    ],
    [
      'an unknown secret',
      () => ['--platform', 'exo', '--secret', 'JWT_SECRET'],
      /^--secret must be one of EXO_JWT_SECRET, EXO_CLAUDE_API_KEY; received "JWT_SECRET"\.$/,
    ],
    [
      'a file that is not there',
      (directory) => ['--deployment', join(directory, 'none.json')],
      /^The deployment file .+none\.json cannot be read\./,
    ],
    ['a directory in place of a file', (directory) => ['--deployment', directory], / cannot be read\./],
    [
      'a file that is no JSON',
      (directory) => file(directory, '{ "name": "team", '),
      /team\.json must be JSON: .+\.$/,
    ],
    [
      'a file with an unknown field',
      (directory) => file(directory, { ...good, colour: 'red' }),
      /the whole must not have the field colour: no such field is known\.$/,
    ],
    [
      'a file of an unknown platform',
      (directory) => file(directory, { ...good, platform: 'exa' }),
      /platform must be one of .*exo, .*ocore.*; received "exa"\.$/,
    ],
    [
      'a file without a secret',
      (directory) => file(directory, good),
      /team\.json: secrets must name at least one secret; it is empty\.$/,
    ],
    [
      'a consumer that only AWS has',
      (directory) =>
        file(directory, {
          ...good,
          secrets: { HEALTH_CHECK_TOKEN: token },
          consumers: { web: { kind: 'ecs', cluster: 'team', service: 'web' } },
        }),
      /^consumers\.web must be a consumer that the stand-in of ocore has .+, or of kind process\. .+$/,
    ],
    [
      'a process without a health path',
      (directory) =>
        file(directory, {
          ...good,
          secrets: { HEALTH_CHECK_TOKEN: token },
          consumers: { web: { kind: 'process', command: ['node', 'server.js'] } },
        }),
      /^consumers\.web: health must be a string; received nothing\.$/,
    ],
    [
      'a report that cannot be written',
      (directory) => ['--json', join(directory, 'none', 'report.json')],
      /^--json must be followed by a file that can be written; received ".+report\.json"\.$/,
    ],
  ])(
    '%s is refused in one sentence',
    { timeout: 60_000, concurrent: false },
    async (_case, args, sentence) => {
      const directory = await scratch();
      const ended = await rehearse(await args(directory));
      expect(ended).toEqual({ code: 2, stdout: '', stderr: expect.stringMatching(/^[^\n]+\n$/) });
      expect(ended.stderr.trim()).toMatch(sentence);
    },
  );

  async function file(directory: string, content: unknown): Promise<string[]> {
    const path = join(directory, 'team.json');
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
    return ['--deployment', path];
  }
});

describe('an address that is no account of ours', () => {
  const sentence = (url: string) =>
    `The rehearsal could not go on: ${url} must be a Keyturn endpoint (node --import tsx lib/rehearsal/endpoint/endpoint-main.ts); it gives no answer to /_keyturn/health.\n`;

  test('nothing listens there', async () => {
    const url = 'http://127.0.0.1:9';
    expect(await rehearse(['--endpoint', url])).toEqual({ code: 3, stdout: '', stderr: sentence(url) });
  });

  test('something else answers, and says yes to everything', async () => {
    const server = createServer((_request, response) => response.end('{}'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    expect(await rehearse(['--endpoint', url])).toEqual({ code: 3, stdout: '', stderr: sentence(url) });
  });
});

/** A run of a team's own application, and what it left. */
interface Run extends Ended {
  /** The report's text. */
  readonly json: string;
  readonly app: readonly (readonly [token: string, key: string])[];
}

describe('a team rehearses its own application', () => {
  /** The whole file, in an account that runs already in another process; with every value that it ever held. */
  let whole: Run & { readonly versions: readonly (readonly string[])[] };
  /**
   * One secret of it, in an account of the run's own: an application that does not stop accepting its old token,
   * and prints the one it has.
   */
  let faulty: Run & { readonly leftBehind: readonly string[] };

  // Both at once: each of them waits for processes most of the time.
  beforeAll(async () => {
    [whole, faulty] = await Promise.all([
      withTeam([], async (team) => {
        const endpoint = started(endpointMain, ['--compression', '60']);
        try {
          const url = await firstLine(endpoint);
          const ended = await run(team, ['--seed', '7', '--endpoint', url]);
          return { ...ended, versions: await versionsIn(url) };
        } finally {
          endpoint.kill();
          await once(endpoint, 'close');
        }
      }),
      withTeam(['accepts every token', 'prints its token'], async (team) => {
        const temporary = await mkdtemp(join(team.directory, 'tmp-'));
        const ended = await run(team, ['--seed', '7', '--secret', 'HEALTH_CHECK_TOKEN'], temporary);
        const names = await readdir(temporary);
        return { ...ended, leftBehind: names.filter((name) => name.startsWith('keyturn-')) };
      }),
    ]);
  }, 120_000);

  test('it passes, and says so', () => {
    expect({ code: whole.code, stderr: whole.stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('ocore HEALTH_CHECK_TOKEN, rotate: completed after'),
    });
    expect(whole.stdout).toMatch(/rule 3 {2}held .+ (\d+) of \1 probed and refused/);
  });

  test('its report has the members that were agreed on, and no others', () => {
    const report: unknown = JSON.parse(whole.json);
    const any = expect.any(Number);
    const row = (secret: string, secretClass: string, scenario: string, ended: object) => ({
      platform: 'ocore',
      secret,
      class: secretClass,
      scenario,
      stages: expect.any(Array),
      secretsManagerCalls: null,
      requests: { total: any, failed: 0 },
      rowsReencrypted: null,
      rowsLeft: null,
      gapSeconds: null,
      statements: null,
      logins: null,
      ...ended,
    });
    const completed = { expected: 'completed', outcome: 'completed', oldValueRefused: true };
    const rolledBack = { expected: 'rolled-back', outcome: 'rolled-back', oldValueRefused: null };
    const refused = { expected: 'refused', outcome: 'refused', oldValueRefused: null };
    const names = [
      'create',
      'set',
      'test',
      'finish',
      'settle',
      'wait before redeploy',
      'redeploy',
      'prove',
      'complete',
    ];
    const stages = names.map((name) => ({ name, seconds: any }));
    const token = (scenario: string, ended: object) =>
      row('HEALTH_CHECK_TOKEN', 'opaque-token', scenario, ended);
    const key = (scenario: string, ended: object) =>
      row('PROVIDER_KEY', 'operator-supplied', scenario, ended);
    expect(report).toStrictEqual({
      seed: 7,
      seconds: any,
      secrets: [
        token('rotate', { ...completed, stages, secretsManagerCalls: 7 }),
        token('twice in a row', completed),
        token('crash, lost answer, doubled event', { ...completed, secretsManagerCalls: any }),
        token('consumer never healthy', rolledBack),
        token('event lost', { ...completed, secretsManagerCalls: 7 }),
        token('event late', { ...completed, secretsManagerCalls: 7 }),
        token('value that is no document', refused),
        key('nothing supplied', refused),
        key('rotate', { ...completed, stages, secretsManagerCalls: 8 }),
      ],
      rules: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((id) => ({ id, held: true, evidence: expect.any(String) })),
    });
    const totals = [...whole.json.matchAll(/"total": (\d+)/g)].map(([, total]) => Number(total));
    expect(totals.filter((total) => total > 0)).toHaveLength(9);
    for (const [, seconds = ''] of whole.json.matchAll(/"seconds": (.+?),?\n/g)) {
      expect(seconds).toMatch(/^\d+(\.\d{1,3})?$/);
    }
  });

  test('the application was restarted with values of its own for every rotation', () => {
    // Two processes each: at the start, and after each of four rotations; one that was overtaken may have none.
    const tokens = new Set(whole.app.map(([token]) => token));
    const keys = new Set(whole.app.map(([, key]) => key));
    expect(tokens.size).toBeGreaterThanOrEqual(4);
    // The first one, one that was supplied beside the token, and one for its own rotation.
    expect(keys.size).toBe(2);
  });

  test('the same seed gives the same first values, in whatever account', () => {
    const [[token, key] = ['', '']] = whole.app;
    expect([token.length, key.length]).toEqual([43, 32]);
    expect(whole.versions.map(([first]) => first).toSorted()).toEqual([token, key].toSorted());
    // There the key is left out of the run: a plain variable, with the same value.
    expect(faulty.app[0]).toEqual([token, key]);
    // What a rotation makes does not follow from the seed.
    expect(faulty.app.at(-1)?.[0]).toHaveLength(43);
    expect(whole.versions.flat()).not.toContain(faulty.app.at(-1)?.[0]);
  });

  // Two first values, seven new tokens, one pasted bare, one new key.
  test.each([
    ['the whole file', 8, () => ({ ended: whole, values: [...whole.versions, ...whole.app].flat() })],
    ['the application that leaks', 3, () => ({ ended: faulty, values: faulty.app.flat() })],
  ])('no value is printed or reported, in any form: %s', (_which, least, of) => {
    const { ended, values } = of();
    const search = canarySearch();
    for (const [index, value] of values.entries()) search.watch(value, `value ${index}`);
    expect(search.size).toBeGreaterThanOrEqual(least);
    for (const where of ['stdout', 'stderr', 'json'] as const) {
      expect(ended[where].length).toBeGreaterThan(100);
      search.scan(ended[where], where);
    }
    expect(search.leaks).toEqual([]);
    // The search itself finds what it should.
    search.scan(`x${Buffer.from(`--${values[0]}`).toString('base64')}`, 'a planted leak');
    expect(search.leaks).toContainEqual({ label: 'value 0', where: 'a planted leak', form: 'base64' });
  });

  test('an old value that is still accepted: the rotation does not complete, and the run fails', () => {
    expect(faulty.code).toBe(1);
    expect(faulty.stdout).toContain(
      '\nocore HEALTH_CHECK_TOKEN (rotate) ended stalled; expected was completed. The old value of HEALTH_CHECK_TOKEN is still accepted by its target.',
    );
    expect(JSON.parse(faulty.json)).toMatchObject({
      secrets: [{ scenario: 'rotate', expected: 'completed', outcome: 'stalled', oldValueRefused: null }],
    });
  });

  test('a printed token: rule 4 breaks, and says what and where without the value', () => {
    expect(faulty.stdout).toMatch(
      /\nRule 4 \(no value is where it must not be\) broke: \S*team\/token\S* HEALTH_CHECK_TOKEN in log of \S+:task\/team\//,
    );
    const rules = { rules: expect.arrayContaining([{ id: 4, held: false, evidence: expect.any(String) }]) };
    expect(JSON.parse(faulty.json)).toMatchObject(rules);
    expect(JSON.parse(whole.json)).not.toMatchObject(rules);
  });

  test('what was synthesised is gone when the run is over', () => {
    expect(faulty.leftBehind).toEqual([]);
  });
});

async function withTeam<T>(
  faults: Parameters<typeof makeTeam>[0],
  use: (team: Team) => Promise<T>,
): Promise<T> {
  const team = await makeTeam(faults);
  try {
    return await use(team);
  } finally {
    await team.remove();
  }
}

async function run(team: Team, args: readonly string[], temporary?: string): Promise<Run> {
  const report = join(team.directory, 'report.json');
  const ended = await rehearse(['--deployment', team.file, '--json', report, ...args], temporary);
  return { ...ended, json: await readFile(report, 'utf8'), app: await team.started() };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the child has no output');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return String(line);
}

/** The values of every secret of an account, those without a label too; of each secret the oldest first. */
async function versionsIn(endpoint: string): Promise<string[][]> {
  const credentials = { accessKeyId: 'operator', secretAccessKey: 'operator' };
  const client = new SecretsManagerClient({ endpoint, region: 'eu-central-1', credentials });
  const { SecretList = [] } = await client.send(new ListSecretsCommand({}));
  return Promise.all(
    SecretList.map(async ({ ARN: SecretId }) => {
      const { Versions = [] } = await client.send(
        new ListSecretVersionIdsCommand({ SecretId, IncludeDeprecated: true }),
      );
      const oldest = Versions.toSorted((a, b) => Number(a.CreatedDate) - Number(b.CreatedDate));
      const values: string[] = [];
      for (const { VersionId } of oldest) {
        const { SecretString = '{}' } = await client.send(new GetSecretValueCommand({ SecretId, VersionId }));
        const document = members(SecretString);
        delete document._keyturn;
        values.push(...Object.values(document).filter((value) => typeof value === 'string'));
      }
      return values;
    }),
  );
}

/** One version is no document: a person pasted it bare. */
function members(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { text };
  }
}
