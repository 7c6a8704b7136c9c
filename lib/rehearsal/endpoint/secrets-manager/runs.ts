/** The rotations and test runs that were asked for: what a simulator may look at afterwards. */
import type { Json } from '../wire.ts';

export type Step = 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret';

/**
 * - `running`: a step is being invoked, or the first one is about to be
 * - `waiting`: failed, and will be repeated after a delay
 * - `resting`: failed, and will be repeated when the next scheduled window opens, if there is one
 * - `succeeded`
 * - `failed`: a test run whose step failed, or a rotation that a newer one has replaced
 * - `abandoned`: AWSCURRENT was moved by hand meanwhile
 * - `cancelled`: CancelRotateSecret or DeleteSecret
 * - `withdrawn`: AWSPENDING was taken from its version by hand
 */
export type RunStatus =
  | 'running'
  | 'waiting'
  | 'resting'
  | 'succeeded'
  | 'failed'
  | 'abandoned'
  | 'cancelled'
  | 'withdrawn';

export interface StepRecord {
  readonly step: Step;
  readonly rotationToken: string;
  readonly startedAt: number;
  /** Null: the function has not returned. */
  endedAt: number | null;
  /** Null: no answer yet. */
  outcome: 'returned' | { readonly errorType: string; readonly errorMessage: string } | null;
  /** What the function returned; Secrets Manager ignores it. */
  payload: Json;
}

export interface Attempt {
  readonly startedAt: number;
  readonly steps: StepRecord[];
  /** The errorMessage of the event; null: did not fail (yet). */
  failure: string | null;
}

export interface RotationRun {
  readonly secretArn: string;
  /** The ClientRequestToken of all steps: the id of the new version. */
  readonly token: string;
  readonly kind: 'rotation' | 'test';
  readonly trigger: 'request' | 'schedule';
  readonly functionArn: string;
  status: RunStatus;
  readonly attempts: Attempt[];
  /** Failures since the request, or since the last scheduled window opened. */
  failures: number;
}

export class Runs {
  readonly all: RotationRun[] = [];
  readonly #open = new Map<string, RotationRun>();
  readonly #retries = new Map<RotationRun, () => void>();

  add(run: RotationRun): void {
    this.all.push(run);
    this.#open.set(run.secretArn, run);
  }

  /** The run of a secret that is not over. */
  openOf(secretArn: string): RotationRun | null {
    return this.#open.get(secretArn) ?? null;
  }

  isOpen(run: RotationRun): boolean {
    return this.#open.get(run.secretArn) === run;
  }

  close(run: RotationRun, status: Exclude<RunStatus, 'running' | 'waiting' | 'resting'>): void {
    run.status = status;
    this.stopRetry(run);
    if (this.isOpen(run)) this.#open.delete(run.secretArn);
  }

  /** Remembers how to take back the planned repetition of a run. */
  planRetry(run: RotationRun, cancel: () => void): void {
    this.#retries.set(run, cancel);
  }

  stopRetry(run: RotationRun): void {
    this.#retries.get(run)?.();
    this.#retries.delete(run);
  }
}
