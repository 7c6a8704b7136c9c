/**
 * What the parts of the local AWS endpoint agree on: how a call arrives, how it is refused, what the
 * time is, and how one part reaches another.
 *
 * Nothing here knows Keyturn: the endpoint stands for an AWS account, and the code under test must not be
 * able to tell the difference.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** Who signed a request. `roleArn` is null for the operator, who may do everything. */
export interface Caller {
  readonly accessKeyId: string;
  /** The role whose policies decide; null: the account's administrator. */
  readonly roleArn: string | null;
  /** The function whose process made the call; null for anything that is not a function. */
  readonly functionArn: string | null;
}

/** One AWS service, as its wire protocol sees it: an operation's name and its input. */
export interface Service {
  /** The name that SigV4 signs for: `secretsmanager`, `events`, `states`, `ecs`. */
  readonly signingName: string;
  /** @throws AwsError for everything that AWS would answer with an error. */
  handle(operation: string, input: JsonObject, caller: Caller): Promise<JsonObject>;
}

/** An error as AWS answers it: a short code, a message, an HTTP status (400 unless the source says otherwise). */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number;
  /** Members of the answer beside code and message. */
  readonly members: JsonObject;

  constructor(code: string, message: string, status = 400, members: JsonObject = {}) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
    this.members = members;
  }
}

/**
 * The endpoint's time. It may run faster than the wall clock, and it can be moved forward; processes under
 * test keep their own clocks.
 */
export interface WorldClock {
  /** Milliseconds since the epoch, in the endpoint's time. */
  now(): number;
  /** Runs `action` once, `delay` milliseconds of the endpoint's time from now. Returns how to cancel it. */
  after(delay: number, action: () => void): () => void;
}

export type InvocationResult =
  | { readonly ok: true; readonly payload: Json }
  | { readonly ok: false; readonly errorType: string; readonly errorMessage: string };

/** How services of the endpoint invoke functions. */
export interface Invoker {
  /** True when a permission lets this service principal (`secretsmanager.amazonaws.com`) invoke the function. */
  permits(functionArn: string, principal: string): boolean;
  /** Synchronous invocation (RequestResponse). Never throws: a crash or time-out is a function error. */
  invoke(functionArn: string, event: Json): Promise<InvocationResult>;
}

/** An event as it lies on a bus. */
export interface BusEvent {
  readonly id: string;
  readonly source: string;
  readonly 'detail-type': string;
  readonly account: string;
  readonly region: string;
  /** ISO 8601. */
  readonly time: string;
  readonly resources: readonly string[];
  readonly detail: JsonObject;
}

/** Puts an event of an AWS service on the default bus. */
export type Emit = (event: Omit<BusEvent, 'id' | 'account' | 'region' | 'time'>) => void;

/** Where the endpoint pretends to be. */
export const account = '111122223333';
export const region = 'eu-central-1';
