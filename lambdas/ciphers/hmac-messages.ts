/**
 * HMAC-SHA-256 (RFC 2104) over many short messages. node:crypto takes several times as long to set up an Hmac, and
 * to free it, as to hash a message of 200 bytes twice; so each message is put behind the key's two blocks instead.
 */
import { hash, timingSafeEqual } from 'node:crypto';

/** Of a SHA-256 tag. */
export const tagBytes = 32;

/** SHA-256's input block: RFC 2104 section 2, B. */
const blockBytes = 64;
/** RFC 2104 section 2, ipad and opad. */
const innerPad = 0x36;
const outerPad = 0x5c;

export interface HmacMessages {
  /** Writes the tag of the first `end` bytes right behind them. */
  sign(message: Buffer, end: number): void;
  /** Whether the tag of the first `end` bytes lies right behind them. Takes as long for every tag. */
  verify(message: Buffer, end: number): boolean;
}

/** @param key 64 bytes or fewer: longer ones would have to be hashed first. */
export function hmacMessages(key: Uint8Array): HmacMessages {
  if (key.length > blockBytes) throw new RangeError('a key of HMAC-SHA-256 has 64 bytes at most here');
  let inner = padded(key, innerPad, blockBytes + 4_096);
  const outer = padded(key, outerPad, blockBytes + tagBytes);
  const tag = Buffer.alloc(tagBytes);

  // Digests come as strings, of which the engine frees thousands at once, unlike buffers.
  function tagOf(message: Buffer, end: number): string {
    if (inner.length < blockBytes + end) inner = padded(key, innerPad, blockBytes + end);
    message.copy(inner, blockBytes, 0, end);
    outer.write(hash('sha256', inner.subarray(0, blockBytes + end), 'binary'), blockBytes, 'latin1');
    return hash('sha256', outer, 'binary');
  }

  return {
    sign(message, end) {
      message.write(tagOf(message, end), end, 'latin1');
    },
    verify(message, end) {
      tag.write(tagOf(message, end), 'latin1');
      return timingSafeEqual(tag, message.subarray(end, end + tagBytes));
    },
  };
}

/** The key, filled up to a block with zeros and mixed with the pad, and room behind it. */
function padded(key: Uint8Array, pad: number, bytes: number): Buffer {
  const block = Buffer.alloc(bytes);
  block.fill(pad, 0, blockBytes);
  for (const [at, byte] of key.entries()) block[at] = byte ^ pad;
  return block;
}
