/**
 * Stored data and the keys that it may be under. A codec is one file in `lambdas/ciphers/`: it knows how a
 * platform lays its ciphertexts out and how it derives the key from the variable's text.
 */
import { createHash, scryptSync } from 'node:crypto';
import type * as z from 'zod/mini';
import { brokenRules } from './deployment.ts';
import type { Bound } from './hooks.ts';
import type { Clock, Random } from './ports.ts';
import type { Sensitive } from './sensitive.ts';

/** A key that stored data may be under. */
export interface StoredKey {
  /** Names the key and does not tell it: may be shown, logged and kept. See `keyId`. */
  readonly id: string;
  /** As the variable holds it. */
  readonly text: Sensitive;
  /** The number that rows of this key are tagged with, for platforms that tag them. */
  readonly version?: number;
}

/** The key that data is to be under, and every other key that it may still be under. */
export interface KeyRing {
  readonly write: StoredKey;
  /** Without `write`. */
  readonly others: readonly StoredKey[];
}

/** What makes an id (RFC 7914): 16 MiB of memory and some 40 ms of a processor for each guess. */
const idCost = { N: 2 ** 14, r: 8, p: 1 };
const idSalt = 'keyturn key id';

/** Ids that this process has made, by a digest of their keys: a slice asks for the same few again and again. */
const known = new Map<string, string>();
const mostKnown = 256;

/**
 * The name of a key: 12 hexadecimal digits of scrypt over its text.
 *
 * Ids stand in states, logs and reports, which more people may read than the secret. Of a key that was drawn at
 * random an id tells nothing. One that a person made up could be guessed, and an id confirms a guess, as any
 * function of the key would: so it is one that makes each guess dear, a million times as dear as a plain hash.
 */
export function keyId(text: Sensitive): string {
  const digest = createHash('sha256').update(text.reveal()).digest('base64');
  const before = known.get(digest);
  if (before !== undefined) return before;
  const id = scryptSync(text.reveal(), idSalt, 6, idCost).toString('hex');
  if (known.size >= mostKnown) known.clear();
  known.set(digest, id);
  return id;
}

/** A ciphertext as its column holds it: text, or bytes. */
export type Stored = string | Buffer;

/** What a row tells beside its ciphertext. */
export interface RowContext {
  /** The key version that the row is tagged with; undefined where rows are not tagged. */
  readonly version?: number;
  /** What the platform authenticates with the ciphertext (AES-GCM's additional data), where it does. */
  readonly additionalData?: Buffer;
}

/** A ciphertext in its row. */
export interface StoredRow {
  readonly stored: Stored;
  readonly context: RowContext;
}

/** Why a ciphertext cannot be read. None of these is ever overwritten. */
export type Poison =
  /** Not in the declared format at all. */
  | 'malformed'
  /** Cut off: shorter than the format's least length, or of a length that the format cannot have. */
  | 'truncated'
  /** No key of the ring opens it, or its tag names a version that the ring does not have. */
  | 'unknown-key'
  /** What it decrypts to is a ciphertext of the ring again. */
  | 'double-encrypted';

export type Opened =
  | { readonly is: 'open'; readonly under: StoredKey; readonly plain: Buffer }
  | { readonly is: 'poisoned'; readonly poison: Poison };

export type Rewrite =
  /** Under the ring's `write` key already. */
  | { readonly is: 'current' }
  | { readonly is: 'rewritten'; readonly stored: Stored; readonly from: StoredKey }
  | { readonly is: 'poisoned'; readonly poison: Poison };

/** A codec with its options and a ring bound: derived keys are made once. */
export interface Cipher {
  /** Every key of the ring is tried, or those of the version that the row or the ciphertext names. */
  open(stored: Stored, row: RowContext): Opened;
  /** Under the ring's `write` key. */
  seal(plain: Buffer, row: RowContext): Stored;
  /** Opens and seals anew, unless it is under `write` already. Keeps what the format carries along (Fernet's timestamp). */
  rewrite(stored: Stored, row: RowContext): Rewrite;
  /** As `rewrite` of each, in the same order; quicker for some formats. */
  rewriteAll(rows: readonly StoredRow[]): readonly Rewrite[];
}

/** The time that a format writes into its ciphertexts, where it does (Fernet). */
export type Now = Pick<Clock, 'now'>;

/** One codec: what a file in `lambdas/ciphers` declares. */
export interface Codec<Options> {
  /** Equal to the name of its file. */
  readonly id: string;
  readonly options: z.ZodMiniType<Options>;
  /** Rules that a schema cannot say. @returns the sentence of the first broken one, or null. */
  check(options: Options): string | null;
  /** @throws KeyturnError ValueRejected when a key's text does not fit; it names the key by its id. */
  bind(options: Options, ring: KeyRing, random: Random, now: Now): Cipher;
}

/** A codec whose options are known to be right. */
export interface BoundCodec {
  /** @throws KeyturnError ValueRejected when a key's text does not fit; it names the key by its id. */
  bind(ring: KeyRing, random: Random, now: Now): Cipher;
}

/** A codec, whatever its options are: what the registry holds. */
export interface CodecDefinition {
  readonly id: string;
  /** The codec under these options, or the sentences of the rules that they break. */
  parse(options: unknown): Bound<BoundCodec>;
}

/** Declares a codec: what a codec's file exports. */
export function defineCodec<Options>(declared: Codec<Options>): CodecDefinition & Codec<Options> {
  return {
    ...declared,
    parse(input) {
      const result = declared.options.safeParse(input);
      if (!result.success) return { ok: false, broken: brokenRules(result.error.issues, input) };
      const options = result.data;
      const broken = declared.check(options);
      if (broken !== null) return { ok: false, broken: [broken] };
      return { ok: true, hook: { bind: (ring, random, now) => declared.bind(options, ring, random, now) } };
    },
  };
}
