import type { Executions, Fleet } from '../contract/fleet.ts';
import type { Clock, Events, Log, Metrics, Rollouts } from '../contract/ports.ts';
import type { Settings } from '../contract/settings.ts';

export interface ReconcilePorts {
  readonly fleet: Fleet;
  readonly executions: Executions;
  readonly rollouts: Rollouts;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ReconcileContext {
  readonly settings: Settings;
  /** The function's own ARN: tells account and Region. */
  readonly self: string;
  /** Plan id -> ARN of its state machine. */
  readonly stateMachines: ReadonlyMap<string, string>;
  readonly ports: ReconcilePorts;
  /** Milliseconds until Lambda ends this invocation. */
  remaining(): number;
}

/** What a sweep did, in secrets. */
export interface SweepCounts {
  /** Secrets that were found. */
  secrets: number;
  /** Of these, looked at more closely. */
  looked: number;
  /** Overdue, told or not. */
  overdue: number;
  /** With a pending version that is too old, told or not. */
  stuck: number;
  started: number;
  dropped: number;
  told: number;
  /** Looked at in vain: a call failed. The next sweep tries again. */
  failed: number;
  /** Left to the next sweep for want of time. */
  left: number;
}
