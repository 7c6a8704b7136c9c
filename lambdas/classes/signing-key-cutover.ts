import * as z from 'zod/mini';
import { defineClass } from '../contract/secret-class.ts';
import { newValue } from './generated-value.ts';
import { checkHmacKey, formatBreaksAlgorithm, hmacKey } from './hmac-key.ts';

const Options = z.strictObject(hmacKey);

/** An HMAC key of a platform that holds one key only: its rotation ends every session and token at once. */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'signing-key-cutover',
  steps: 'random HMAC key; test signs and verifies with it and refuses weak or published keys',
  plan: 'redeploy-and-prove',
  admission: 'free',
  cutover: true,
  supplied: false,
  restorable: true,
  actions: [],
  options: Options,
  check: formatBreaksAlgorithm,
  variables: ({ variable }) => [variable],
  breaks: ({ variable }) => `every session and token signed with ${variable} ends at once`,

  async create({ options, random }) {
    return newValue(options, random);
  },

  set: null,

  async test({ options, document }) {
    checkHmacKey(options, document.value(options.variable));
  },
});
