/**
 * Fernet (github.com/fernet/spec, version 0x80), and rings of keys as Python's MultiFernet has them: every
 * key is tried, the first one writes, and a rewritten token keeps its timestamp.
 */
import { createSecretKey } from 'node:crypto';
import * as z from 'zod/mini';
import { defineCodec, type Now, type Poison, type Stored, type StoredKey } from '../contract/ciphers.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { Random } from '../contract/ports.ts';
import { Sensitive } from '../contract/sensitive.ts';
import { type CbcMessages, cbcMessages } from './cbc-messages.ts';
import { type HmacMessages, hmacMessages, tagBytes } from './hmac-messages.ts';
import { randomBlock } from './random-block.ts';
import { type Format, type Parts, ringCipher } from './ring-cipher.ts';
import { decode, encode, isCutOff } from './text-encoding.ts';

const Options = z.strictObject({});

/** Of keys and tokens alike. */
const encoding = 'base64url-padded';
const keyBytes = 32;
const versionByte = 0x80;
const blockBytes = 16;
const timestampAt = 1;
const ivAt = timestampAt + 8;
const ciphertextAt = ivAt + blockBytes;
/** A token of an empty message: padding makes it one block. */
const leastBytes = ciphertextAt + blockBytes + tagBytes;
/** The first base64 character of every token: the upper six bits of the version. */
const firstCharacter = 'g'.charCodeAt(0);

interface FernetKey {
  readonly signing: HmacMessages;
  readonly encryption: CbcMessages;
}

interface Token extends Parts {
  readonly bytes: Buffer;
}

/** No options. A token has no greatest age here: stored data does not go out of date. */
export const codec = defineCodec<z.infer<typeof Options>>({
  id: 'fernet',
  options: Options,
  check: () => null,
  bind: (_options, ring, random, now) => ringCipher(format(random, now), ring),
});

/** A new key as `Fernet.generate_key()` of Python's cryptography writes one. */
export function generateFernetKey(random: Random): Sensitive {
  return new Sensitive(encode(Buffer.from(random.bytes(keyBytes)), encoding));
}

function format(random: Random, now: Now): Format<FernetKey, Token> {
  const next = randomBlock(random);
  return {
    make,
    read,
    open,
    seal: (plain, key, _row, from) => seal(plain, key, next(blockBytes), from?.bytes ?? now),
    together: {
      open: openAll,
      seal: (plains, key, from) => sealAll(plains, key, from, next),
    },
    looksSealed: (plain) => plain[0] === firstCharacter && plain.length % 4 === 0,
  };
}

function make(key: StoredKey): FernetKey {
  const text = key.text.reveal();
  const bytes = decode(text, encoding);
  if (bytes?.length !== keyBytes) {
    throw new KeyturnError({
      code: 'ValueRejected',
      message: `The key ${key.id} must be 32 bytes in URL-safe base64 with padding, 44 characters; it has ${text.length} characters and is not that.`,
    });
  }
  return {
    signing: hmacMessages(bytes.subarray(0, 16)),
    encryption: cbcMessages('aes-128-cbc', createSecretKey(bytes.subarray(16))),
  };
}

function read(stored: Stored): Token | Poison {
  const text = typeof stored === 'string' ? stored : stored.toString('latin1');
  if (text === '') return 'truncated';
  const bytes = decode(text, encoding);
  if (bytes !== null && bytes[0] === versionByte && isWhole(bytes)) return { bytes };
  return isBegun(text) && (bytes !== null || text.length % 4 !== 0) ? 'truncated' : 'malformed';
}

function isWhole(bytes: Buffer): boolean {
  return bytes.length >= leastBytes && (bytes.length - leastBytes) % blockBytes === 0;
}

/** Whether a token begins like this. */
function isBegun(text: string): boolean {
  return Buffer.from(text.slice(0, 4), 'base64url')[0] === versionByte && isCutOff(text, encoding);
}

function open({ bytes }: Token, key: FernetKey): Buffer | Poison | null {
  const tagAt = bytes.length - tagBytes;
  if (!key.signing.verify(bytes, tagAt)) return null;
  const plain = key.encryption.open(bytes.subarray(ciphertextAt, tagAt), bytes.subarray(ivAt, ciphertextAt));
  // Signed by this key, and yet the padding is wrong.
  return plain ?? 'malformed';
}

/** As `open` of each; the signatures one by one, what they vouch for in one go. */
function openAll(tokens: readonly Token[], { signing, encryption }: FernetKey): (Buffer | Poison | null)[] {
  const verified = tokens.map(({ bytes }) => signing.verify(bytes, bytes.length - tagBytes));
  const messages = tokens.filter((_, at) => verified[at]).map(({ bytes }) => bytes.subarray(ivAt, -tagBytes));
  const plains = messages.length === 0 ? [] : encryption.openAll(messages);
  let at = 0;
  return verified.map((is) => (is ? (plains[at++] ?? 'malformed') : null));
}

function sealAll(
  plains: readonly Buffer[],
  { signing, encryption }: FernetKey,
  from: readonly Token[],
  next: (count: number) => Uint8Array,
): string[] {
  if (plains.length === 0) return [];
  return encryption.sealAll(plains, next).map((message, at) => {
    const tagAt = ivAt + message.length;
    const token = Buffer.allocUnsafe(tagAt + tagBytes);
    from[at]?.bytes.copy(token, 0, 0, ivAt);
    message.copy(token, ivAt);
    signing.sign(token, tagAt);
    return encode(token, encoding);
  });
}

function seal(plain: Buffer, key: FernetKey, iv: Uint8Array, time: Buffer | Now): string {
  const ciphertext = key.encryption.seal(plain, iv);
  const tagAt = ciphertextAt + ciphertext.length;
  const token = Buffer.allocUnsafe(tagAt + tagBytes);
  token[0] = versionByte;
  if (Buffer.isBuffer(time)) time.copy(token, timestampAt, timestampAt, ivAt);
  else token.writeBigUInt64BE(BigInt(Math.floor(time.now().getTime() / 1000)), timestampAt);
  token.set(iv, ivAt);
  token.set(ciphertext, ciphertextAt);
  key.signing.sign(token, tagAt);
  return encode(token, encoding);
}
