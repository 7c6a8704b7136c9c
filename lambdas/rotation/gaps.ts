/**
 * When the set step of this very process changed a target that knows one password only: from then on what is
 * current does not work, until finish moves AWSCURRENT. A shortcut and never a source of truth: in a fresh container
 * finish takes the moment at which the pending version was written, which is earlier.
 */
export class Gaps {
  #latest: { readonly key: string; readonly began: Date } | null = null;

  begin(secretId: string, token: string, began: Date): void {
    this.#latest = { key: `${secretId} ${token}`, began };
  }

  take(secretId: string, token: string): Date | null {
    const latest = this.#latest;
    this.#latest = null;
    return latest?.key === `${secretId} ${token}` ? latest.began : null;
  }
}
