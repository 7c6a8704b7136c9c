/** What every operation works with, and the options of the service. */
import type { Caller, Emit, Invoker, JsonObject, WorldClock } from '../wire.ts';
import type { Calendar } from './calendar.ts';
import type { EventFaults } from './events.ts';
import type { Runs } from './runs.ts';
import type { Store } from './store.ts';

/** Where ids, names and passwords come from. */
export interface Randomness {
  bytes(count: number): Uint8Array;
  /** A UUID in its usual form of 36 characters. */
  uuid(): string;
}

/** What AWS leaves open, or decides by itself. Every member may be changed while the service runs. */
export interface Options {
  /**
   * How long to wait, in milliseconds of the endpoint's time, before each repetition of a failed rotation. When
   * they are used up, the next scheduled window tries again. AWS publishes neither number nor spacing.
   * Default: 1 minute, 5 minutes, 15 minutes.
   */
  retryDelays: readonly number[];
  /**
   * How long after success AWSPENDING stays beside AWSCURRENT, in milliseconds. AWS documents both end states
   * as legal, and both have been seen. Default 0: gone with the success.
   */
  pendingRemovalDelay: number | 'never';
  /** How far GetSecretValue and DescribeSecret are behind the writes, in milliseconds. Default 0. */
  readLag: number;
  /**
   * Whether the first value of an empty secret becomes AWSCURRENT although PutSecretValue names other stages.
   * The API reference says so; nobody has recorded it. Default false.
   */
  firstVersionBecomesCurrent: boolean;
  /** Whether RotateSecret with RotateImmediately=false answers with a VersionId; not established. Default true. */
  testRunAnswersVersionId: boolean;
  /** When in its window a scheduled rotation starts, 0 (as it opens) up to 1; AWS promises nothing. Default 0. */
  windowFraction: number;
  /**
   * Whether a schedule of days or rate() that is edited without rotating still fires once at its old time, as
   * the API reference (RotateSecret) warns it may. Default false.
   */
  editedRateKeepsOldTime: boolean;
  /**
   * How long a secret deleted by force still blocks its name, in milliseconds; some seconds on AWS (comment in
   * LocalStack's validated tests). Default 5 s.
   */
  forcedDeletionDelay: number;
  eventFaults: EventFaults;
}

export const defaultOptions: Readonly<Options> = {
  retryDelays: [60_000, 300_000, 900_000],
  pendingRemovalDelay: 0,
  readLag: 0,
  firstVersionBecomesCurrent: false,
  testRunAnswersVersionId: true,
  windowFraction: 0,
  editedRateKeepsOldTime: false,
  forcedDeletionDelay: 5_000,
  eventFaults: {},
};

export interface Core {
  readonly clock: WorldClock;
  readonly random: Randomness;
  readonly invoker: Invoker;
  /** Puts an event on the bus, subject to the event faults. */
  readonly emit: Emit;
  readonly options: Options;
  readonly store: Store;
  readonly runs: Runs;
  readonly calendar: Calendar;
}

/** One operation. It may rely on what `validate.ts` has checked. @throws AwsError */
export type Operation = (core: Core, input: JsonObject, caller: Caller) => JsonObject;
