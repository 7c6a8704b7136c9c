/** How a platform makes the 32 bytes of an AES-256 key from the text of its variable. */
import { createHash, createSecretKey, hkdfSync, type KeyObject, pbkdf2Sync, scryptSync } from 'node:crypto';
import * as z from 'zod/mini';
import type { StoredKey } from '../contract/ciphers.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { Sensitive } from '../contract/sensitive.ts';

const keyBytes = 32;
/** What OpenSSL takes beside the two arrays of RFC 7914, with room. */
const scryptOverheadBytes = 1024 * 1024;

/** Bytes of an option: text stands for its UTF-8 bytes. */
const Bytes = z.union([
  z.string(),
  z.strictObject({ hex: z.string().check(z.regex(/^(?:[0-9a-f]{2})*$/i)) }),
  z.strictObject({ base64: z.base64() }),
]);
type Bytes = z.infer<typeof Bytes>;

const Hash = z.enum(['sha1', 'sha256', 'sha384', 'sha512']);

/** What the derivation begins with: the variable's text as UTF-8, or what it encodes. Default: `utf8`. */
const text = z._default(z.enum(['utf8', 'hex', 'base64']), 'utf8');

export const KeyDerivation = z.discriminatedUnion('kind', [
  /** The text itself is the key: exactly 32 bytes. */
  z.strictObject({ kind: z.literal('raw') }),
  /** 64 hexadecimal digits of either case. */
  z.strictObject({ kind: z.literal('hex') }),
  /** RFC 4648 base64 of 32 bytes, of either alphabet, with or without padding. */
  z.strictObject({ kind: z.literal('base64') }),
  z.strictObject({ kind: z.literal('sha256'), text }),
  /** RFC 5869. `salt`: default none. `info`: default empty, at most 1,024 bytes (Node's limit). */
  z.strictObject({
    kind: z.literal('hkdf'),
    text,
    hash: z._default(Hash, 'sha256'),
    salt: z._default(Bytes, ''),
    info: z._default(Bytes, ''),
  }),
  /** RFC 7914. `cost` is its N: a power of two, 2–2^20. It takes 128 · cost · blockSize bytes of memory. */
  z.strictObject({
    kind: z.literal('scrypt'),
    text,
    cost: z.int().check(z.minimum(2), z.maximum(2 ** 20)),
    blockSize: z._default(z.int().check(z.minimum(1), z.maximum(32)), 8),
    parallelization: z._default(z.int().check(z.minimum(1), z.maximum(16)), 1),
    salt: Bytes,
  }),
  /** RFC 8018 section 5.2. */
  z.strictObject({
    kind: z.literal('pbkdf2'),
    text,
    hash: z._default(Hash, 'sha256'),
    iterations: z.int().check(z.minimum(1), z.maximum(10_000_000)),
    salt: Bytes,
  }),
]);
export type KeyDerivation = z.infer<typeof KeyDerivation>;

/** @returns the sentence of the first rule that a schema cannot say and that is broken, or null. */
export function derivationBreaks(derivation: KeyDerivation): string | null {
  if (derivation.kind === 'scrypt' && !Number.isInteger(Math.log2(derivation.cost))) {
    return `key.cost must be a power of two (RFC 7914 section 2); it is ${derivation.cost}.`;
  }
  if (derivation.kind === 'hkdf' && bytesOf(derivation.info).length > 1024) {
    return 'key.info must have at most 1,024 bytes.';
  }
  return null;
}

/**
 * The AES-256 key of a ring's key. Slow on purpose under `scrypt` and `pbkdf2`: call it once per key.
 *
 * @throws KeyturnError ValueRejected when the text does not make exactly 32 bytes.
 */
export function deriveKey(derivation: KeyDerivation, key: StoredKey): KeyObject {
  const made = derive(derivation, key.text, keyBytes);
  if (made === null || made.length !== keyBytes) {
    throw new KeyturnError({
      code: 'ValueRejected',
      message: `The key ${key.id} must be ${wanted(derivation)}; it has ${key.text.reveal().length} characters and is not that.`,
    });
  }
  return createSecretKey(made);
}

/** @returns null when the text is not in the encoding that the derivation asks for, or empty. */
export function derive(derivation: KeyDerivation, text: Sensitive, length: number): Buffer | null {
  const start = startOf(derivation, text.reveal());
  if (start === null || start.length === 0) return null;
  switch (derivation.kind) {
    case 'sha256':
      return createHash('sha256').update(start).digest();
    case 'hkdf': {
      const { hash, salt, info } = derivation;
      return Buffer.from(hkdfSync(hash, start, bytesOf(salt), bytesOf(info), length));
    }
    case 'scrypt': {
      const { cost, blockSize, parallelization, salt } = derivation;
      const maxmem = 128 * blockSize * (cost + parallelization + 2) + scryptOverheadBytes;
      return scryptSync(start, bytesOf(salt), length, { cost, blockSize, parallelization, maxmem });
    }
    case 'pbkdf2':
      return pbkdf2Sync(start, bytesOf(derivation.salt), derivation.iterations, length, derivation.hash);
    default:
      return start;
  }
}

function startOf(derivation: KeyDerivation, text: string): Buffer | null {
  const { kind } = derivation;
  const encoding = kind === 'raw' ? 'utf8' : kind === 'hex' || kind === 'base64' ? kind : derivation.text;
  switch (encoding) {
    case 'utf8':
      return Buffer.from(text);
    case 'hex':
      return /^(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text, 'hex') : null;
    case 'base64':
      return base64(text);
  }
}

/** Either alphabet, with or without padding, and nothing else. */
function base64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  const unpadded = text.replace(/={1,2}$/, '');
  if (unpadded !== text && text.length % 4 !== 0) return null;
  const exact = bytes.toString('base64').replace(/=+$/, '') === unpadded;
  return exact || bytes.toString('base64url') === unpadded ? bytes : null;
}

function bytesOf(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes);
  return 'hex' in bytes ? Buffer.from(bytes.hex, 'hex') : Buffer.from(bytes.base64, 'base64');
}

function wanted(derivation: KeyDerivation): string {
  switch (derivation.kind) {
    case 'raw':
      return 'exactly 32 bytes as characters';
    case 'hex':
      return '64 hexadecimal digits';
    case 'base64':
      return '32 bytes in base64';
    default:
      return derivation.text === 'utf8' ? 'a text that is not empty' : `a text in ${derivation.text}`;
  }
}
