/**
 * What the reconciler touches: every secret of a deployment, and the executions of its plans. No method reads
 * a value. Each is one call; errors are KeyturnErrors whose code begins with `Aws`.
 */

/** What ListSecrets and DescribeSecret both say. */
export interface FleetSecret {
  readonly arn: string;
  readonly name: string;
  readonly rotationEnabled: boolean;
  /** Whether it has rotation rules, rotation on or off. */
  readonly scheduled: boolean;
  /** Labelled versions only. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  readonly tags: ReadonlyMap<string, string>;
  /** When Secrets Manager last closed a rotation with success; null: never. */
  readonly lastRotatedAt: Date | null;
  /** The last moment of the next window; in the past when rotations fail. Null: no schedule, or rotation off. */
  readonly nextRotationAt: Date | null;
  readonly createdAt: Date;
  /** True while the secret waits for its deletion. */
  readonly deleted: boolean;
}

export interface Fleet {
  /**
   * A page of at most 100 secrets that have a tag with this value. The filter compares by prefix, and the
   * answer may be minutes old (API reference, ListSecrets).
   * @param cursor what the page before gave as `next`; null for the first page.
   */
  list(
    tag: { readonly key: string; readonly value: string },
    cursor: string | null,
  ): Promise<{ readonly secrets: readonly FleetSecret[]; readonly next: string | null }>;
  /** @throws KeyturnError AwsNotFound. */
  look(secretId: string): Promise<FleetSecret>;
  /**
   * When each version was made, labelled or not: a call for each hundred, and about a hundred is the most that
   * Secrets Manager keeps. A version that a rotation opened and did not fill is not among them.
   */
  versions(secretId: string): Promise<ReadonlyMap<string, Date>>;
  tag(secretId: string, tags: ReadonlyMap<string, string>): Promise<void>;
  /** Takes AWSPENDING from this version. @throws KeyturnError AwsRefused when another version has it. */
  removePending(secretId: string, from: string): Promise<void>;
}

/** How an execution stands, in the words of Step Functions. */
export const executionStatuses = ['RUNNING', 'FAILED', 'TIMED_OUT', 'ABORTED'] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];

export interface ListedExecution {
  readonly name: string;
  readonly startedAt: Date;
}

export interface Executions {
  /** A page of at most 1,000 executions of one status, youngest first. Kept by Step Functions for 90 days. */
  list(
    stateMachineArn: string,
    status: ExecutionStatus,
    cursor: string | null,
  ): Promise<{ readonly executions: readonly ListedExecution[]; readonly next: string | null }>;
}
