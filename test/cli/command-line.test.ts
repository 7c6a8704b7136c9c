/** Words in, sentences and exit codes out: without any AWS. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../bin/cli/command.ts';
import { commands } from '../../bin/cli/commands.ts';
import { exitCodeOf } from '../../bin/cli/exit-codes.ts';
import { confirmed, readValue } from '../../bin/cli/read-value.ts';
import { runCli } from '../../bin/cli/run.ts';
import { watch } from '../../bin/cli/watch.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { approve } from '../../lib/operations/approve.ts';
import { parseSpan, span } from '../../lib/operations/spans.ts';
import { plain } from '../../lib/rehearsal/paint.ts';
import { injected } from './account-world.ts';
import { now, overview, subject } from './sightings.ts';

const example = fileURLToPath(new URL('../../lib/examples/ocore.json', import.meta.url));

async function keyturn(argv: readonly string[], environment: Record<string, string> = {}) {
  const { terminal, stdout, stderr } = injected(Readable.from([]));
  const code = await runCli(argv, { ...terminal, environment });
  return { code, stdout: stdout(), stderr: stderr() };
}

describe('a command line', () => {
  test('without a command shows the commands and ends with 2', async () => {
    const run = await keyturn([]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    for (const name of commands.keys()) expect(run.stderr).toContain(`  ${name} `);
    expect((await keyturn(['--help'])).code).toBe(0);
  });

  test.each([...commands.keys()])('%s --help tells its flags and the exit codes', async (name) => {
    const run = await keyturn([name, '--help']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(`Usage: keyturn ${name} `);
    for (const flag of Object.keys(commands.get(name)?.flags ?? {}))
      expect(run.stdout).toContain(`--${flag}`);
    for (const code of ['0', '1', '2', '3', '4']) expect(run.stdout).toContain(`\n  ${code}  `);
  });

  test.each([
    [['rotat'], 'The first word must be a command: status, plan,'],
    [['rotate'], 'rotate must be followed by SECRET'],
    [['rotate', 'A', 'B'], 'rotate takes one SECRET; 2 words were given.'],
    [
      ['rotate', 'A', '--colour'],
      'Word 3 after keyturn is not a flag of rotate; its flags are --wait, --timeout,',
    ],
    [['rotate', 'A', '--wait=yes'], '--wait takes no value.'],
    [['rotate', 'A', '--region', '--wait'], '--region must be followed by REGION.'],
    [['rotate', 'A', '--region', 'x', '--region', 'y'], '--region may be given once.'],
    [['status'], 'A deployment file must be named.'],
    [
      ['status', '--deployment', 'no-such-file.json'],
      'The deployment file no-such-file.json cannot be read.',
    ],
    [
      ['status', 'NOPE', '--deployment', example],
      'SECRET must be a secret of the deployment ocore-production: JWT_',
    ],
    [
      ['status', '--deployment', example, '--endpoint', 'nowhere'],
      '--endpoint must be an http or https address.',
    ],
    [['status', '--deployment', example, '--stuck-after', 'soon'], '--stuck-after must be a length of time'],
    [
      ['rotate', 'JWT_SECRET', '--deployment', example, '--timeout', '5m'],
      '--timeout must stand beside --wait',
    ],
    [['approve', 'SSH_ENCRYPTION_KEY', '--deployment', example], 'approve must have --for.'],
  ])('%j ends with 2 and a sentence', async (argv, sentence) => {
    const run = await keyturn(argv);
    expect(run.stderr).toContain(sentence);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).not.toMatch(/\n {4}at /);
  });

  test('never repeats a word where a name was expected: it may be a value', async () => {
    const value = 'hunter2-hunter2-hunter2';
    for (const argv of [
      [value],
      ['rotate', value, '--deployment', example],
      ['supply', 'A', value],
      ['supply', 'A', `--${value}`],
      ['supply', 'A', `--json=${value}`],
    ]) {
      const run = await keyturn(argv);
      expect(run.code).toBe(2);
      expect(`${run.stdout}${run.stderr}`).not.toContain('hunter2');
    }
  });

  test('prints errors as JSON where JSON was asked for', async () => {
    const run = await keyturn(['status', '--json']);
    expect(run).toMatchObject({ code: 2, stderr: '' });
    expect(JSON.parse(run.stdout)).toEqual({
      error: {
        code: 'UsageInvalid',
        message: 'A deployment file must be named.',
        hint: 'Give it with --deployment FILE, or in the variable KEYTURN_DEPLOYMENT.',
      },
    });
  });

  test('takes the deployment file from the environment', async () => {
    const run = await keyturn(['status', 'NOPE'], { KEYTURN_DEPLOYMENT: example });
    expect(run.stderr).toContain('ocore-production');
  });

  test.each([
    ['AwsDenied', 3],
    ['AwsNotFound', 3],
    ['DeploymentInvalid', 2],
    ['OperationRefused', 1],
    ['ValueRejected', 1],
    ['Internal', 4],
  ] as const)('ends for %s with %i', (code, exit) => {
    expect(exitCodeOf(code)).toBe(exit);
  });

  test('each command is one file of its name and one line of the table', () => {
    const folder = fileURLToPath(new URL('../../bin/cli/commands', import.meta.url));
    expect(
      readdirSync(folder)
        .map((file) => basename(file, '.ts'))
        .sort(),
    ).toEqual([...commands.keys()].sort());
  });
});

describe('a value', () => {
  /** A keyboard that sends these keys one by one. */
  function keyboard(keys: string) {
    const stdin = Object.assign(Readable.from([...keys].map((key) => Buffer.from(key))), {
      isTTY: true,
      raw: [] as boolean[],
      setRawMode(raw: boolean) {
        this.raw.push(raw);
      },
    });
    return { stdin, ...injected(stdin, true) };
  }

  test('is typed without echo, and the terminal is as before', async () => {
    const { stdin, terminal, stderr, stdout } = keyboard('secreX\u007ft\rrest');
    const value = await readValue('Value: ', terminal);
    expect(value?.reveal()).toBe('secret');
    expect(stderr()).toBe('Value: \n');
    expect(stdout()).toBe('');
    expect(stdin.raw).toEqual([true, false]);
  });

  test.each(['\u0003', 'half\u0003', '\r'])('is none when the person gives up (%j)', async (keys) => {
    const { stdin, terminal } = keyboard(keys);
    expect(await readValue('Value: ', terminal)).toBeNull();
    expect(stdin.raw).toEqual([true, false]);
  });

  test.each([
    ['value\n', 'value'],
    ['value\r\n', 'value'],
    ['value\n\n', 'value\n'],
    ['value', 'value'],
    ['two\nlines\n', 'two\nlines'],
  ])('comes from a pipe without the line break behind it (%j)', async (text, value) => {
    const { terminal } = injected(Readable.from([Buffer.from(text)]));
    expect((await readValue('Value: ', terminal))?.reveal()).toBe(value);
  });

  test('must be text', async () => {
    const { terminal } = injected(Readable.from([Buffer.from([0xff, 0xfe, 0x00])]));
    await expect(readValue('', terminal)).rejects.toThrow(
      'The value must be text (UTF-8); other bytes came.',
    );
  });
});

