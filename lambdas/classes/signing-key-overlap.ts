import * as z from 'zod/mini';
import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { checkRules, Rules } from '../contract/format.ts';
import { sameText } from '../contract/same-text.ts';
import { defineClass } from '../contract/secret-class.ts';
import { Sensitive } from '../contract/sensitive.ts';
import { formatBreaksRules, generatedValue, newValue } from './generated-value.ts';

/** Longest hold in seconds: a year and a day, the longest life of a token in any platform's document. */
const longestLife = 366 * 86_400;

/** Keys that are accepted at once, at most: rotations that overtake each other must not fill the secret. */
const mostKeys = 8;

const Options = z.strictObject({
  ...generatedValue,
  /** What the platform takes. Default: at least 32 characters, the floor of HS256. */
  rules: z._default(Rules, { minimumLength: 32, forbidden: [] }),
  /** The variable with the keys that are accepted beside the one that signs. */
  accepted: z.string(),
  /** What stands between two accepted keys. Default: a comma. */
  separator: z._default(z.string().check(z.minLength(1)), ','),
  /** Seconds that the longest-lived token lives, clock skew included, 0–31,622,400: how long the old key is held. */
  tokenLifeSeconds: z.int().check(z.minimum(0), z.maximum(longestLife)),
});
type Options = z.infer<typeof Options>;

/**
 * An HMAC key of a platform that accepts several: nobody is logged out. The new key is accepted everywhere
 * before it signs anything, and the old one is accepted until the last token that it signed has expired.
 */
export const secretClass = defineClass<Options>({
  id: 'signing-key-overlap',
  steps: 'random HMAC key, accepted beside the one that signs; test checks both keys',
  plan: 'overlap',
  admission: 'free',
  cutover: false,
  supplied: false,
  restorable: true,
  actions: [],
  options: Options,
  check: (options) =>
    options.accepted === options.variable
      ? `options.accepted must be another variable than ${options.variable}.`
      : formatBreaksRules(options),
  variables: ({ variable, accepted }) => [variable, accepted],
  breaks: () => null,

  async create({ options, current, random }) {
    const { variable, accepted, separator } = options;
    const made = newValue(options, random).get(variable) ?? '';
    // A secret's first value has no old key beside it: it signs at once.
    if (!current?.has(variable)) {
      return new Map([
        [variable, made],
        [accepted, ''],
      ]);
    }
    // Keys that are still accepted belong to a rollout that this rotation overtakes: their tokens live on.
    const ring = [made, ...acceptedKeys(options, current).map((key) => key.reveal())].slice(0, mostKeys);
    return new Map([
      [variable, current.value(variable).reveal()],
      [accepted, ring.join(separator)],
    ]);
  },

  set: null,

  async test({ options, document }) {
    checkRules(options.variable, document.value(options.variable), options.rules);
    for (const key of acceptedKeys(options, document)) {
      checkRules(options.accepted, key, options.rules);
      if (sameText(key, document.value(options.variable))) {
        throw new KeyturnError({
          code: 'ValueRejected',
          message: `The keys of ${options.accepted} must be others than ${options.variable}; one is the same.`,
        });
      }
    }
  },

  phases: {
    promote(options, document) {
      const [introduced, ...older] = acceptedKeys(options, document).map((key) => key.reveal());
      if (introduced === undefined) return new Map();
      const { variable, accepted, separator } = options;
      return new Map([
        [variable, introduced],
        [accepted, [document.value(variable).reveal(), ...older].join(separator)],
      ]);
    },
    retire: ({ accepted }) => new Map([[accepted, '']]),
    holdSeconds: ({ tokenLifeSeconds }) => tokenLifeSeconds,
  },
});

function acceptedKeys({ accepted, separator }: Options, document: SecretDocument): Sensitive[] {
  if (!document.has(accepted)) return [];
  return document
    .value(accepted)
    .reveal()
    .split(separator)
    .filter((key) => key !== '')
    .map((key) => new Sensitive(key));
}
