/** What the hook `compose` needs of Systems Manager Run Command, and no wider. */

/** Which hosts: by their ids, or by one tag that they all have. */
export type Hosts =
  | { readonly instances: readonly string[] }
  | { readonly tag: { readonly key: string; readonly value: string } };

export type CommandState = 'under-way' | 'succeeded' | 'failed';

export interface SentCommand {
  readonly id: string;
  readonly requestedAt: Date;
  readonly state: CommandState;
  /** How many hosts it is for; 0 while Systems Manager still looks for hosts with the tag. */
  readonly hosts: number;
}

/** What became of a command on one host. */
export interface HostResult {
  readonly instance: string;
  readonly state: CommandState;
  /** Systems Manager's word for it: `Success`, `Execution Timed Out`. */
  readonly detail: string;
  /** The first 2,500 characters that it printed. */
  readonly output: string;
}

export interface NewCommand {
  readonly hosts: Hosts;
  /** At most 100 characters. */
  readonly comment: string;
  readonly script: string;
  /** Seconds that the script may run on one host. */
  readonly timeoutSeconds: number;
  /** How many hosts run it at once. */
  readonly hostsAtOnce: number;
}

export interface RunCommand {
  /** The commands with this comment, or with this comment and a further word, that were sent since a moment, youngest first. */
  sent(comment: string, since: Date): Promise<readonly SentCommand[]>;
  send(command: NewCommand): Promise<void>;
  results(commandId: string): Promise<readonly HostResult[]>;
}
