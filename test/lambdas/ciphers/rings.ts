/** Rings, and the two sources that a cipher draws on. */
import { createHash } from 'node:crypto';
import { type KeyRing, keyId, type Now, type StoredKey } from '../../../lambdas/contract/ciphers.ts';
import type { Random } from '../../../lambdas/contract/ports.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';

export function storedKey(text: string, version: number | undefined = undefined): StoredKey {
  const value = new Sensitive(text);
  return { id: keyId(value), text: value, ...(version === undefined ? {} : { version }) };
}

/** The first one writes. */
export function ringOf(...keys: readonly (string | StoredKey)[]): KeyRing {
  const [write, ...others] = keys.map((key) => (typeof key === 'string' ? storedKey(key) : key));
  if (write === undefined) throw new Error('a ring needs a key');
  return { write, others };
}

/** Evenly spread bytes that are the same in every run. */
export function seeded(seed: number): Random {
  let counter = 0;
  return {
    bytes(count) {
      const chunks: Buffer[] = [];
      for (let length = 0; length < count; length += 32) {
        counter += 1;
        chunks.push(createHash('sha256').update(`${seed} ${counter}`).digest());
      }
      return Buffer.concat(chunks).subarray(0, count);
    },
  };
}

/** These bytes first, then zeros: for vectors that fix the nonce. */
export function fixed(bytes: Uint8Array): Random {
  return { bytes: (count) => Buffer.concat([bytes, Buffer.alloc(count)]).subarray(0, count) };
}

export function at(time: string): Now {
  return { now: () => new Date(time) };
}
