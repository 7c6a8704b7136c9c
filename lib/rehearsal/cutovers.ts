/**
 * When a refusal may be put down to a declared cutover.
 *
 * The key that signs a platform's tokens is replaced while its instances restart, some before others. From
 * the beginning of that window any token may meet an instance of the other key; after its end, tokens of the
 * old key are still in clients' hands, and each is refused once.
 */
interface Window {
  readonly begin: number;
  /** Infinity while it is open. */
  end: number;
}

export class Cutovers {
  readonly #windows = new Map<string, Window[]>();

  /** A cutover of this secret begins. Beginning twice is beginning once. */
  begin(secret: string, at: number): void {
    const windows = this.#windows.get(secret) ?? [];
    if (windows.at(-1)?.end !== Number.POSITIVE_INFINITY) {
      windows.push({ begin: at, end: Number.POSITIVE_INFINITY });
    }
    this.#windows.set(secret, windows);
  }

  /** The consumers are through. Ending what is not open does nothing. */
  end(secret: string, at: number): void {
    const last = this.#windows.get(secret)?.at(-1);
    if (last?.end === Number.POSITIVE_INFINITY) last.end = at;
  }

  /**
   * Whether a cutover lies between the last time a token was good and its refusal.
   *
   * @param lastGood when the last request that showed the token to be good was *sent*: an old instance may
   *   still answer it after the window's end
   * @param refusedAt when the 401 arrived
   */
  explains(secret: string, lastGood: number, refusedAt: number): boolean {
    return (this.#windows.get(secret) ?? []).some(({ begin, end }) => begin <= refusedAt && lastGood <= end);
  }
}
