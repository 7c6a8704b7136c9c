/**
 * The stages of rollouts as data: what each does, how long it may take, when it is tried again, and where it
 * leads when it fails for good.
 */

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
  readonly repeats?: 'reencryption';
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

/**
 * A fault of the platform under a function, not of the stage: the Lambda service could not run it.
 * (Step Functions developer guide, "Handle transient Lambda service exceptions".)
 */
const lambdaFaults: StageRetry = {
  errors: [
    'Lambda.ClientExecutionTimeoutException',
    'Lambda.Unknown',
    'Lambda.ServiceException',
    'Lambda.AWSLambdaException',
    'Lambda.SdkClientException',
    'Lambda.TooManyRequestsException',
    'Sandbox.Timedout',
    'Runtime.ExitError',
    // Rights that were granted a moment ago may take a minute to be known everywhere.
    'AwsDenied',
    'AwsThrottled',
    'AwsUnreachable',
  ],
  intervalSeconds: 2,
  maxAttempts: 5,
  backoffRate: 2,
  maxDelaySeconds: 60,
};

/** A stage that writes lets a rotation that is under way end first: minutes at most, unless it is stuck. */
const otherRotation: StageRetry = {
  errors: ['NotSettled'],
  intervalSeconds: 15,
  maxAttempts: 8,
  backoffRate: 2,
  maxDelaySeconds: 900,
};

/** Consumers that do not stop, or data that cannot be reached, for a while. */
const later: StageRetry = {
  errors: [
    'ConsumersNotHealthy',
    'HookUnreachable',
    'ReencryptionFailed',
    'TargetUnreachable',
    'TargetNotReady',
    'TargetFull',
    'NotSettled',
  ],
  intervalSeconds: 20,
  maxAttempts: 6,
  backoffRate: 2,
  maxDelaySeconds: 300,
};

