import type { SecretDocument } from '../contract/document.ts';

/**
 * The value that the test step of this very process has just tested, so that finish can test it once more
 * without another read. It is a shortcut and never a source of truth: in a fresh container finish reads.
 *
 * It holds one value at most, which finish takes out.
 */
export class TestedValues {
  #latest: { readonly key: string; readonly document: SecretDocument } | null = null;

  remember(secretId: string, token: string, document: SecretDocument): void {
    this.#latest = { key: `${secretId} ${token}`, document };
  }

  take(secretId: string, token: string): SecretDocument | null {
    const latest = this.#latest;
    this.#latest = null;
    return latest?.key === `${secretId} ${token}` ? latest.document : null;
  }
}
