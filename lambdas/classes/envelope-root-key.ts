import * as z from 'zod/mini';
import { KeyturnError } from '../contract/errors.ts';
import { generatedLength } from '../contract/format.ts';
import { defineClass } from '../contract/secret-class.ts';
import { dataKeyBreaks } from './data-key.ts';
import { namesClash, singleDataKey, singleKeyOverlap } from './single-data-key.ts';

const Options = z.strictObject({
  ...singleDataKey,
  /** Exact length of the key in bytes. Default: 32 (AES-256). */
  exactBytes: z._default(z.int().check(z.minimum(16), z.maximum(64)), 32),
});

/**
 * The root of an envelope: it wraps the keys that encrypt the data. Only those few wrapped keys are written anew,
 * while the consumers hold them unwrapped; no column of data is touched.
 */
export const secretClass = defineClass<z.infer<typeof Options>>({
  id: 'envelope-root-key',
  steps:
    'random key of the exact length, kept beside the one in use; test wraps and unwraps with each, and unwraps what the current one wrapped',
  plan: 'rewrap',
  admission: 'free',
  cutover: false,
  supplied: false,
  restorable: true,
  reencryption: 'or-guarded',
  actions: [],
  options: Options,
  check: (options) =>
    generatedLength(options.format) === options.exactBytes
      ? (namesClash(options) ?? dataKeyBreaks(options))
      : `options.format must make ${options.exactBytes} characters; it makes ${generatedLength(options.format)}.`,
  breaks: () => null,
  set: null,
  ...singleKeyOverlap,

  async test(context) {
    const { variable, exactBytes } = context.options;
    const bytes = Buffer.byteLength(context.document.value(variable).reveal());
    if (bytes !== exactBytes) {
      throw new KeyturnError({
        code: 'ValueRejected',
        message: `The value of ${variable} must have exactly ${exactBytes} bytes; it has ${bytes}.`,
      });
    }
    await singleKeyOverlap.test(context);
  },
});
