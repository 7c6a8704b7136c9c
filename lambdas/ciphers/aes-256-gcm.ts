/**
 * AES-256-GCM (NIST SP 800-38D) in the layout and with the key derivation that a deployment declares. An
 * envelope is the same: what the root key wraps is a key, and its derivation is `raw`.
 */
import { isUtf8 } from 'node:buffer';
import type { KeyObject } from 'node:crypto';
import * as z from 'zod/mini';
import { defineCodec, type RowContext, type StoredKey } from '../contract/ciphers.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { Random } from '../contract/ports.ts';
import { noAdditionalData, openGcm, sealGcm } from './gcm.ts';
import { type BoundLayout, bindLayout, type GcmParts, Layout, layoutBreaks } from './gcm-layout.ts';
import { derivationBreaks, deriveKey, KeyDerivation } from './key-derivation.ts';
import { randomBlock } from './random-block.ts';
import { type Format, ringCipher } from './ring-cipher.ts';

const Options = z.strictObject({
  /** What a stored value consists of, in order. See `Layout`. */
  layout: Layout,
  /** Bytes of a nonce, 8–16. Default: 12, the length that SP 800-38D section 5.2.1.1 recommends. */
  nonceBytes: z._default(z.int().check(z.minimum(8), z.maximum(16)), 12),
  /** How the variable's text becomes the key. See `KeyDerivation`. */
  key: KeyDerivation,
  /** What is authenticated beside the ciphertext: nothing, a fixed text, or what the row tells. Default: `none`. */
  additionalData: z._default(
    z.union([z.enum(['none', 'row']), z.strictObject({ text: z.string() })]),
    'none',
  ),
});
type Options = z.infer<typeof Options>;

interface GcmKey {
  readonly key: KeyObject;
  readonly version: number | undefined;
}

export const codec = defineCodec<Options>({
  id: 'aes-256-gcm',
  options: Options,
  check: ({ layout, key }) => layoutBreaks(layout) ?? derivationBreaks(key),
  bind: (options, ring, random) => ringCipher(format(options, random), ring),
});

function format(options: Options, random: Random): Format<GcmKey, GcmParts> {
  const { nonceBytes } = options;
  const layout = bindLayout(options.layout, nonceBytes);
  const next = randomBlock(random);
  const additionalData = additionalDataOf(options.additionalData);
  return {
    make: (key) => ({ key: deriveKey(options.key, key), version: versionOf(key, layout) }),
    read: layout.read,
    open: (parts, { key }, row) => openGcm(parts, key, additionalData(row)),
    seal(plain, { key, version }, row) {
      const nonce = next(nonceBytes);
      return layout.write({ ...sealGcm(plain, key, nonce, additionalData(row)), version });
    },
    // Random bytes are hardly ever UTF-8, so a text that lies in a column of bytes is not worth a try.
    looksSealed: (plain) => plain.length >= layout.leastLength && !(layout.raw && isUtf8(plain)),
  };
}

/** @throws KeyturnError Internal when the row has to tell it and does not: the caller left it out. */
function additionalDataOf(option: Options['additionalData']): (row: RowContext) => Buffer {
  if (option === 'none') return () => noAdditionalData;
  if (option !== 'row') {
    const fixed = Buffer.from(option.text);
    return () => fixed;
  }
  return ({ additionalData }) => {
    if (additionalData === undefined) {
      throw new KeyturnError({
        code: 'Internal',
        message: 'The codec aes-256-gcm must be given additional data with every row; it was given none.',
      });
    }
    return additionalData;
  };
}

/** @throws KeyturnError ValueRejected when the layout carries a version that this key has not. */
function versionOf(key: StoredKey, { carriesVersion }: BoundLayout): number | undefined {
  if (carriesVersion === null) return undefined;
  const most = carriesVersion === 'byte' ? 255 : 999_999_999_999_999;
  const { version } = key;
  if (version === undefined || !Number.isInteger(version) || version < 0 || version > most) {
    throw new KeyturnError({
      code: 'ValueRejected',
      message: `The key ${key.id} must have a version of 0–${most}, since the layout carries it; it has ${version ?? 'none'}.`,
    });
  }
  return version;
}
