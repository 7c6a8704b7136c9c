import * as z from 'zod/mini';
import { defineClass } from '../contract/secret-class.ts';
import { dataKeyBreaks } from './data-key.ts';
import { namesClash, type SingleDataKey, singleDataKey, singleKeyOverlap } from './single-data-key.ts';

/**
 * A key of a platform that holds one only: its consumers are stopped, the data is moved from outside, and they
 * start with the new key. Where a deployment does not say how the data is moved, the secret is guarded instead.
 */
export const secretClass = defineClass<SingleDataKey>({
  id: 'encryption-key',
  steps:
    'random key, kept beside the one in use; refused while the former rotation has data left; test opens a ciphertext of the current key, and one of each key',
  plan: 'quiesce-and-sweep',
  admission: 'free',
  cutover: true,
  supplied: false,
  restorable: true,
  reencryption: 'or-guarded',
  actions: [],
  options: z.strictObject(singleDataKey),
  check: (options) => namesClash(options) ?? dataKeyBreaks(options),
  breaks: ({ variable }) =>
    `the consumers of ${variable} are stopped while the stored data is moved to the new key`,
  set: null,
  ...singleKeyOverlap,
});
