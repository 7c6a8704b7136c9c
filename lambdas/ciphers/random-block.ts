import type { Random } from '../contract/ports.ts';

/** Bytes asked for at once: a call of the generator for every nonce costs more than the nonce's use. */
const blockBytes = 4096;

/** Random bytes in small pieces, drawn from blocks. No byte is given out twice. */
export function randomBlock(random: Random): (count: number) => Uint8Array {
  let block: Uint8Array = new Uint8Array(0);
  let used = 0;
  return (count) => {
    if (used + count > block.length) {
      block = random.bytes(Math.max(blockBytes, count));
      used = 0;
    }
    used += count;
    return block.subarray(used - count, used);
  };
}
