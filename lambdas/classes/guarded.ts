import * as z from 'zod/mini';
import { checkRules } from '../contract/format.ts';
import { defineClass } from '../contract/secret-class.ts';
import { formatBreaksRules, generatedValue, newValue } from './generated-value.ts';

const Options = z.strictObject({
  ...generatedValue,
  /** What a rotation destroys, as a clause: "every stored API-key hash becomes invalid". */
  breaks: z.string().check(z.minLength(10)),
});

/** A value whose rotation destroys what nothing can bring back: only with consent, never by schedule. */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'guarded',
  steps: 'refused without a consent that has not expired; then random, test checks the platform’s rules',
  plan: 'redeploy-and-prove',
  admission: 'guarded',
  cutover: true,
  supplied: false,
  restorable: true,
  actions: [],
  options: Options,
  check: formatBreaksRules,
  variables: ({ variable }) => [variable],
  breaks: ({ breaks }) => breaks,

  async create({ options, random }) {
    return newValue(options, random);
  },

  set: null,

  async test({ options, document }) {
    checkRules(options.variable, document.value(options.variable), options.rules);
  },
});