test.each([
  ['y\n', true],
  ['yes\n', true],
  ['n\n', false],
  ['\n', false],
  ['yesterday\n', false],
])('a question answered with %j', async (typed, expected) => {
  const { terminal } = injected(Readable.from([Buffer.from(typed)]), true);
  expect(await confirmed('Go on?', terminal)).toBe(expected);
});

describe('what is watched', () => {
  async function watched(tty: boolean) {
    const about = subject('JWT_SECRET');
    const { terminal, stderr } = injected(new PassThrough(), tty);
    const context = {
      given: { secrets: [], text: () => null, has: () => true },
      ports: { clock: { now: () => now, sleep: async () => {} } },
      terminal,
      paint: plain,
      pause: 1,
    } as unknown as Context;
    const result = await watch(about, 'rotate', context, async ({ onProgress }) => {
      onProgress('settle');
      onProgress('settle');
      onProgress('redeploy');
      const passed = [{ name: 'settle', seconds: 1 }];
      return { end: 'stalled', passed, sentence: 'It broke.', hint: 'Mend it.' };
    });
    return { result, shown: stderr() };
  }

  test('changes one line in place on a terminal', async () => {
    const { shown } = await watched(true);
    expect(shown).toContain('\u001b[1F\u001b[J');
    expect(shown.split('\u001b[J').at(-1)).toContain('stalled');
  });

  test('is a plain line per change in a pipe, and ends with the drawing and what to do', async () => {
    const { result, shown } = await watched(false);
    expect(shown).toBe(
      '   0.0 s  JWT_SECRET: settle\n   0.0 s  JWT_SECRET: redeploy\n   0.0 s  JWT_SECRET: stalled\n',
    );
    expect(result.exitCode).toBe(1);
    expect(result.text).toMatch(
      /^JWT_SECRET \(signing-key-cutover\), rotate: stalled after 1\.00 s\n {2}settle {2}█+ {2}1\.00 s\nIt broke\.\nMend it\.\n$/,
    );
  });
});

