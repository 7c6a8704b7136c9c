/** One command line from its words to its exit code. */
import { type ErrorCode, KeyturnError, publicError } from '../../lambdas/contract/errors.ts';
import { paintFor } from '../../lib/rehearsal/paint.ts';
import { parseArguments } from './arguments.ts';
import type { Command, Result } from './command.ts';
import { commands } from './commands.ts';
import { connect, deploymentOf } from './connect.ts';
import { type ExitCode, exitCodeOf, exitCodes } from './exit-codes.ts';
import { commandHelp, overallHelp } from './help.ts';
import type { Terminal } from './terminal.ts';

/** What to do about a failure that AWS named, where the error itself says nothing. */
const hints: Partial<Record<ErrorCode, string>> = {
  AwsDenied: 'The credentials in use lack the right for this call, on the secret or on its key.',
  AwsNotFound: 'Is the stack deployed, and is this its account and Region? See --region.',
  AwsThrottled: 'Try again in a minute.',
  AwsUnreachable: 'Try again; see whether the network and the endpoint are there.',
  AwsRefused: 'See whether there are credentials and a Region for this account, as for the AWS CLI.',
};

/** @param argv what follows the program's name */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const { stdout, stderr } = terminal;
  const [name, ...rest] = argv;
  const list = [...commands.values()];
  if (name === undefined || name === '--help' || name === 'help') {
    (name === undefined ? stderr : stdout).write(overallHelp(list));
    return name === undefined ? exitCodes.usage : exitCodes.ok;
  }
  const command = commands.get(name);
  if (command === undefined) {
    stderr.write(`The first word must be a command: ${list.map((one) => one.name).join(', ')}.\n`);
    return exitCodes.usage;
  }
  const parsed = parseArguments(command, rest);
  if (parsed.ok && parsed.given.has('help')) {
    stdout.write(commandHelp(command));
    return exitCodes.ok;
  }
  const json = rest.includes('--json');
  try {
    if (!parsed.ok) throw new KeyturnError({ code: 'UsageInvalid', message: parsed.message });
    const result = await run(command, parsed.given, terminal);
    stdout.write(json ? `${JSON.stringify(result.json, null, 2)}\n` : result.text);
    return result.exitCode;
  } catch (caught) {
    return failed(caught, json, terminal);
  }
}

async function run(
  command: Command,
  given: Parameters<typeof connect>[0],
  terminal: Terminal,
): Promise<Result> {
  const deployment = deploymentOf(given, terminal.environment);
  const connected = await connect(given, terminal.environment);
  const paint = paintFor(terminal.stdout, terminal.environment);
  return command.run({ given, deployment, terminal, paint, ...connected });
}

/** The sentence and the hint, never a stack, and never the text of an error that is not ours. */
function failed(caught: unknown, json: boolean, { stdout, stderr }: Terminal): ExitCode {
  const ours = caught instanceof KeyturnError;
  const { code, message } = ours ? caught : publicError(caught);
  const hint = ours ? (caught.hint ?? hints[code] ?? null) : null;
  if (json) stdout.write(`${JSON.stringify({ error: { code, message, hint } }, null, 2)}\n`);
  else stderr.write(hint === null ? `${message}\n` : `${message}\n${hint}\n`);
  return exitCodeOf(code);
}
