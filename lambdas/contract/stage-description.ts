/** What a stage of a rollout says of itself as data, and the limits of stages over a list. */

/** How Step Functions tries a stage again when it fails with one of these error names. */
export interface StageRetry {
  readonly errors: readonly string[];
  /** Seconds before the first retry. */
  readonly intervalSeconds: number;
  /** Retries after the first try. Each one is a state transition. */
  readonly maxAttempts: number;
  /** Factor by which the interval grows. */
  readonly backoffRate: number;
  /** Longest interval in seconds. */
  readonly maxDelaySeconds: number;
}

export interface StageDescription {
  /** What the stage does, as the console and the README say it. */
  readonly does: string;
  /** How long one invocation may run, in seconds (1–900, the limit of Lambda). */
  readonly timeoutSeconds: number;
  /** Member of the state that says how many seconds the rollout waits after the stage. Default: it does not. */
  readonly waitAfter?: 'holdSeconds';
  /** Seconds that the rollout waits before the stage. Default: none. */
  readonly waitSeconds?: number;
  /** Where the stage leads when it fails for good, unless the plan says otherwise. Default: `stall`. */
  readonly onFailure?: Failing;
  readonly retry: readonly StageRetry[];
  /** The stage runs once for every id of a list, several at once. Default: once, on the rollout's state. */
  readonly each?: Each;
  /**
   * Member of the state whose `finished` says whether the stage has more to do: it then runs again, on its own
   * output, as often as it takes. Default: it runs once.
   */
  readonly repeats?: 'reencryption' | 'count';
  /**
   * A stage that works on ranges, each slice after slice and several ranges at once: it runs where this one leaves
   * `ranges` in the state, before this one comes back. A range that fails for good is recorded. Default: none.
   */
  readonly over?: 'sweep-range';
}

/** Stop where it is, or go back by the plan's own way. */
export type Failing = 'stall' | 'roll-back';

/**
 * A stage over a list. It never fails as a whole: an item that fails for good is recorded by its id, and the
 * stage after it judges the results.
 */
export interface Each {
  /** The member of the state that holds the ids. The results take its place, so that the state holds one list. */
  readonly items: 'instances';
  /** How many run at once, where the deployment does not say: 1–`concurrencyLimit`. */
  readonly concurrency: number;
}

/**
 * Most items at once in an inline map; above it, a distributed map is drawn (Step Functions developer guide,
 * "Inline mode": "up to 40 concurrent iterations").
 */
export const inlineConcurrency = 40;

/** Most items at once that a deployment may ask for: a platform's API is asked by each of them. */
export const concurrencyLimit = 200;

/**
 * Most items of one list. An inline item takes 7 events of the execution's history and 3 more for each retry, and
 * a history ends at 25,000; the results of all items stand in one payload of at most 256 KiB (Step Functions
 * developer guide, "Service quotas"). With ids of 64 characters, 1,000 results take half of it.
 */
export const itemLimit = 1_000;
