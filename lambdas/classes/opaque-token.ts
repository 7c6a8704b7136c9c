import * as z from 'zod/mini';
import { checkRules } from '../contract/format.ts';
import { defineClass } from '../contract/secret-class.ts';
import { formatBreaksRules, generatedValue, newValue } from './generated-value.ts';

const Options = z.strictObject(generatedValue);

/** A random value that one side hands out and checks: a bearer token, a debug token. */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'opaque-token',
  steps: 'random in the declared format; test checks the platform’s rules',
  plan: 'redeploy-and-prove',
  admission: 'free',
  cutover: false,
  supplied: false,
  restorable: true,
  actions: [],
  options: Options,
  check: formatBreaksRules,
  variables: ({ variable }) => [variable],
  breaks: () => null,

  async create({ options, random }) {
    return newValue(options, random);
  },

  set: null,

  async test({ options, document }) {
    checkRules(options.variable, document.value(options.variable), options.rules);
  },
});
