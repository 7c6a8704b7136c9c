/** How long a Wait state sleeps. */

import { atPath } from './json-shape.ts';
import type { WaitDuration } from './state-machine-definition.ts';
import { TaskError } from './state-tasks.ts';
import type { Json } from './wire.ts';

/**
 * Milliseconds from now, before compression; 0 for a moment that has passed.
 * @throws TaskError States.Runtime when a path finds no integer or no timestamp
 */
export function waitMilliseconds(duration: WaitDuration, input: Json, now: number): number {
  if ('seconds' in duration) return duration.seconds * 1000;
  if ('secondsPath' in duration) {
    const seconds = atPath(input, duration.secondsPath);
    if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= 0) return seconds * 1000;
    throw new TaskError('States.Runtime', `${duration.secondsPath} must be a whole number of seconds`, false);
  }
  const moment = 'timestamp' in duration ? duration.timestamp : atPath(input, duration.timestampPath);
  // RFC 3339, with T and an offset: https://docs.aws.amazon.com/step-functions/latest/dg/state-wait.html
  if (
    typeof moment !== 'string' ||
    !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(moment)
  ) {
    throw new TaskError('States.Runtime', 'a Wait needs a timestamp like 2026-11-21T08:00:00Z', false);
  }
  return Math.max(0, Date.parse(moment) - now);
}
