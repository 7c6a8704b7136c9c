/**
 * Reads a command line. No sentence here repeats a word that was given where none is expected: people paste
 * secrets in the wrong place.
 */
import { parseArgs } from 'node:util';
import type { Command, Flag, Given } from './command.ts';

export const commonFlags = {
  deployment: { value: 'FILE', help: 'the deployment file; default: the variable KEYTURN_DEPLOYMENT' },
  region: { value: 'REGION', help: 'the AWS Region; default: as the AWS CLI finds it' },
  endpoint: { value: 'URL', help: 'use this AWS endpoint, for example the local one of a rehearsal' },
  json: { value: null, help: 'print JSON for programs in place of sentences' },
  help: { value: null, help: 'print this and exit' },
} as const satisfies Record<string, Flag>;

export type ParsedArguments =
  | { readonly ok: true; readonly given: Given }
  | { readonly ok: false; readonly message: string };

/** @param argv what follows the command's name */
export function parseArguments(command: Command, argv: readonly string[]): ParsedArguments {
  const flags: Readonly<Record<string, Flag>> = { ...command.flags, ...commonFlags };
  // Not strict: node's own errors quote what they refuse.
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { value }]) => [
        name,
        { type: value === null ? ('boolean' as const) : ('string' as const) },
      ]),
    ),
  });
  const values = new Map<string, string>();
  const secrets: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      secrets.push(token.value);
      continue;
    }
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined;
    if (flag === undefined) {
      return refused(
        `Word ${token.index + 2} after keyturn is not a flag of ${command.name}; its flags are ${listed(flags)}.`,
      );
    }
    const sentence = judged(flag, token.value, token.inlineValue === true, values.has(token.name));
    if (sentence !== null) return refused(`--${token.name} ${sentence}.`);
    values.set(token.name, token.value ?? '');
  }
  const help = values.has('help');
  if (!help && command.about === 'one' && secrets.length !== 1) {
    return refused(
      secrets.length === 0
        ? `${command.name} must be followed by SECRET, a secret's key in the deployment file.`
        : (command.surplus ?? `${command.name} takes one SECRET; ${secrets.length} words were given.`),
    );
  }
  return {
    ok: true,
    given: {
      secrets,
      text: (flag) => values.get(flag) ?? null,
      has: (flag) => values.has(flag),
    },
  };
}

/** @returns the rest of the sentence that begins with the flag, or null when all is well. */
function judged(flag: Flag, value: string | undefined, inline: boolean, again: boolean): string | null {
  if (again) return 'may be given once';
  if (flag.value === null) return value === undefined ? null : 'takes no value';
  // `--region --json` would otherwise ask a Region of that name.
  return value === undefined || value === '' || (!inline && value.startsWith('-'))
    ? `must be followed by ${flag.value}`
    : null;
}

function listed(flags: Readonly<Record<string, Flag>>): string {
  return Object.keys(flags)
    .map((name) => `--${name}`)
    .join(', ');
}

function refused(message: string): ParsedArguments {
  return { ok: false, message };
}
