import type { SecretSettings } from '../contract/settings.ts';

/** What the reconciler waits for, and how fast it may be. */

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const limits = {
  /** How long the event of a finished rotation has to start its rollout, in milliseconds. */
  eventGrace: 2 * minute,
  /** How long a version may be pending before it counts as stuck, in milliseconds. */
  pending: 6 * hour,
  /** How long a rollout may run, in milliseconds: its proof alone may wait a day and a half for a person. */
  rollout: 3 * day,
  /**
   * How far NextRotationDate may lie in the past, in milliseconds. It is the end of the window (API reference,
   * DescribeSecret); a day more is the longest window there is, for a date that is its beginning after all.
   */
  overdue: day,
  /**
   * How old a finished rotation may be for its rollout to be started still, in milliseconds. Step Functions
   * forgets an execution and its name after 90 days: past that, "missing" may mean "stalled long ago".
   */
  start: 80 * day,
  /** How often one version's rollout is continued that was stopped from outside, whoever resumed it in between. */
  continuations: 2,
  /** Rejections of one pending value before it is dropped. */
  rejections: 3,
  /** Writes to Secrets Manager a second, of a pool of 50 that people and applications share (quotas). */
  writesPerSecond: 20,
  /** Rollouts started a second. */
  startsPerSecond: 20,
  /** Calls of ListSecretVersionIds a second, of a pool of 50 (quotas). */
  versionReadsPerSecond: 25,
  /** Secrets that are looked at side by side. */
  lanes: 8,
  /** Starts are spread over this many milliseconds for each secret of the fleet … */
  spreadPerSecret: 1_000,
  /** … up to this many. */
  spread: 30 * minute,
  /** Milliseconds that must be left of an invocation to look at another secret. */
  margin: 60_000,
} as const;

/** How long a rollout of this secret may run, in milliseconds: an overlap holds the old value for a while. */
export function longestRollout({ holdSeconds = 0 }: SecretSettings): number {
  return limits.rollout + holdSeconds * 1_000;
}
