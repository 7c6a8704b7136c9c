/**
 * Which states of rows a sweep has written itself, so that the pass which looks for what is left need not fetch them.
 *
 * A row's `xmin` names the transaction that wrote its state. Each of ours is one UPDATE, which writes nothing but
 * ciphertexts under the `write` key: a row that still has such an `xmin` is under that key, and a row that anybody
 * has written since has another. That proves it under three conditions, which the callers keep:
 *
 * - Nothing else writes in our transactions: the table has no triggers and no rules (`TableFacts.triggers`).
 * - No two transactions share an `xmin`. It is the lower half of a transaction's number, so that this holds until the
 *   server has counted to 2^32 for the first time (PostgreSQL documentation, 24.1.5); after that, nothing is noted.
 * - It is the same server without a gap: what is noted ends with the two connections, as a server that was restored or
 *   failed over may give a number away again.
 *
 * It is no evidence for a count: that reads everything.
 */

/** Transactions from here on share their `xmin` with earlier ones. */
const wrapped = 2n ** 32n;

export class OwnWrites {
  /** In the order of the key, as one pass wrote them. */
  readonly #transactions: string[] = [];
  readonly #positions = new Map<string, number>();
  #at = 0;
  #closed = false;

  /** @param transaction with its upper half, as `txid_current` returns it; null: the server did not tell it. */
  note(transaction: string | null): void {
    if (this.#closed || transaction === null || BigInt(transaction) >= wrapped) return;
    this.#positions.set(transaction, this.#transactions.length);
    this.#transactions.push(transaction);
  }

  /** The pass has ended: what is written from now on is not in the order of the key, and is read again. */
  close(): void {
    this.#closed = true;
    this.#at = 0;
  }

  /** Whether there is anything to pass over. */
  get known(): boolean {
    return this.#closed && this.#transactions.length > 0;
  }

  /** At most so many, of those that rows after the last `reached` may be of: one that is left out costs time only. */
  next(count: number): readonly string[] {
    return this.#closed ? this.#transactions.slice(this.#at, this.#at + count) : [];
  }

  /** @param xmin of the last row of a page. */
  reached(xmin: string): void {
    this.#at = this.#positions.get(xmin) ?? this.#at;
  }

  /** The next pass begins at the first row. */
  rewind(): void {
    this.#at = 0;
  }
}
