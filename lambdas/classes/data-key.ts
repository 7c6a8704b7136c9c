/** A key that stored data is encrypted with: what every class of such keys has and proves. */
import * as z from 'zod/mini';
import { codecIds, codecOf } from '../ciphers/registry.ts';
import { type BoundCodec, type KeyRing, keyId, type StoredKey } from '../contract/ciphers.ts';
import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { checkRules } from '../contract/format.ts';
import type { Random } from '../contract/ports.ts';
import type { Sensitive } from '../contract/sensitive.ts';
import { formatBreaksRules, type GeneratedValue, generatedValue } from './generated-value.ts';

/** The options of every class whose key encrypts stored data. */
export const dataKey = {
  ...generatedValue,
  /** How the platform encrypts with the key: the id of a codec of `lambdas/ciphers`, and its options. */
  codec: z.looseObject({ id: z.string() }),
};

export interface DataKey extends GeneratedValue {
  readonly codec: { readonly id: string; readonly [option: string]: unknown };
}

/** @returns the sentence of the first rule that the options break; else null. */
export function dataKeyBreaks(options: DataKey): string | null {
  const { id, ...rest } = options.codec;
  const codec = codecOf(id);
  if (codec === undefined) {
    return `options.codec.id must be one of ${codecIds.join(', ')}; received "${id}".`;
  }
  const parsed = codec.parse(rest);
  if (!parsed.ok) return `options.codec: ${parsed.broken[0] ?? 'it breaks a rule.'}`;
  return formatBreaksRules(options);
}

/** @param version the number that rows of this key are tagged with; left out where they are not tagged. */
export function storedKey(text: Sensitive, version?: number): StoredKey {
  return { id: keyId(text), text, ...(version === undefined ? {} : { version }) };
}

/** @throws KeyturnError ValueRejected when a key of the ring breaks a rule, or does not open what it sealed. */
export function checkKeys(options: DataKey, ring: KeyRing): void {
  for (const key of [ring.write, ...ring.others]) {
    checkRules(options.variable, key.text, options.rules);
    demandOpens(options, { write: key, others: [] }, ring);
  }
}

/** @throws KeyturnError ValueRejected when the pending ring cannot open what the current one seals. */
export function checkKeeps(options: DataKey, pending: KeyRing, current: KeyRing): void {
  for (const key of [current.write, ...current.others]) {
    demandOpens(options, { write: key, others: [] }, pending);
  }
}

const message = Buffer.from('a ciphertext that nobody keeps');

/** The nonce of a ciphertext that is thrown away at once protects nothing: it needs no randomness. */
const noRandomness: Random = { bytes: (count) => new Uint8Array(count) };
const anyTime = { now: () => new Date(0) };

function demandOpens(options: DataKey, sealing: KeyRing, opening: KeyRing): void {
  const codec = boundCodec(options);
  const { version } = sealing.write;
  const row = { additionalData: Buffer.alloc(0), ...(version === undefined ? {} : { version }) };
  const sealed = codec.bind(sealing, noRandomness, anyTime).seal(message, row);
  const opened = codec.bind(opening, noRandomness, anyTime).open(sealed, row);
  if (opened.is === 'open' && opened.plain.equals(message)) return;
  throw new KeyturnError({
    code: 'ValueRejected',
    message: `The value of ${options.variable} must open what the key ${sealing.write.id} sealed; it does not.`,
  });
}

function boundCodec({ codec: { id, ...rest } }: DataKey): BoundCodec {
  const parsed = codecOf(id)?.parse(rest);
  if (parsed?.ok) return parsed.hook;
  throw new KeyturnError({ code: 'SettingsInvalid', message: `options.codec must be known; it is "${id}".` });
}

/** Whether there is a key already: an empty text encrypts nothing. */
export function holdsKey(variable: string, current: SecretDocument | null): current is SecretDocument {
  return current?.has(variable) === true && current.value(variable).reveal().trim() !== '';
}

/**
 * For platforms that hold two keys at most: a rotation must wait for the end of the one before.
 * @param variable the one that holds the second key while a rollout is under way
 */
export function demandEmpty(variable: string, held: Sensitive | null): void {
  if (held === null || held.reveal() === '') return;
  throw new KeyturnError({
    code: 'StepRefused',
    message: `${variable} must be empty before a rotation begins; it still holds a key that data may be under.`,
    hint: 'Let the rollout of the former rotation end first: it empties the variable when a count says that nothing is left.',
  });
}
