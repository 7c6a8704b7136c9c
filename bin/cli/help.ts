import { commonFlags } from './arguments.ts';
import type { Command, Flag } from './command.ts';
import { exitCodes, exitMeanings } from './exit-codes.ts';

/** @param commands in the order in which they are listed */
export function overallHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((command) => usage(command).length)) + 2;
  const rows = commands.map((command) => `  ${usage(command).padEnd(width)}${command.summary}\n`).join('');
  return `Usage: keyturn COMMAND [flags]

Looks after the secrets of a deployment file in your own AWS account, with your own credentials.

Commands:
${rows}
Flags of every command:
${flagRows(commonFlags)}
${exits}
keyturn COMMAND --help tells more.
`;
}

export function commandHelp(command: Command): string {
  const own = Object.keys(command.flags).length === 0 ? '' : `Flags:\n${flagRows(command.flags)}\n`;
  return `Usage: keyturn ${usage(command)} [flags]

${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.

${command.details}

${own}Flags of every command:
${flagRows(commonFlags)}
${exits}`;
}

function usage({ name, about }: Command): string {
  return `${name} ${about === 'one' ? 'SECRET' : '[SECRET…]'}`;
}

function flagRows(flags: Readonly<Record<string, Flag>>): string {
  return Object.entries(flags)
    .map(
      ([name, { value, help }]) => `  ${`--${name}${value === null ? '' : ` ${value}`}`.padEnd(20)}${help}\n`,
    )
    .join('');
}

const exits = `Exit codes:
${Object.entries(exitCodes)
  .map(([name, code]) => `  ${code}  ${exitMeanings[name as keyof typeof exitMeanings]}\n`)
  .join('')}`;
