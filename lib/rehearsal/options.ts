/** The flags of `npm run rehearse`. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Rehearse these platforms only; none named: all. */
  readonly platforms: readonly string[];
  /** Rehearse these secrets only, by their keys in the deployment file; none named: all. */
  readonly secrets: readonly string[];
  /** 0–4294967295. Null: the rehearsal draws one and prints it. */
  readonly seed: number | null;
  /** Where the report goes, too. */
  readonly json: string | null;
  /** Deployment files; none named: the examples of the repository. */
  readonly deployments: readonly string[];
  /** An AWS endpoint that is already running. */
  readonly endpoint: string | null;
}

export type Parsed =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'help'; readonly text: string }
  /** Exit with `exitCodes.usage`. */
  | { readonly kind: 'refused'; readonly message: string };

/** How a rehearsal ends, as the shell sees it. */
export const exitCodes = {
  /** Every outcome as expected, every rule held. */
  passed: 0,
  /** A rule broke, or a rotation ended otherwise than expected. */
  broken: 1,
  /** A flag, platform, secret or file was refused; nothing has run. */
  usage: 2,
  /** The rehearsal itself could not go on: a port, a file, an endpoint that does not answer. */
  failed: 3,
} as const;

interface Flag {
  /** What the value is called in the help; null: takes none. */
  readonly value: string | null;
  readonly repeatable: boolean;
  readonly help: string;
  /** The sentence's rest of the rule that a value breaks, or null. Default: none is broken. */
  breaks?(value: string): string | null;
}

const largestSeed = 4_294_967_295;

const flags = {
  platform: { value: 'NAME', repeatable: true, help: 'rehearse this platform only; may be repeated' },
  secret: { value: 'KEY', repeatable: true, help: 'rehearse this secret only; may be repeated' },
  seed: {
    value: 'N',
    repeatable: false,
    help: 'make the values of an earlier run again; printed at the end of each run',
    breaks: (value) =>
      /^\d{1,10}$/.test(value) && Number(value) <= largestSeed
        ? null
        : `must be a whole number from 0 to ${largestSeed}`,
  },
  json: { value: 'FILE', repeatable: false, help: 'write the report to this file as well' },
  deployment: {
    value: 'FILE',
    repeatable: true,
    help: 'rehearse this deployment file in place of the examples; may be repeated',
  },
  endpoint: {
    value: 'URL',
    repeatable: false,
    help: 'use an AWS endpoint that is already running',
    breaks: (value) =>
      URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
        ? null
        : 'must be an http or https address',
  },
  help: { value: null, repeatable: false, help: 'print this and exit' },
} as const satisfies Record<string, Flag>;
type FlagName = keyof typeof flags;
const rows: readonly (readonly [string, Flag])[] = Object.entries(flags);

export const helpText = `Usage: npm run rehearse -- [flags]

Rotates real secrets of stand-in platforms on this machine, with the functions and the state machine that a
deployment would put into an account, while clients use the platforms. Needs no account and no network.

Flags:
${rows.map(([name, { value, help }]) => `  ${`--${name}${value === null ? '' : ` ${value}`}`.padEnd(19)}${help}\n`).join('')}
Exit codes:
  ${exitCodes.passed}  every rotation ended as expected and every rule held
  ${exitCodes.broken}  a rule broke, or a rotation ended otherwise
  ${exitCodes.usage}  a flag, platform, secret or file was refused; nothing has run
  ${exitCodes.failed}  the rehearsal itself could not go on
`;

/** @param argv what follows the program's name */
export function parseOptions(argv: readonly string[]): Parsed {
  // Not strict: node's own sentences are three lines long. The tokens are judged here.
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      rows.map(([name, { value }]) => [name, { type: value === null ? 'boolean' : 'string' }]),
    ),
  });
  const given = new Map<FlagName, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') return refused(`"${token.value}" must follow a flag; see --help.`);
    if (token.kind === 'option-terminator') continue;
    const { name, rawName, value } = token;
    if (!isFlag(name)) return refused(`${rawName} is not a flag; the flags are ${listed(rows)}.`);
    const flag: Flag = flags[name];
    const earlier = given.get(name) ?? [];
    const sentence = judged(flag, value, token.inlineValue === true, earlier.length);
    if (sentence !== null) return refused(`${rawName} ${sentence}.`);
    given.set(name, [...earlier, value ?? '']);
  }
  if (given.has('help')) return { kind: 'help', text: helpText };
  const one = (name: FlagName) => given.get(name)?.[0] ?? null;
  const all = (name: FlagName) => [...new Set(given.get(name) ?? [])];
  const seed = one('seed');
  return {
    kind: 'run',
    options: {
      platforms: all('platform'),
      secrets: all('secret'),
      seed: seed === null ? null : Number(seed),
      json: one('json'),
      deployments: all('deployment'),
      endpoint: one('endpoint'),
    },
  };
}

/** @returns the rest of the sentence that begins with the flag, or null when all is well. */
function judged(flag: Flag, value: string | undefined, inline: boolean, earlier: number): string | null {
  if (earlier > 0 && !flag.repeatable) return 'may be given once';
  if (flag.value === null) return value === undefined ? null : 'takes no value';
  // `--json --seed 1` would otherwise write a file called --seed.
  if (value === undefined || value === '' || (!inline && value.startsWith('-'))) {
    return `must be followed by ${flag.value}`;
  }
  const rule = flag.breaks?.(value) ?? null;
  return rule === null ? null : `${rule}; received "${value}"`;
}

function isFlag(name: string): name is FlagName {
  return Object.hasOwn(flags, name);
}

function listed(all: readonly (readonly [string, Flag])[]): string {
  return all.map(([name]) => `--${name}`).join(', ');
}

function refused(message: string): Parsed {
  return { kind: 'refused', message };
}
