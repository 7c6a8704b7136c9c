import type { SecretDocument } from '../contract/document.ts';

export interface TestedValue {
  readonly document: SecretDocument;
  /** When the version was written. */
  readonly createdAt: Date;
}

export interface RememberedValue extends TestedValue {
  /** When its test ended. */
  readonly testedAt: Date;
}

/**
 * The value that the test step of this very process has just tested, so that finish needs no other read, and where
 * that was a moment ago no other login. It is a shortcut and never a source of truth: in a fresh container finish
 * reads and tests.
 *
 * It holds one value at most, which finish takes out.
 */
export class TestedValues {
  #latest: { readonly key: string; readonly value: RememberedValue } | null = null;

  remember(secretId: string, token: string, value: RememberedValue): void {
    this.#latest = { key: `${secretId} ${token}`, value };
  }

  take(secretId: string, token: string): RememberedValue | null {
    const latest = this.#latest;
    this.#latest = null;
    return latest?.key === `${secretId} ${token}` ? latest.value : null;
  }
}
