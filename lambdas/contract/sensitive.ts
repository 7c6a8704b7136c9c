/** What every attempt to print a secret shows. */
export const redacted = '[redacted]';

/**
 * A value of a secret on its way from one call to another. Printing it in any way that JavaScript knows
 * gives `[redacted]`; reading it takes the word `reveal`, which is easy to search for.
 */
export class Sensitive {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Pass it on to the call that needs it; never into a message, a field or an argument list. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return redacted;
  }
}
