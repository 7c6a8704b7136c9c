/** What a command is: a file beside this one exports one, a line in commands.ts adds it. */
import type { ProbePorts } from '../../lambdas/contract/hooks.ts';
import type { OperatorFunctions, OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import type { ResolvedDeployment } from '../../lib/deployment/resolve.ts';
import type { DataPorts } from '../../lib/operations/reencrypt.ts';
import type { Paint } from '../../lib/rehearsal/paint.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

export interface Flag {
  /** What the value is called in the help; null: takes none. */
  readonly value: string | null;
  readonly help: string;
}

/** What stood on the command line. */
export interface Given {
  /** Keys of secrets. */
  readonly secrets: readonly string[];
  /** A flag's value; null: not given. */
  text(flag: string): string | null;
  has(flag: string): boolean;
}

export interface Context {
  readonly given: Given;
  readonly deployment: ResolvedDeployment;
  readonly ports: OperatorPorts & { readonly probe: ProbePorts };
  /** What moving data takes: the hooks of these kinds, connected, and what they log in with. */
  data(kinds: readonly string[]): Promise<Pick<DataPorts, 'kinds' | 'credential'>>;
  /** Functions of the deployment, to be invoked. */
  functions(): Promise<OperatorFunctions>;
  readonly terminal: Terminal;
  /** Colours for what goes to stdout. */
  readonly paint: Paint;
  /** Milliseconds between two looks at something that is followed. */
  readonly pause: number;
}

export interface Result {
  readonly exitCode: ExitCode;
  /** For people; ends with a line break. */
  readonly text: string;
  /** For programs: what `--json` prints. */
  readonly json: object;
}

export interface Command {
  /** The first word on the command line. */
  readonly name: string;
  readonly summary: string;
  /** How many secrets it is about: exactly one, or any number (none: all of the deployment). */
  readonly about: 'one' | 'any';
  /** What it does beyond the summary, for its help. */
  readonly details: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /**
   * Said when more words stand on the line than secrets it is about. Default: that one SECRET is expected.
   * Whatever it says, the words themselves are never repeated.
   */
  readonly surplus?: string;
  run(context: Context): Promise<Result>;
}
