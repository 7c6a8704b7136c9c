import * as z from 'zod/mini';
import { KeyturnError } from '../contract/errors.ts';
import { checkRules } from '../contract/format.ts';
import { sameText } from '../contract/same-text.ts';
import { defineClass } from '../contract/secret-class.ts';
import { formatBreaksRules, generatedValue, newValue } from './generated-value.ts';

const Options = z.strictObject({
  ...generatedValue,
  /** Other names under which the same value must stand in the document. Default: none. */
  copies: z._default(z.array(z.string()), []),
});

/** A value that two or more services must hold at once: every copy changes in one version. */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'shared-token',
  steps: 'random, with its copies under other names in the same version; test compares the copies',
  plan: 'redeploy-and-prove',
  admission: 'free',
  cutover: true,
  supplied: false,
  restorable: true,
  actions: [],
  options: Options,
  check: (options) =>
    new Set([options.variable, ...options.copies]).size === options.copies.length + 1
      ? formatBreaksRules(options)
      : `options.copies must name each variable once, and not ${options.variable} itself.`,
  variables: ({ variable, copies }) => [variable, ...copies],
  breaks: ({ variable }) => `between the restarts of its holders, calls that carry ${variable} are refused`,

  async create({ options, random }) {
    return newValue(options, random, options.copies);
  },

  set: null,

  async test({ options, document }) {
    const value = document.value(options.variable);
    checkRules(options.variable, value, options.rules);
    for (const copy of options.copies) {
      if (!sameText(value, document.value(copy))) {
        throw new KeyturnError({
          code: 'ValueRejected',
          message: `The member ${copy} must hold the same value as ${options.variable}; it holds another.`,
        });
      }
    }
  },
});
