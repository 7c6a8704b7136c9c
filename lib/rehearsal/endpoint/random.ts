/** Randomness for the endpoint: of the machine, or the same again for the same seed. */

import { createHash, randomBytes } from 'node:crypto';
import type { Randomness } from './secrets-manager/index.ts';

/** @param seed null: real randomness */
export function randomness(seed: string | null): Randomness {
  const bytes = seed === null ? (count: number) => randomBytes(count) : seeded(seed);
  return {
    bytes,
    uuid() {
      const hex = Buffer.from(bytes(16)).toString('hex');
      // Version 4, variant 1 (RFC 9562, section 5.4).
      const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
  };
}

function seeded(seed: string): (count: number) => Uint8Array {
  let block = 0;
  let left = Buffer.alloc(0);
  return (count) => {
    while (left.length < count) {
      left = Buffer.concat([left, createHash('sha256').update(`${seed}/${block}`).digest()]);
      block += 1;
    }
    const taken = left.subarray(0, count);
    left = left.subarray(count);
    return taken;
  };
}
