import type { SecretDocument } from '../contract/document.ts';

export interface TestedValue {
  readonly document: SecretDocument;
  /** When the version was written. */
  readonly createdAt: Date;
}

/**
 * The value that the test step of this very process has just tested, so that finish can test it once more
 * without another read. It is a shortcut and never a source of truth: in a fresh container finish reads.
 *
 * It holds one value at most, which finish takes out.
 */
export class TestedValues {
  #latest: { readonly key: string; readonly value: TestedValue } | null = null;

  remember(secretId: string, token: string, value: TestedValue): void {
    this.#latest = { key: `${secretId} ${token}`, value };
  }

  take(secretId: string, token: string): TestedValue | null {
    const latest = this.#latest;
    this.#latest = null;
    return latest?.key === `${secretId} ${token}` ? latest.value : null;
  }
}
