import * as z from 'zod/mini';
import type { KeyRing } from '../contract/ciphers.ts';
import type { SecretDocument, Variables } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { defineClass } from '../contract/secret-class.ts';
import {
  checkKeeps,
  checkKeys,
  dataKey,
  dataKeyBreaks,
  demandEmpty,
  holdsKey,
  storedKey,
} from './data-key.ts';
import { newValue } from './generated-value.ts';

const Options = z.strictObject({
  ...dataKey,
  /** The variable with the number that rows of the key are tagged with. */
  version: z.string(),
  /** The variable with the one other key. */
  previous: z.string(),
  /** The variable with that key's number. */
  previousVersion: z.string(),
  /** The number of the first key. Default: 1. */
  firstVersion: z._default(z.int().check(z.minimum(0)), 1),
  /** What the platform takes for "no other key" as its number. Default: 0. */
  noVersion: z._default(z.int().check(z.minimum(0)), 0),
  /** Whether the new key is accepted everywhere before it writes anywhere. Default: yes. */
  introduce: z._default(z.boolean(), true),
});
type Options = z.infer<typeof Options>;

interface Tagged {
  readonly text: string;
  readonly version: number;
}

/**
 * A key whose rows are tagged with its number, on a platform that holds one other key. Until everything is under
 * the new one, the other must stay: a second rotation before that would lose it, and is refused.
 */
export const secretClass = defineClass<Options>({
  id: 'versioned-encryption-key',
  steps:
    'random key with the next number, accepted beside the current one; refused while the former rotation has data left; test as `encryption-keyring`',
  plan: 'overlap-and-reencrypt',
  admission: 'free',
  cutover: false,
  supplied: false,
  restorable: true,
  reencryption: 'required',
  actions: [],
  options: Options,
  check: (options) => {
    const names = [options.variable, options.version, options.previous, options.previousVersion];
    return new Set(names).size === names.length
      ? dataKeyBreaks(options)
      : 'options.variable, options.version, options.previous and options.previousVersion must be four variables; two are the same.';
  },
  variables: ({ variable, version, previous, previousVersion }) => [
    variable,
    version,
    previous,
    previousVersion,
  ],
  breaks: () => null,

  async create({ options, current, random }) {
    const text = newValue(options, random).get(options.variable) ?? '';
    if (!holdsKey(options.variable, current)) {
      return written(options, { text, version: options.firstVersion }, null);
    }
    demandEmpty(options.previous, current.has(options.previous) ? current.value(options.previous) : null);
    const active = activeOf(options, current);
    const made = { text, version: active.version + 1 };
    return options.introduce ? written(options, active, made) : written(options, made, active);
  },

  set: null,

  async test({ options, document }) {
    checkKeys(options, ringOf(options, document));
  },

  async keeps({ options, document, current }) {
    checkKeeps(options, ringOf(options, document), ringOf(options, current));
  },

  phases: {
    first: ({ introduce }) => (introduce ? 'introduced' : 'promoted'),
    promote(options, document) {
      const other = otherOf(options, document);
      return other === null ? new Map() : written(options, other, activeOf(options, document));
    },
    retire: (options, document) => written(options, activeOf(options, document), null),
    holdSeconds: () => 0,
    data: {
      ring: ringOf,
      withdraw: (options, document) => written(options, activeOf(options, document), null),
    },
  },
});

function ringOf(options: Options, document: SecretDocument): KeyRing {
  const other = otherOf(options, document);
  const key = (variable: string, { version }: Tagged) => storedKey(document.value(variable), version);
  return {
    write: key(options.variable, activeOf(options, document)),
    others: other === null ? [] : [key(options.previous, other)],
  };
}

function activeOf(options: Options, document: SecretDocument): Tagged {
  const { variable, version, firstVersion } = options;
  return {
    text: document.value(variable).reveal(),
    version: document.has(version) ? numberOf(version, document) : firstVersion,
  };
}

function otherOf({ previous, previousVersion }: Options, document: SecretDocument): Tagged | null {
  const text = document.has(previous) ? document.value(previous).reveal() : '';
  return text === '' ? null : { text, version: numberOf(previousVersion, document) };
}

function numberOf(variable: string, document: SecretDocument): number {
  const text = document.value(variable).reveal();
  const number = Number(text);
  if (/^[0-9]{1,9}$/.test(text)) return number;
  throw new KeyturnError({
    code: 'ValueRejected',
    message: `The value of ${variable} must be a whole number; it has ${text.length} characters and is none.`,
  });
}

function written(options: Options, active: Tagged, other: Tagged | null): Variables {
  return new Map([
    [options.variable, active.text],
    [options.version, String(active.version)],
    [options.previous, other?.text ?? ''],
    [options.previousVersion, String(other?.version ?? options.noVersion)],
  ]);
}
