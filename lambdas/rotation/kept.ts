/**
 * One thing that a step of this very process keeps for a later step of the same rotation. A shortcut and never a source
 * of truth: in a fresh container there is none, and the step reads what it needs.
 *
 * It is given out once, so that no value stays in a warm process; what is asked for another rotation is forgotten.
 */
export class Kept<T> {
  #latest: { readonly key: string; readonly thing: T } | null = null;

  /** @param id of a version: what a version holds never changes. */
  keep(secretId: string, id: string, thing: T): void {
    this.#latest = { key: `${secretId} ${id}`, thing };
  }

  take(secretId: string, id: string): T | null {
    const latest = this.#latest;
    this.#latest = null;
    return latest?.key === `${secretId} ${id}` ? latest.thing : null;
  }
}