describe('a consent', () => {
  const guarded = subject('SSH_ENCRYPTION_KEY');
  const given = { lasting: '1h', reason: 'planned cutover', who: 'jane' };

  function account() {
    const tags: [string, string][] = [];
    const secrets = {
      overview: async () => overview(),
      tag: async (_id: string, some: ReadonlyMap<string, string>) => void tags.push(...some),
    };
    return { tags, ports: { secrets, clock: { now: () => now } } as unknown as OperatorPorts };
  }

  test('is stored as the time, who and why, with the version that it is for', async () => {
    const { tags, ports } = account();
    const { breaks } = await approve(guarded, given, ports);
    expect(breaks).toBe('every stored SSH key and password becomes unreadable');
    expect(tags).toEqual([
      ['keyturn:consent', '2026-11-21T13:00:00Z jane: planned cutover'],
      ['keyturn:consent-base', 'new'],
    ]);
  });

  test.each([
    [{ lasting: '25h' }, '--for must be a length of time from 1m to 24h, like 30m or 1h; received "25h".'],
    [{ lasting: '0m' }, '--for must be a length of time'],
    [{ lasting: 'ever' }, '--for must be a length of time'],
    [{ reason: ' ' }, '--reason must say why'],
    [{ reason: 'planned, at last' }, 'received "," in it'],
    [{ reason: 'a\nb' }, 'received "\\n" in it'],
    [{ who: 'jane!' }, '--as must be of letters'],
    [{ reason: 'x'.repeat(230) }, '--reason must have at most 229 characters beside the name and the time'],
  ])('%j is refused before anything is stored', async (change, sentence) => {
    const { tags, ports } = account();
    await expect(approve(guarded, { ...given, ...change }, ports)).rejects.toThrow(sentence);
    expect(tags).toEqual([]);
  });

  test('is not for a secret that needs none', async () => {
    const { ports } = account();
    await expect(approve(subject('HEALTH_CHECK_TOKEN'), given, ports)).rejects.toThrow(
      'rotates without consent',
    );
  });
});

test.each([
  [0, '0 s'],
  [59_999, '59 s'],
  [61_000, '1 m 1 s'],
  [3_600_000, '1 h'],
  [93_784_000, '1 d 2 h'],
])('%i milliseconds are %s', (milliseconds, text) => {
  expect(span(milliseconds)).toBe(text);
});

test.each([
  ['90s', 90_000],
  ['15m', 900_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['1.5h', null],
  ['h', null],
  ['', null],
])('%j is %s milliseconds', (text, milliseconds) => {
  expect(parseSpan(text)).toBe(milliseconds);
});
