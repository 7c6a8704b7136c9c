import * as z from 'zod/mini';
import { KeyturnError } from '../contract/errors.ts';
import { checkRules, Rules } from '../contract/format.ts';
import { sameText } from '../contract/same-text.ts';
import { defineClass } from '../contract/secret-class.ts';
import type { Sensitive } from '../contract/sensitive.ts';

const Options = z.strictObject({
  /** The variable that the platform reads. */
  variable: z.string(),
  /** What the platform takes. Default: anything that is not empty. */
  rules: z._default(Rules, { minimumLength: 1, forbidden: [] }),
  /** How the platform wants the value written: as it is, or base64 of it (RFC 4648 section 4). Default: `text`. */
  encoding: z._default(z.enum(['text', 'base64']), 'text'),
});

/** A value that only a person can get: a provider's key. It waits under a label of ours; create copies it. */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'operator-supplied',
  steps: 'copies the version that an operator supplied; test checks the platform’s rules',
  plan: 'redeploy-and-prove',
  // A schedule would fail each time that nobody has supplied a value.
  admission: 'on-demand',
  cutover: false,
  supplied: true,
  restorable: true,
  actions: [],
  options: Options,
  check: () => null,
  variables: ({ variable }) => [variable],
  breaks: () => null,

  async create({ options, supplied, current }) {
    if (supplied === null) {
      throw new KeyturnError({
        code: 'SupplyMissing',
        message: `A value of ${options.variable} must be supplied by a person before it can rotate; none waits.`,
        hint: 'Store it as a version with the label KEYTURN_SUPPLIED, then rotate again.',
      });
    }
    const value = supplied.value(options.variable);
    checkValue(options.variable, value, options);
    if (current?.has(options.variable) && sameText(value, current.value(options.variable))) {
      throw new KeyturnError({
        code: 'ValueRejected',
        message: `The supplied value of ${options.variable} must differ from the current one; it is the same.`,
      });
    }
    return new Map([[options.variable, value.reveal()]]);
  },

  set: null,

  async test({ options, document }) {
    checkValue(options.variable, document.value(options.variable), options);
  },
});

function checkValue(variable: string, value: Sensitive, options: z.infer<typeof Options>): void {
  checkRules(variable, value, options.rules);
  const text = value.reveal();
  if (options.encoding === 'base64' && Buffer.from(text, 'base64').toString('base64') !== text) {
    throw new KeyturnError({
      code: 'ValueRejected',
      message: `The value of ${variable} must be base64, as the platform decodes it; the ${text.length} characters received are not.`,
    });
  }
}
