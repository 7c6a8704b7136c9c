import * as z from 'zod/mini';
import type { KeyRing } from '../contract/ciphers.ts';
import type { SecretDocument, Variables } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { defineClass } from '../contract/secret-class.ts';
import { Sensitive } from '../contract/sensitive.ts';
import { checkKeeps, checkKeys, dataKey, dataKeyBreaks, holdsKey, storedKey } from './data-key.ts';
import { newValue } from './generated-value.ts';

/** Keys in a ring, at most: each is tried on every read, and a secret ends at 64 KiB. */
const mostKeys = 8;

const Options = z.strictObject({
  ...dataKey,
  /** How data is encrypted. Default: Fernet. */
  codec: z._default(dataKey.codec, { id: 'fernet' }),
  /** The variable with the keys that only read. Left out: `variable` holds all keys in one list. */
  accepted: z.optional(z.string()),
  /** What stands between two keys of a list. Default: a comma. */
  separator: z._default(z.string().check(z.minLength(1)), ','),
  /**
   * Which key of one list writes: the first (Python's MultiFernet) or the last (Rails' Active Record Encryption).
   * Only without `accepted`. Default: the first.
   */
  writes: z._default(z.enum(['first', 'last']), 'first'),
  /**
   * Whether the new key is accepted everywhere before it writes anywhere. Without it, a consumer that has not
   * restarted yet cannot read what one that has restarted writes. Default: yes.
   */
  introduce: z._default(z.boolean(), true),
});
type Options = z.infer<typeof Options>;

/** The key that writes, and those that only read, the one that was added last first. */
interface Keys {
  readonly write: string;
  readonly others: readonly string[];
}

/** Keys of a platform that reads with several and writes with one: nothing stored becomes unreadable at any moment. */
export const secretClass = defineClass<Options>({
  id: 'encryption-keyring',
  steps:
    'random key, accepted beside the one that writes; test opens a ciphertext of the current key with the pending ring, and one of each key',
  plan: 'overlap-and-reencrypt',
  admission: 'free',
  cutover: false,
  supplied: false,
  restorable: true,
  reencryption: 'required',
  actions: [],
  options: Options,
  check: (options) =>
    options.accepted === options.variable
      ? `options.accepted must be another variable than ${options.variable}.`
      : dataKeyBreaks(options),
  variables: ({ variable, accepted }) => (accepted === undefined ? [variable] : [variable, accepted]),
  breaks: () => null,

  async create({ options, current, random }) {
    const made = newValue(options, random).get(options.variable) ?? '';
    if (!holdsKey(options.variable, current)) return written(options, { write: made, others: [] });
    const { write, others } = keysOf(options, current);
    demandRoom(options, others.length + 2);
    return options.introduce
      ? written(options, { write, others: [made, ...others] })
      : written(options, { write: made, others: [write, ...others] });
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
      const { write, others } = keysOf(options, document);
      const [introduced, ...older] = others;
      if (introduced === undefined) return new Map();
      return written(options, { write: introduced, others: [write, ...older] });
    },
    retire: (options, document) => written(options, { ...keysOf(options, document), others: [] }),
    holdSeconds: () => 0,
    data: {
      ring: ringOf,
      withdraw(options, document) {
        const { write, others } = keysOf(options, document);
        return written(options, { write, others: others.slice(1) });
      },
    },
  },
});

function ringOf(options: Options, document: SecretDocument): KeyRing {
  const { write, others } = keysOf(options, document);
  return {
    write: storedKey(new Sensitive(write)),
    others: others.map((key) => storedKey(new Sensitive(key))),
  };
}

function keysOf({ variable, accepted, separator, writes }: Options, document: SecretDocument): Keys {
  const listed = (name: string) =>
    document.has(name)
      ? document
          .value(name)
          .reveal()
          .split(separator)
          .map((key) => key.trim())
          .filter((key) => key !== '')
      : [];
  if (accepted !== undefined) {
    return { write: document.value(variable).reveal(), others: listed(accepted) };
  }
  const keys = writes === 'first' ? listed(variable) : listed(variable).reverse();
  const [write = '', ...others] = keys;
  return { write, others };
}

function written({ variable, accepted, separator, writes }: Options, { write, others }: Keys): Variables {
  if (accepted !== undefined) {
    return new Map([
      [variable, write],
      [accepted, others.join(separator)],
    ]);
  }
  const keys = [write, ...others];
  return new Map([[variable, (writes === 'first' ? keys : keys.reverse()).join(separator)]]);
}

function demandRoom({ variable }: Options, count: number): void {
  if (count <= mostKeys) return;
  throw new KeyturnError({
    code: 'StepRefused',
    message: `The ring of ${variable} must have at most ${mostKeys} keys; a rotation now would make it ${count}.`,
    hint: 'Let a rollout end first: it retires the keys that nothing needs. No key is dropped to make room.',
  });
}