export const stages = {
  settle: {
    does: 'waits until Secrets Manager has closed the rotation',
    timeoutSeconds: 60,
    retry: [
      // Secrets Manager gives no time for the removal of AWSPENDING; seconds are usual.
      { errors: ['NotSettled'], intervalSeconds: 10, maxAttempts: 6, backoffRate: 2, maxDelaySeconds: 300 },
      lambdaFaults,
    ],
  },
  redeploy: {
    does: 'restarts the consumers and waits until what runs is healthy and younger than the version',
    timeoutSeconds: 600,
    // Two secrets of one consumer that finish within this time restart it once: the second finds a restart
    // that is younger than its own version.
    waitSeconds: 20,
    onFailure: 'roll-back',
    retry: [
      {
        errors: ['ConsumersNotHealthy', 'HookUnreachable'],
        intervalSeconds: 30,
        maxAttempts: 3,
        backoffRate: 1,
        maxDelaySeconds: 30,
      },
      lambdaFaults,
    ],
  },
  promote: {
    does: 'publishes the version in which the new value is used and the old one still accepted',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
    onFailure: 'roll-back',
  },
  hold: {
    does: 'waits until nothing that the old value made can be alive any more',
    timeoutSeconds: 60,
    waitAfter: 'holdSeconds',
    retry: [lambdaFaults],
  },
  verify: {
    does: 'looks at every consumer once more: none may be left that does not have the new value in use',
    timeoutSeconds: 120,
    retry: [
      {
        errors: ['ConsumersNotHealthy'],
        intervalSeconds: 30,
        maxAttempts: 5,
        backoffRate: 2,
        maxDelaySeconds: 600,
      },
      lambdaFaults,
    ],
  },
  'list-instances': {
    does: 'asks the platform which instances are deployed and active; takes their ids only',
    timeoutSeconds: 300,
    retry: [
      {
        errors: ['InstancesNotListed', 'ProbeInconclusive'],
        intervalSeconds: 30,
        maxAttempts: 5,
        backoffRate: 2,
        maxDelaySeconds: 300,
      },
      lambdaFaults,
    ],
  },
  quiesce: {
    does: 'stops the consumers and waits until none runs: from here on nothing reads or writes the data',
    timeoutSeconds: 600,
    retry: [later, lambdaFaults],
  },
  reencrypt: {
    does: 'moves the stored data to the key that it is to be under, a slice at a time; sets aside what cannot be read',
    timeoutSeconds: 840,
    repeats: 'reencryption',
    retry: [later, lambdaFaults],
  },
  'count-left': {
    does: 'looks at all the data again and counts: goes on only when nothing needs the other key any more',
    timeoutSeconds: 840,
    retry: [
      // Writers that were cut off write no more by now; what is left after these tries needs a person.
      { errors: ['DataLeft'], intervalSeconds: 30, maxAttempts: 3, backoffRate: 2, maxDelaySeconds: 120 },
      later,
      lambdaFaults,
    ],
  },
  retire: {
    does: 'publishes the version without the old value',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
  },
  'renew-instances': {
    does: 'redeploys each instance that is not confirmed yet, and confirms that it holds a token of the new key',
    timeoutSeconds: 600,
    each: { items: 'instances', concurrency: 20 },
    retry: [
      {
        errors: ['InstanceNotRenewed', 'ProbeInconclusive'],
        intervalSeconds: 20,
        maxAttempts: 4,
        backoffRate: 2,
        maxDelaySeconds: 300,
      },
      lambdaFaults,
    ],
  },
  'count-instances': {
    does: 'reads the list again and counts: goes on only when every active instance is confirmed',
    timeoutSeconds: 300,
    retry: [
      {
        errors: ['InstancesNotListed', 'ProbeInconclusive'],
        intervalSeconds: 30,
        maxAttempts: 5,
        backoffRate: 2,
        maxDelaySeconds: 300,
      },
      lambdaFaults,
    ],
  },
  drain: {
    does: 'counts what still uses the old value at its target: goes on only when nothing does',
    timeoutSeconds: 120,
    retry: [
      // Pools let go of idle connections in minutes; jobs of a night may take until the morning.
      {
        errors: ['OldValueInUse'],
        intervalSeconds: 30,
        maxAttempts: 12,
        backoffRate: 2,
        maxDelaySeconds: 10_800,
      },
      later,
      lambdaFaults,
    ],
  },
  disable: {
    does: 'takes the old value away at its target: from here on it is refused',
    timeoutSeconds: 120,
    retry: [later, lambdaFaults],
  },
  prove: {
    does: 'probes that the new value works and that the old one is refused',
    timeoutSeconds: 120,
    retry: [
      // An operator may have to revoke the old value at its provider: about a day and a half, in 12 tries.
      {
        errors: ['OldValueStillAccepted', 'NewValueNotAccepted', 'ProbeInconclusive', 'NotSettled'],
        intervalSeconds: 30,
        maxAttempts: 12,
        backoffRate: 2.5,
        maxDelaySeconds: 21_600,
      },
      lambdaFaults,
    ],
  },
  complete: {
    does: 'records the completion on the secret and reports it',
    timeoutSeconds: 60,
    retry: [lambdaFaults],
  },
  'roll-back': {
    does: 'makes the previous version current again, where the class can restore its target',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
  },
  withdraw: {
    does: 'publishes the version without the new value, once nothing needs it',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
  },
  'hand-over': {
    does: 'a value was made current by hand while the consumers are stopped: counts whether all data is under its key',
    timeoutSeconds: 840,
    retry: [later, lambdaFaults],
  },
  'rolled-back': {
    does: 'records that the previous version runs again, and reports what happened',
    timeoutSeconds: 60,
    retry: [lambdaFaults],
  },
  stall: {
    does: 'reports what happened, what still works and how to go on; changes nothing',
    timeoutSeconds: 60,
    retry: [lambdaFaults],
  },
} as const satisfies Record<string, StageDescription>;

export type StageId = keyof typeof stages;
