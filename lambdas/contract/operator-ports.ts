/**
 * What an operator's command touches beyond the ports of the functions: the same services, under the
 * credentials of a person. The commands see only these; `adapters/aws/operations.ts` implements them.
 */
import type { Clock, Rollouts, SecretDescription, Secrets } from './ports.ts';
import type { Sensitive } from './sensitive.ts';

/** What DescribeSecret and ListSecretVersionIds say together: ids, labels and times, no value. */
export interface SecretOverview extends SecretDescription {
  /** The end of the next window; null: no schedule, or rotation is off. */
  readonly nextRotationAt: Date | null;
  /** Every version that Secrets Manager still has, labelled or not. */
  readonly versions: ReadonlyMap<string, { readonly createdAt: Date }>;
}

export interface OperatorSecrets extends Secrets {
  overview(secretId: string): Promise<SecretOverview>;
  /** RotateSecret. @returns the new version's id, which is the token of its steps. */
  rotate(secretId: string): Promise<string>;
  /** Stores a value under the label from which the next rotation copies it. @returns the version's id. */
  supply(secretId: string, value: Sensitive): Promise<string>;
  untag(secretId: string, keys: readonly string[]): Promise<void>;
}

/** How Step Functions calls the ways in which an execution may be. */
export type ExecutionStatus =
  | 'RUNNING'
  | 'SUCCEEDED'
  | 'FAILED'
  | 'TIMED_OUT'
  | 'ABORTED'
  | 'PENDING_REDRIVE';

export interface ExecutionSummary {
  readonly arn: string;
  readonly status: ExecutionStatus;
  readonly startedAt: Date;
  /** Null while it runs. */
  readonly stoppedAt: Date | null;
  /** JSON text. */
  readonly input: string;
  /** JSON text; null: it runs, or did not succeed. */
  readonly output: string | null;
  /** Name of the error with which it ended; null: none. */
  readonly error: string | null;
}

/** A state that an execution entered. */
export interface EnteredState {
  readonly name: string;
  readonly enteredAt: Date;
  /** JSON text. */
  readonly input: string;
  /** How often what it does failed so far; a state is tried again by its Retry. */
  readonly failures: number;
  /** The last failure: the error's name, and the text that came with it. Null: none. */
  readonly lastFailure: { readonly error: string; readonly cause: string } | null;
}

export interface OperatorRollouts extends Rollouts {
  /** @returns null when there is no such execution, or none any more: Step Functions keeps them for 90 days. */
  describe(executionArn: string): Promise<ExecutionSummary | null>;
  /** The states that were entered so far, in order. */
  states(executionArn: string): Promise<readonly EnteredState[]>;
}

/** Functions, invoked as they are deployed. */
export interface OperatorFunctions {
  /**
   * Waits for the answer.
   * @returns what it returned; or, where it failed, the name of its error. Its text is left where it was: in the log.
   */
  invoke(
    functionArn: string,
    event: object,
  ): Promise<
    { readonly ok: true; readonly payload: unknown } | { readonly ok: false; readonly error: string }
  >;
}

export interface OperatorPorts {
  readonly secrets: OperatorSecrets;
  readonly rollouts: OperatorRollouts;
  readonly clock: Clock;
}
