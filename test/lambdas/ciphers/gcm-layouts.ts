/** Layouts as platforms have them, and a cipher for each. */
import { codec } from '../../../lambdas/ciphers/aes-256-gcm.ts';
import type { RowContext, Stored, StoredKey } from '../../../lambdas/contract/ciphers.ts';
import { at, ringOf, seeded } from './rings.ts';

const now = at('2026-11-21T00:00:00Z');

export const fields = (encoding: string, ...names: string[]) => ({ encoding, fields: names });
/** Go's `Seal(nonce, nonce, plaintext, additionalData)`, and most others in a column of bytes. */
export const go = [fields('raw', 'nonce', 'ciphertext', 'tag')];
export const layouts = {
  'raw nonce, ciphertext, tag': go,
  'raw nonce, tag, ciphertext': [fields('raw', 'nonce', 'tag', 'ciphertext')],
  'raw with a version byte': [fields('raw', 'version', 'nonce', 'ciphertext', 'tag')],
  'raw after a fixed text': [{ text: 'v10' }, fields('raw', 'nonce', 'ciphertext', 'tag')],
  'raw, the ciphertext first': [fields('raw', 'ciphertext', 'tag', 'nonce')],
  'iv:tag:data in hex': [
    fields('hex', 'nonce'),
    { text: ':' },
    fields('hex', 'tag'),
    { text: ':' },
    fields('hex', 'ciphertext'),
  ],
  'iv.data in base64, the tag behind the data': [
    fields('base64', 'nonce'),
    { text: '.' },
    fields('base64', 'ciphertext', 'tag'),
  ],
  'data:iv:tag in base64url': [
    fields('base64url', 'ciphertext'),
    { text: ':' },
    fields('base64url', 'nonce'),
    { text: ':' },
    fields('base64url', 'tag'),
  ],
  'one base64': [fields('base64', 'nonce', 'ciphertext', 'tag')],
  'one padded base64url': [fields('base64url-padded', 'nonce', 'ciphertext', 'tag')],
  'enc:v<version>: and base64': [
    { text: 'enc:v' },
    { version: 'decimal' },
    { text: ':' },
    fields('base64', 'nonce', 'ciphertext', 'tag'),
  ],
  'a version byte within base64': [fields('base64', 'version', 'nonce', 'ciphertext', 'tag')],
} as const;
export const layoutNames = Object.keys(layouts) as (keyof typeof layouts)[];

/** A cipher from options as a deployment file has them. */
export function bind(
  options: object,
  keys: readonly (string | StoredKey)[],
  random = seeded(1),
): ReturnType<typeof codec.bind> {
  const parsed = codec.parse({ key: { kind: 'hex' }, ...options });
  if (!parsed.ok) throw new Error(parsed.broken.join(' '));
  return parsed.hook.bind(ringOf(...keys), random, now);
}

export function plainOf(cipher: ReturnType<typeof bind>, stored: Stored, row: RowContext = {}): string {
  const opened = cipher.open(stored, row);
  return opened.is === 'open' ? opened.plain.toString() : `poisoned: ${opened.poison}`;
}

export const hex = (text: string) => Buffer.from(text, 'hex');
