import { createHmac } from 'node:crypto';

/**
 * Values of a run, all from its seed: the same name gives the same bytes, in whatever order they are asked
 * for. For rehearsals only: who knows the seed knows every value.
 */
export interface Seeded {
  /** @param count 1 or more */
  bytes(name: string, count: number): Buffer;
}

export function seeded(seed: number): Seeded {
  return {
    bytes(name, count) {
      const blocks: Buffer[] = [];
      for (let block = 0; block * 32 < count; block += 1) {
        blocks.push(createHmac('sha256', `keyturn rehearsal ${seed}`).update(`${name} ${block}`).digest());
      }
      return Buffer.concat(blocks).subarray(0, count);
    },
  };
}
