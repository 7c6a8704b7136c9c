import { createHash } from 'node:crypto';

/**
 * A secret's own moment within a window: the same in every sweep, and even over the fleet, so that what was
 * lost at one time does not begin again at one time.
 *
 * @param name the secret's name.
 * @param window milliseconds.
 * @returns 0 to `window`, exclusive.
 */
export function slotOf(name: string, window: number): number {
  const drawn = createHash('sha256').update(name).digest().readUInt32BE(0);
  return Math.floor((drawn / 2 ** 32) * window);
}
