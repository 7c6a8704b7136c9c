import type { KeyRing } from './ciphers.ts';
import type { Phase, SecretDocument, Variables } from './document.ts';

/**
 * For classes whose old and new value overlap: create introduces the new one beside the old, and the rollout
 * publishes the phases that follow. Each is a pure function of the document before it, so that a stage that
 * runs twice writes the same.
 */
export interface Phases<Options> {
  /** The new value is used, the old one still accepted. */
  promote(options: Options, document: SecretDocument): Variables;
  /** The old one is gone. */
  retire(options: Options, document: SecretDocument): Variables;
  /** Seconds from the moment that every consumer uses the new value until nothing of the old is alive. */
  holdSeconds(options: Options): number;
  /** The phase that create makes. Default: `introduced`. */
  first?(options: Options): Extract<Phase, 'introduced' | 'promoted'>;
  /** For keys that stored data is encrypted with. */
  readonly data?: DataKeys<Options>;
}

/** What the rollout of a data key asks its class, beside the phases. */
export interface DataKeys<Options> {
  /**
   * The key that the stored data is to be under, and every other key of the document that it may be under.
   * @param back whether the rollout goes back: the data then returns to the key that the consumers use.
   */
  ring(options: Options, document: SecretDocument, back: boolean): KeyRing;
  /** The document without the new key, which nothing needs any more: the key in use stays in use. */
  withdraw(options: Options, document: SecretDocument): Variables;
}

/** The phases with the options bound. */
export interface BoundPhases {
  promote(document: SecretDocument): Variables;
  retire(document: SecretDocument): Variables;
  holdSeconds(): number;
  first(): Extract<Phase, 'introduced' | 'promoted'>;
  /** Null: no stored data is encrypted with this secret. */
  readonly data: {
    ring(document: SecretDocument, back: boolean): KeyRing;
    withdraw(document: SecretDocument): Variables;
  } | null;
}

export function boundPhases<Options>(phases: Phases<Options>, options: Options): BoundPhases {
  const { data } = phases;
  return {
    promote: (document) => phases.promote(options, document),
    retire: (document) => phases.retire(options, document),
    holdSeconds: () => phases.holdSeconds(options),
    first: () => phases.first?.(options) ?? 'introduced',
    data:
      data === undefined
        ? null
        : {
            ring: (document, back) => data.ring(options, document, back),
            withdraw: (document) => data.withdraw(options, document),
          },
  };
}
