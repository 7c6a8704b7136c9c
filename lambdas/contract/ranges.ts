/** Parts of a large target's rows, which workers move side by side. */
import * as z from 'zod/mini';

/**
 * The rows of one target whose keys come after one place in the order of the key, up to and with another one. The
 * places are keys as text, not rows: a row that is inserted or deleted at one of them changes nothing.
 */
export const KeyRange = z.strictObject({
  target: z.string(),
  /** Null: from the first row on. */
  after: z.nullable(z.array(z.string())),
  /** Null: to the last row. */
  upTo: z.nullable(z.array(z.string())),
});
export type KeyRange = z.infer<typeof KeyRange>;

/**
 * Most ranges of one hook: they travel in the rollout's state, which is 256 KiB at most (Step Functions developer
 * guide, "Service quotas").
 */
export const mostRanges = 32;

/** Bytes of a place's texts, as JSON. A place that is longer is left out: its two ranges are one. */
export const mostPlaceBytes = 512;

/** How a hook wants its data moved. */
export interface Division {
  /** Two or more, at most `mostRanges`. */
  readonly ranges: readonly KeyRange[];
  /** How many may be worked on at once, 1 or more. */
  readonly atOnce: number;
}

/**
 * The ranges between places: together they are every row that the target has or will have.
 *
 * @param places in the order of the key, each once.
 */
export function rangesBetween(target: string, places: readonly (readonly string[])[]): KeyRange[] {
  const kept = places.filter((place) => Buffer.byteLength(JSON.stringify(place)) <= mostPlaceBytes);
  return [null, ...kept].map((after, index) => ({
    target,
    after: after === null ? null : [...after],
    upTo: kept[index] === undefined ? null : [...kept[index]],
  }));
}
