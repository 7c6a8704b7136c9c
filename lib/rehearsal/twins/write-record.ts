/**
 * What clients know of their own writes, so that a judge can tell whether one was lost: a platform that has
 * acknowledged a write must give it back from then on, whatever key it is under by now.
 */
import { createHash } from 'node:crypto';

/** The SHA-256 of a value in hex, as the twins show it. */
export function digestOf(value: string): string {
  return createHash('sha256').update(value, 'utf8').digest('hex');
}

interface Row {
  /** Digest of the last acknowledged value; null: none yet. */
  acknowledged: string | null;
  /** Digests of what was sent since then: each may have arrived or not. */
  uncertain: string[];
}

/** One writer at a time for each row, each with one write under way: else "the last one" would mean nothing. */
export class WriteRecord {
  readonly #rows = new Map<string, Row>();
  /** By row: what each read that is under way may give. */
  readonly #reads = new Map<string, Set<Set<string>>>();
  #acknowledged = 0;

  /** A write is about to be sent. */
  sending(row: string, value: string): void {
    const known = this.#rows.get(row) ?? { acknowledged: null, uncertain: [] };
    known.uncertain.push(digestOf(value));
    this.#rows.set(row, known);
    for (const possible of this.#reads.get(row) ?? []) possible.add(digestOf(value));
  }

  /** The platform has said that it holds this value. */
  acknowledged(row: string, value: string): void {
    this.#acknowledged += 1;
    this.#rows.set(row, { acknowledged: digestOf(value), uncertain: [] });
  }

  /** Writes that were acknowledged so far. */
  get count(): number {
    return this.#acknowledged;
  }

  /** Rows of which a write was acknowledged. */
  rows(): readonly string[] {
    return [...this.#rows].filter(([, { acknowledged }]) => acknowledged !== null).map(([row]) => row);
  }

  /**
   * Whether what a read gave can be explained without a lost write. Before the first acknowledgement anything can.
   * @param digest null: the row was not there, or could not be decrypted
   */
  explains(row: string, digest: string | null): boolean {
    const known = this.#rows.get(row);
    if (known === undefined || known.acknowledged === null) return true;
    return digest === known.acknowledged || (digest !== null && known.uncertain.includes(digest));
  }

  /**
   * Whether a read gives what can be explained, while others may write: what was there when it began, or was sent since.
   *
   * @returns the digest that it gave, where that cannot be explained; undefined: it can
   */
  async #unexplained(row: string, read: () => Promise<string | null>): Promise<string | null | undefined> {
    const known = this.#rows.get(row);
    if (known === undefined || known.acknowledged === null) return undefined;
    const possible = new Set([known.acknowledged, ...known.uncertain]);
    const reads = this.#reads.get(row) ?? new Set();
    this.#reads.set(row, reads.add(possible));
    try {
      const digest = await read();
      return digest !== null && possible.has(digest) ? undefined : digest;
    } finally {
      reads.delete(possible);
    }
  }

  /**
   * Reads back every row of which a write was acknowledged.
   *
   * @param read gives the digest that the platform shows for a row; null when it shows none
   * @returns a sentence for each row that no longer holds what was acknowledged; empty: nothing was lost
   */
  async lost(read: (row: string) => Promise<string | null>): Promise<readonly string[]> {
    const sentences: string[] = [];
    for (const row of this.rows()) {
      const digest = await this.#unexplained(row, () => read(row));
      if (digest === undefined) continue;
      sentences.push(
        digest === null
          ? `${row}: the platform cannot read what it acknowledged.`
          : `${row}: the platform gives back another value than the one it acknowledged last.`,
      );
    }
    return sentences;
  }
}
