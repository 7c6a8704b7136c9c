/**
 * A data key of a platform that holds one key only: the second one waits in the same document under a name that the
 * platform does not read, so that the sweep has both and no version of the secret has neither.
 */
import * as z from 'zod/mini';
import type { KeyRing } from '../contract/ciphers.ts';
import type { SecretDocument } from '../contract/document.ts';
import type { Phases } from '../contract/phases.ts';
import type { CreateContext, SecretClass } from '../contract/secret-class.ts';
import { checkKeeps, checkKeys, dataKey, demandEmpty, holdsKey, storedKey } from './data-key.ts';
import { newValue } from './generated-value.ts';

export const singleDataKey = {
  ...dataKey,
  /** Member of the document that holds the new key until it is used. Default: `<variable>_NEXT`. */
  next: z.optional(z.string()),
  /** Member that holds the old key until nothing is under it. Default: `<variable>_PREVIOUS`. */
  previous: z.optional(z.string()),
  /** What a rotation without re-encryption would destroy, as a clause. Default: the data becomes unreadable. */
  breaks: z.optional(z.string().check(z.minLength(10))),
};
const Options = z.strictObject(singleDataKey);
export type SingleDataKey = z.infer<typeof Options>;

type Shared = Required<
  Pick<SecretClass<SingleDataKey>, 'variables' | 'create' | 'test' | 'keeps'> & {
    phases: Phases<SingleDataKey>;
  }
>;

/** What both classes of such keys do alike. */
export const singleKeyOverlap: Shared = {
  variables: (options) => [options.variable, ...Object.values(besides(options))],

  async create({ options, current, random }: CreateContext<SingleDataKey>) {
    const { variable } = options;
    const { next, previous } = besides(options);
    const made = newValue(options, random).get(variable) ?? '';
    if (!holdsKey(variable, current)) return documentOf(options, made, '', '');
    for (const member of [next, previous]) {
      demandEmpty(member, current.has(member) ? current.value(member) : null);
    }
    return documentOf(options, current.value(variable).reveal(), made, '');
  },

  async test({ options, document }) {
    checkKeys(options, ringOf(options, document, true));
  },

  async keeps({ options, document, current }) {
    checkKeeps(options, ringOf(options, document, true), ringOf(options, current, true));
  },

  phases: {
    promote(options, document) {
      const next = textOf(besides(options).next, document);
      const used = document.value(options.variable).reveal();
      return next === '' ? new Map() : documentOf(options, next, '', used);
    },
    retire: (options, document) => documentOf(options, document.value(options.variable).reveal(), '', ''),
    holdSeconds: () => 0,
    data: {
      ring: ringOf,
      withdraw: (options, document) => documentOf(options, document.value(options.variable).reveal(), '', ''),
    },
  },
};

/** Before promote, the way forward moves the data to the key that waits; the way back, to the one in use. */
function ringOf(options: SingleDataKey, document: SecretDocument, back: boolean): KeyRing {
  const { next, previous } = besides(options);
  const members = [options.variable, next, previous].filter((name) => textOf(name, document) !== '');
  const write = !back && members.includes(next) ? next : options.variable;
  return {
    write: storedKey(document.value(write)),
    others: members.filter((name) => name !== write).map((name) => storedKey(document.value(name))),
  };
}

function besides({ variable, next, previous }: SingleDataKey): { next: string; previous: string } {
  return { next: next ?? `${variable}_NEXT`, previous: previous ?? `${variable}_PREVIOUS` };
}

function textOf(member: string, document: SecretDocument): string {
  return document.has(member) ? document.value(member).reveal() : '';
}

function documentOf(options: SingleDataKey, used: string, next: string, previous: string) {
  const names = besides(options);
  return new Map([
    [options.variable, used],
    [names.next, next],
    [names.previous, previous],
  ]);
}

/** @returns the sentence when two of the three names are the same; else null. */
export function namesClash(options: SingleDataKey): string | null {
  const names = [options.variable, ...Object.values(besides(options))];
  return new Set(names).size === names.length
    ? null
    : 'options.variable, options.next and options.previous must be three names; two are the same.';
}
