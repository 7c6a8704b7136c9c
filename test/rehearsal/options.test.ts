import { describe, expect, it } from 'vitest';
import { exitCodes, helpText, parseOptions } from '../../lib/rehearsal/options.ts';
import { select } from '../../lib/rehearsal/selection.ts';

const none = { platforms: [], secrets: [], seed: null, json: null, deployments: [], endpoint: null };

describe('the flags', () => {
  it.each([
    ['nothing', [], {}],
    ['a platform', ['--platform', 'exo'], { platforms: ['exo'] }],
    [
      'two platforms, one of them twice',
      ['--platform', 'exo', '--platform=ocore', '--platform', 'exo'],
      { platforms: ['exo', 'ocore'] },
    ],
    ['two secrets', ['--secret', 'A', '--secret', 'B'], { secrets: ['A', 'B'] }],
    ['seed 0', ['--seed', '0'], { seed: 0 }],
    ['the largest seed', ['--seed=4294967295'], { seed: 4294967295 }],
    ['a report file', ['--json', 'out/report.json'], { json: 'out/report.json' }],
    ['a file that begins with a hyphen', ['--json=-odd'], { json: '-odd' }],
    [
      'two deployments',
      ['--deployment', 'a.json', '--deployment', 'b.json'],
      { deployments: ['a.json', 'b.json'] },
    ],
    ['an endpoint', ['--endpoint', 'http://127.0.0.1:9297'], { endpoint: 'http://127.0.0.1:9297' }],
  ])('%s', (_what, argv, expected) => {
    expect(parseOptions(argv)).toEqual({ kind: 'run', options: { ...none, ...expected } });
  });

  const list = '--platform, --secret, --seed, --json, --deployment, --endpoint, --help';
  it.each([
    ['an unknown flag', ['--plattform', 'exo'], `--plattform is not a flag; the flags are ${list}.`],
    ['a name that every object has', ['--toString'], `--toString is not a flag; the flags are ${list}.`],
    ['a short flag', ['-p', 'exo'], `-p is not a flag; the flags are ${list}.`],
    ['a bare word', ['exo'], '"exo" must follow a flag; see --help.'],
    ['a flag without its value', ['--seed'], '--seed must be followed by N.'],
    ['an empty value', ['--json='], '--json must be followed by FILE.'],
    ['a flag in place of a value', ['--json', '--seed', '1'], '--json must be followed by FILE.'],
    [
      'a seed that is no number',
      ['--seed', 'one'],
      '--seed must be a whole number from 0 to 4294967295; received "one".',
    ],
    [
      'a seed too large',
      ['--seed', '4294967296'],
      '--seed must be a whole number from 0 to 4294967295; received "4294967296".',
    ],
    [
      'a seed with a fraction',
      ['--seed', '1.5'],
      '--seed must be a whole number from 0 to 4294967295; received "1.5".',
    ],
    ['two seeds', ['--seed', '1', '--seed', '2'], '--seed may be given once.'],
    [
      'an endpoint that is no address',
      ['--endpoint', 'localhost'],
      '--endpoint must be an http or https address; received "localhost".',
    ],
    [
      'an endpoint of another protocol',
      ['--endpoint', 'ftp://a'],
      '--endpoint must be an http or https address; received "ftp://a".',
    ],
    ['a value for help', ['--help=yes'], '--help takes no value.'],
  ])('refuse %s', (_what, argv, message) => {
    expect(parseOptions(argv)).toEqual({ kind: 'refused', message });
  });

  it('give the help, whatever else is asked for', () => {
    expect(parseOptions(['--seed', '1', '--help'])).toEqual({ kind: 'help', text: helpText });
  });
});

describe('the help', () => {
  it('is as it is written here', () => {
    expect(helpText).toBe(`Usage: npm run rehearse -- [flags]

Rotates real secrets of stand-in platforms on this machine, with the functions and the state machine that a
deployment would put into an account, while clients use the platforms. Needs no account and no network.

Flags:
  --platform NAME    rehearse this platform only; may be repeated
  --secret KEY       rehearse this secret only; may be repeated
  --seed N           make the values of an earlier run again; printed at the end of each run
  --json FILE        write the report to this file as well
  --deployment FILE  rehearse this deployment file in place of the examples; may be repeated
  --endpoint URL     use an AWS endpoint that is already running
  --help             print this and exit

Exit codes:
  0  every rotation ended as expected and every rule held
  1  a rule broke, or a rotation ended otherwise
  2  a flag, platform, secret or file was refused; nothing has run
  3  the rehearsal itself could not go on
`);
    expect(exitCodes).toEqual({ passed: 0, broken: 1, usage: 2, failed: 3 });
  });
});

describe('the selection', () => {
  const exo = { platform: 'exo', secrets: ['JWT', 'SHARED'], file: 'exo.json' };
  const ocore = { platform: 'ocore', secrets: ['TOKEN', 'SHARED'], file: 'ocore.json' };

  it.each([
    ['everything', [], [], [exo, ocore]],
    ['one platform', ['ocore'], [], [ocore]],
    ['one secret, and only the platform that has it', [], ['JWT'], [{ ...exo, secrets: ['JWT'] }]],
    [
      'a secret of both',
      [],
      ['SHARED'],
      [
        { ...exo, secrets: ['SHARED'] },
        { ...ocore, secrets: ['SHARED'] },
      ],
    ],
    ['a secret of both, of one platform', ['exo'], ['SHARED'], [{ ...exo, secrets: ['SHARED'] }]],
  ])('takes %s', (_what, platforms, secrets, selected) => {
    expect(select({ platforms, secrets }, [exo, ocore])).toEqual({ ok: true, selected });
  });

  it.each([
    [
      'a platform that no deployment has',
      ['exo', 'exxo'],
      [],
      '--platform must be one of exo, ocore; received "exxo".',
    ],
    [
      'a secret that no deployment has',
      [],
      ['JWT', 'jwt'],
      '--secret must be one of JWT, SHARED, TOKEN; received "jwt".',
    ],
    [
      'a secret of another platform',
      ['ocore'],
      ['JWT'],
      '--secret must be one of TOKEN, SHARED; received "JWT".',
    ],
  ])('refuses %s', (_what, platforms, secrets, message) => {
    expect(select({ platforms, secrets }, [exo, ocore])).toEqual({ ok: false, message });
  });
});
