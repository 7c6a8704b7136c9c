import type { ProgressStream } from '../../lib/rehearsal/progress.ts';

/** Where a value or an answer is typed. */
export interface Input extends AsyncIterable<Buffer | string> {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** What a command sees of the machine on which it runs. */
export interface Terminal {
  readonly stdin: Input;
  /** Results: sentences and tables, or JSON. */
  readonly stdout: ProgressStream;
  /** Progress, questions and errors. */
  readonly stderr: ProgressStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The signed-in user. */
  userName(): string;
}
