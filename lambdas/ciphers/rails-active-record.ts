/**
 * Rails Active Record Encryption, 7.0 to 8.1: AES-256-GCM under a key that PBKDF2 derives, in a JSON envelope
 * (rails/rails, activerecord/lib/active_record/encryption: encryptor.rb, cipher/aes256_gcm.rb,
 * message_serializer.rb, key_generator.rb). Envelope encryption (header `k`) has another hierarchy of keys and
 * is malformed here.
 */
import { createHash, createHmac, type KeyObject } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import * as z from 'zod/mini';
import { defineCodec, type Poison, type Stored, type StoredKey } from '../contract/ciphers.ts';
import type { Random } from '../contract/ports.ts';
import { noAdditionalData, openGcm, type Sealed, sealGcm, tagBytes } from './gcm.ts';
import { deriveKey } from './key-derivation.ts';
import { randomBlock } from './random-block.ts';
import { type Format, type Parts, ringCipher } from './ring-cipher.ts';
import { decode } from './text-encoding.ts';

const nonceBytes = 12;
/** ActiveSupport::KeyGenerator's default. */
const iterations = 2 ** 16;
/** More than a text column of PostgreSQL (1 GB) would sensibly unpack to; stops a bomb. */
const mostUnpackedBytes = 256 * 1024 * 1024;

const Options = z.strictObject({
  /** The value of `key_derivation_salt`. It changes every key, and is no key itself. */
  salt: z.string().check(z.minLength(1)),
  /** `hash_digest_class`. Default: sha256, Rails' default since 7.1; sha1 for defaults of 7.0. */
  hash: z._default(z.enum(['sha1', 'sha256']), 'sha256'),
  /**
   * For attributes that are declared `deterministic: true`, whose nonce follows from the text. Default: false.
   * A text of over 140 bytes that is sealed anew is not packed as Rails would, so a query does not find it;
   * what is rewritten stays packed as it was, and is found.
   */
  deterministic: z._default(z.boolean(), false),
});
type Options = z.infer<typeof Options>;

/** Rails' names: `c` compressed, `e` encoding of the text, `i` reference of the key. */
const Envelope = z.strictObject({
  p: z.string(),
  h: z.strictObject({
    iv: z.string(),
    at: z.string(),
    e: z.optional(z.string()),
    i: z.optional(z.string()),
    c: z.optional(z.literal(true)),
  }),
});
type Headers = z.infer<typeof Envelope>['h'];

interface RailsKey {
  readonly key: KeyObject;
  /** As header `i` holds it. */
  readonly reference: string;
}

interface Message extends Sealed, Parts {
  readonly headers: Headers;
}

export const codec = defineCodec<Options>({
  id: 'rails-active-record',
  options: Options,
  check: () => null,
  bind: (options, ring, random) => ringCipher(format(options, random), ring),
});

function format({ salt, hash, deterministic }: Options, random: Random): Format<RailsKey, Message> {
  const next = randomBlock(random);
  const derivation = { kind: 'pbkdf2', text: 'utf8', hash, iterations, salt } as const;
  return {
    make: (key: StoredKey) => referenced(deriveKey(derivation, key)),
    read,
    open: (message, made) => open(message, made),
    seal(plain, made, _row, from) {
      const nonce = deterministic ? nonceOf(plain, made.key) : next(nonceBytes);
      return written(sealGcm(plain, made.key, nonce, noAdditionalData), made, from?.headers);
    },
    unpack: (opened, { headers }) => (headers.c === true ? inflated(opened) : opened),
    looksSealed: (plain) => plain.toString('latin1', 0, 5) === '{"p":',
  };
}

/** Rails' Key#id, in base64 as every text of a header. */
function referenced(key: KeyObject): RailsKey {
  const id = createHash('sha1').update(key.export()).digest('hex').slice(0, 4);
  return { key, reference: Buffer.from(id).toString('base64') };
}

function read(stored: Stored): Message | Poison {
  const text = typeof stored === 'string' ? stored : stored.toString('utf8');
  if (text === '') return 'truncated';
  const envelope = envelopeOf(text);
  if (envelope === null) return text.startsWith('{"p":"') && !text.endsWith('}}') ? 'truncated' : 'malformed';
  const { p, h: headers } = envelope;
  const ciphertext = decode(p, 'base64');
  const nonce = decode(headers.iv, 'base64');
  const tag = decode(headers.at, 'base64');
  if (ciphertext === null || nonce?.length !== nonceBytes || tag?.length !== tagBytes) return 'malformed';
  return { ciphertext, nonce, tag, headers };
}

function envelopeOf(text: string): z.infer<typeof Envelope> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const result = Envelope.safeParse(value);
  return result.success ? result.data : null;
}

/** A reference is taken at its word, as Rails does: another key is not tried. */
function open(message: Message, { key, reference }: RailsKey): Buffer | null {
  const { i } = message.headers;
  return i === undefined || i === reference ? openGcm(message, key, noAdditionalData) : null;
}

/** aes256_gcm.rb, generate_deterministic_iv: of the text as it is packed. */
function nonceOf(packed: Buffer, key: KeyObject): Buffer {
  return createHmac('sha256', key).update(packed).digest().subarray(0, nonceBytes);
}

/** Keeps what the headers tell of the text, and whether they name the key. */
function written({ ciphertext, nonce, tag }: Sealed, { reference }: RailsKey, before?: Headers): string {
  return JSON.stringify({
    p: ciphertext.toString('base64'),
    h: {
      ...before,
      iv: Buffer.from(nonce).toString('base64'),
      at: tag.toString('base64'),
      ...(before?.i === undefined ? {} : { i: reference }),
    },
  });
}

function inflated(packed: Buffer): Buffer | Poison {
  try {
    return inflateSync(packed, { maxOutputLength: mostUnpackedBytes });
  } catch {
    return 'malformed';
  }
}
