/**
 * Everything that Keyturn touches outside itself. Classes, steps and stages see only these; `adapters`
 * implements them on the AWS SDK, tests on fakes that keep state.
 */
import type { KeyturnEvent } from './events.ts';
import type { Measurement } from './metrics.ts';
import type { Sensitive } from './sensitive.ts';

export interface Clock {
  now(): Date;
  /** Resolves after `milliseconds`. */
  sleep(milliseconds: number): Promise<void>;
}

export interface Random {
  /** Bytes of a cryptographically secure generator. */
  bytes(count: number): Uint8Array;
}

/** What DescribeSecret says, as far as Keyturn needs it. */
export interface SecretDescription {
  readonly arn: string;
  readonly name: string;
  readonly rotationEnabled: boolean;
  readonly rotationFunctionArn: string | null;
  /** Labelled versions only: Secrets Manager does not list the others here. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  readonly tags: ReadonlyMap<string, string>;
  /** When Secrets Manager last closed a rotation with success; null: never. */
  readonly lastRotatedAt: Date | null;
  /** True while the secret waits for its deletion. */
  readonly deleted: boolean;
}

export interface SecretVersion {
  readonly versionId: string;
  readonly labels: readonly string[];
  readonly createdAt: Date;
  readonly value: Sensitive;
}

/** One version as ListSecretVersionIds tells it: no value. */
export interface VersionSighting {
  readonly versionId: string;
  readonly labels: readonly string[];
  readonly createdAt: Date;
}

export interface PendingWrite {
  readonly secretId: string;
  /** ClientRequestToken of the rotation: becomes the version's id. */
  readonly token: string;
  /** The event's RotationToken; undefined where Secrets Manager sent none. */
  readonly rotationToken: Sensitive | undefined;
  readonly value: Sensitive;
}

/** Secrets Manager. Every method is one call; errors are KeyturnErrors whose code begins with `Aws`. */
export interface Secrets {
  describe(secretId: string): Promise<SecretDescription>;
  /** @throws KeyturnError AwsNotFound when the version has no value (yet). */
  read(secretId: string, versionId: string): Promise<SecretVersion>;
  /** Every version that Secrets Manager still keeps, those without labels too, youngest first. */
  versions(secretId: string): Promise<readonly VersionSighting[]>;
  /** @throws KeyturnError AwsTokenInUse when the token already has another value. */
  writePending(write: PendingWrite): Promise<void>;
  /** Moves AWSCURRENT; `from` is null for a secret that has no current version. */
  moveCurrent(secretId: string, to: string, from: string | null): Promise<void>;
  /** Writes a version under a label of ours. Writing the same again changes nothing. */
  writeLabelled(secretId: string, token: string, label: string, value: Sensitive): Promise<void>;
  /** Moves a label of ours to a version; `from` is the version that has it, or null. */
  moveLabel(secretId: string, label: string, to: string, from: string | null): Promise<void>;
  /** Takes AWSPENDING from a version. */
  removePending(secretId: string, from: string): Promise<void>;
  tag(secretId: string, tags: ReadonlyMap<string, string>): Promise<void>;
}

export interface Events {
  /** @throws KeyturnError when the bus did not take the event. */
  put(event: KeyturnEvent): Promise<void>;
}

export interface Metrics {
  /** Never fails: what is measured must not stop for being measured. */
  put(measurement: Measurement): void;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers: ReadonlyMap<string, Sensitive>;
  /** Milliseconds for the whole exchange. */
  readonly deadline: number;
  /** Most bytes of the body that are read; more is an error. */
  readonly maximumBytes: number;
}

export interface HttpResponse {
  readonly status: number;
  readonly body: string;
  /** Seconds after which the target asks to be asked again (RFC 9110 section 10.2.3). Left out: it does not say. */
  readonly retryAfter?: number;
}

export interface Http {
  /** Follows no redirect. @throws KeyturnError ProbeInconclusive when no complete answer came in time. */
  send(request: HttpRequest): Promise<HttpResponse>;
}

export interface Rollouts {
  /**
   * Starts the plan's state machine under this name.
   * @returns false when an execution of that name exists already: a doubled event starts nothing.
   */
  start(stateMachineArn: string, name: string, input: string): Promise<boolean>;
}

/** One line of a log: only these fields, so that nothing else can ever be printed. */
export interface LogLine {
  readonly message: string;
  readonly secret?: string;
  readonly versionId?: string;
  readonly step?: string;
  readonly stage?: string;
  readonly consumer?: string;
  readonly code?: string;
  readonly count?: number;
}

export type Log = (line: LogLine) => void;
