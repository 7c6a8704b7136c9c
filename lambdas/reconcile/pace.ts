import type { Clock } from '../contract/ports.ts';

/** Lets one through at a time. */
export type Pace = () => Promise<void>;

/**
 * A token bucket that holds one second's worth. Whoever finds it empty waits for the place that is his, so
 * that lanes side by side share one rate.
 *
 * @param perSecond calls a second, above 0.
 */
export function pace(clock: Clock, perSecond: number): Pace {
  const gap = 1_000 / perSecond;
  /** When the next call would be let through if nothing had been saved up. */
  let next = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock.now().getTime();
    // One second may have been saved up, not more.
    next = Math.max(next, now - 1_000) + gap;
    if (next > now) await clock.sleep(next - now);
  };
}
