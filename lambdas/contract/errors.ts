/**
 * The one error base. A message names the field, the rule and what was received; it never holds a value of
 * a secret, because whatever is thrown out of a Lambda function is printed into its log.
 */

/**
 * Every way in which Keyturn refuses or fails. Step Functions retries and catches on the error's *name*,
 * which is the code, so a code is part of the contract with the state machines.
 */
export type ErrorCode =
  /** The deployment file, the catalog or an option breaks a rule; nothing was changed. */
  | 'DeploymentInvalid'
  /** A Lambda event or state machine payload has not the shape that it must have. */
  | 'EventInvalid'
  /** The environment or the settings of a function are incomplete: redeploy. */
  | 'SettingsInvalid'
  /** The secret's value is not a document as the class needs it. */
  | 'DocumentInvalid'
  /** A value breaks a rule of its class: length, alphabet, a known bad value. */
  | 'ValueRejected'
  /** A guard of the four steps refuses: not ours, not pending, rotation off, another function. */
  | 'StepRefused'
  /** The class does not rotate without a person's consent, and there is none. */
  | 'ConsentMissing'
  /** A person has to supply the value first. */
  | 'SupplyMissing'
  /** AWSCURRENT is not the version that the pending value was made from. */
  | 'CurrentChanged'
  /** Not yet: ask again later (Secrets Manager still closes the rotation, consumers still start). */
  | 'NotSettled'
  | 'ConsumersNotHealthy'
  /** A re-encryption could not be run, or not now; no datum was lost. */
  | 'ReencryptionFailed'
  /** Data is left that needs the key which is to go. */
  | 'DataLeft'
  /** A value was made current by hand while the consumers are stopped, and the data is not under its key. */
  | 'ConsumersStopped'
  /** An operator asked the rollout to go back. */
  | 'RollBackAsked'
  /** Sessions of the old value are still open at the target. */
  | 'OldValueInUse'
  | 'OldValueStillAccepted'
  | 'NewValueNotAccepted'
  | 'ProbeInconclusive'
  /** A request to a hook, or its answer, breaks a rule that keeps it where the deployment wants it. */
  | 'HookRefused'
  /** A hook gave no complete answer in time, or an answer that was not foreseen. */
  | 'HookUnreachable'
  /** The platform's list of instances cannot be read, or not now. */
  | 'InstancesNotListed'
  /** The list has more instances, or longer ids, than one rollout carries. */
  | 'TooManyInstances'
  /** One instance does not hold a token of the new key yet. */
  | 'InstanceNotRenewed'
  /** Some instances could not be renewed; the rollout stays open for them. */
  | 'InstancesFailed'
  /** A later version is current: its rollout takes over. */
  | 'Superseded'
  /** The previous version cannot be brought back: there is none, or its target is not ours to restore. */
  | 'NotRestorable'
  /** An operator's command refuses: what it would do is not safe, or there is nothing to do. */
  | 'OperationRefused'
  /** An operator's command was called with arguments that it does not take. */
  | 'UsageInvalid'
  /** The target (a database, a cache) gave no complete answer: the network, a time limit, a lost connection. */
  | 'TargetUnreachable'
  /** No verified TLS with the target: it offers none, or its certificate is not the one that it must be. */
  | 'TargetTlsFailed'
  /** The target is there and does not serve now: it starts, stops or recovers. */
  | 'TargetNotReady'
  /** The target has no connection left. */
  | 'TargetFull'
  /** The target takes no writes: a replica, or set to read only. */
  | 'TargetReadOnly'
  /** The target understood and refused what was asked of it. */
  | 'TargetRefused'
  /** The target has no database of that name. */
  | 'DatabaseMissing'
  /** The target does not let this user in with this password. */
  | 'CredentialRejected'
  /** The target does not let the administrator in who prepares its users, or that one is not named. */
  | 'AdministratorRejected'
  /** The password is right, and has expired. */
  | 'CredentialExpired'
  /** The user is known and lacks a right that it needs. */
  | 'PrivilegeMissing'
  /** AWS answered with an error. */
  | 'AwsNotFound'
  | 'AwsTokenInUse'
  | 'AwsDenied'
  | 'AwsThrottled'
  | 'AwsUnreachable'
  | 'AwsRefused'
  /** A fault of Keyturn itself. */
  | 'Internal';

export interface ErrorParts {
  readonly code: ErrorCode;
  /** One sentence: the field, the rule, what was received. */
  readonly message: string;
  /** What to do next. Kept apart from the message so that tables and JSON can show it on its own. */
  readonly hint?: string;
  /** True when the same call may succeed later without anybody changing anything. Default: false. */
  readonly retryable?: boolean;
  /** What was caught. Never printed: it may come from a parser or a driver that quotes its input. */
  readonly cause?: unknown;
}

export class KeyturnError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | null;
  readonly retryable: boolean;

  constructor(parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? undefined : { cause: parts.cause });
    // Step Functions and Secrets Manager know an error of a function by its name.
    this.name = parts.code;
    this.code = parts.code;
    this.hint = parts.hint ?? null;
    this.retryable = parts.retryable ?? false;
  }
}

/**
 * What may leave a function. The Lambda runtime prints an error with its stack, its cause and every
 * enumerable field, so the cause is dropped, and anything that is not ours is replaced: `JSON.parse` and
 * database drivers put their input into their messages.
 */
export function publicError(caught: unknown): KeyturnError {
  if (caught instanceof KeyturnError) {
    const copy = new KeyturnError({
      code: caught.code,
      message: caught.hint === null ? caught.message : `${caught.message} ${caught.hint}`,
      retryable: caught.retryable,
    });
    copy.stack = `${copy.name}: ${copy.message}`;
    return copy;
  }
  const kind = caught instanceof Error ? caught.constructor.name : typeof caught;
  const hidden = new KeyturnError({
    code: 'Internal',
    message: `An unexpected ${kind} was thrown; its text is withheld, because it may quote a secret.`,
    hint: 'Report it with the request id of this invocation.',
  });
  hidden.stack = `${hidden.name}: ${hidden.message}`;
  return hidden;
}
