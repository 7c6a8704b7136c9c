import type { Clock } from '../contract/ports.ts';

/** Lets one through at a time. */
export type Pace = () => Promise<void>;

/**
 * A token bucket that saves nothing up: in no second are there more than `perSecond` calls. Whoever comes too
 * early waits for the place that is his, so that lanes side by side share one rate.
 *
 * @param perSecond above 0.
 */
export function pace(clock: Clock, perSecond: number): Pace {
  const gap = 1_000 / perSecond;
  let last = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.now().getTime();
    last = Math.max(last + gap, now);
    if (last > now) await clock.sleep(last - now);
  };
}
