/**
 * AES-CBC (NIST SP 800-38A section 6.2, padded as RFC 5652 section 6.3 says) over many short messages. node:crypto
 * takes longer to set up one cipher per message than to encrypt one of 150 bytes; so all messages of a key go
 * through one cipher, as blocks of one long CBC stream.
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

const blockBytes = 16;

export interface CbcMessages {
  /** @param iv 16 bytes, unpredictable and never used before. @returns the ciphertext alone. */
  seal(plain: Buffer, iv: Uint8Array): Buffer;
  /**
   * Authenticates nothing: only for ciphertexts whose MAC has been checked.
   * @param ciphertext one block or more, whole ones. @returns null when the padding is wrong.
   */
  open(ciphertext: Buffer, iv: Uint8Array): Buffer | null;
  /**
   * As `seal`, all in one call of the cipher. An IV is a random block encrypted under the key itself: the first method
   * of SP 800-38A appendix C.
   * @param next random bytes, as many as it is asked for. @returns of each its IV and, behind it, the ciphertext.
   */
  sealAll(plains: readonly Buffer[], next: (count: number) => Uint8Array): readonly Buffer[];
  /** As `open`, all in one call of the cipher. @param messages each an IV and, behind it, a ciphertext. */
  openAll(messages: readonly Buffer[]): readonly (Buffer | null)[];
}

/** @param key of as many bits as the algorithm says. */
export function cbcMessages(algorithm: 'aes-128-cbc' | 'aes-256-cbc', key: KeyObject): CbcMessages {
  const start = new Uint8Array(blockBytes);
  const cipher = createCipheriv(algorithm, key, start).setAutoPadding(false);
  const decipher = createDecipheriv(algorithm, key, start).setAutoPadding(false);
  /** The ciphertext block that the stream would chain the next block to. */
  const sealed = Buffer.alloc(blockBytes);
  const opened = Buffer.alloc(blockBytes);

  return {
    // The stream encrypts first ^ sealed; with iv ^ sealed put into the first block, that is first ^ iv.
    seal(plain, iv) {
      const padding = blockBytes - (plain.length % blockBytes);
      const padded = Buffer.allocUnsafe(plain.length + padding).fill(padding, plain.length);
      plain.copy(padded);
      mix(padded, sealed, iv);
      const ciphertext = cipher.update(padded);
      padded.fill(0);
      ciphertext.copy(sealed, 0, ciphertext.length - blockBytes);
      return ciphertext;
    },

    // The stream yields first ^ opened; with iv ^ opened that is first ^ iv.
    open(ciphertext, iv) {
      const padded = decipher.update(ciphertext);
      mix(padded, opened, iv);
      ciphertext.copy(opened, 0, ciphertext.length - blockBytes);
      return unpadded(padded);
    },

    // What the stream makes of a random block is random, and is what it chains the message's first block to.
    sealAll(plains, next) {
      const stream = Buffer.allocUnsafe(plains.reduce((sum, plain) => sum + sealedLength(plain), 0));
      let at = 0;
      for (const plain of plains) {
        const end = at + sealedLength(plain);
        stream.set(next(blockBytes), at);
        const padFrom = at + blockBytes + plain.copy(stream, at + blockBytes);
        stream.fill(end - padFrom, padFrom, end);
        at = end;
      }
      const all = cipher.update(stream);
      stream.fill(0);
      all.copy(sealed, 0, all.length - blockBytes);
      at = 0;
      return plains.map((plain) => {
        at += sealedLength(plain);
        return all.subarray(at - sealedLength(plain), at);
      });
    },

    // An IV goes through the stream as well: what comes of it is thrown away, and the next block is chained to it.
    openAll(messages) {
      const stream = Buffer.concat(messages);
      const all = decipher.update(stream);
      stream.copy(opened, 0, stream.length - blockBytes);
      let at = 0;
      return messages.map(({ length }) => {
        at += length;
        return unpadded(all.subarray(at - length + blockBytes, at));
      });
    },
  };
}

/** Bytes of an IV, and of a plain text with its padding. */
function sealedLength({ length }: Buffer): number {
  return 2 * blockBytes + length - (length % blockBytes);
}

/** XORs two blocks into the first one of `bytes`. */
function mix(bytes: Buffer, one: Uint8Array, other: Uint8Array): void {
  for (let at = 0; at < blockBytes; at += 1) {
    bytes[at] = (bytes[at] ?? 0) ^ (one[at] ?? 0) ^ (other[at] ?? 0);
  }
}

function unpadded(padded: Buffer): Buffer | null {
  const padding = padded.at(-1) ?? 0;
  const end = padded.length - padding;
  if (padding < 1 || padding > blockBytes || end < 0) return null;
  for (let at = end; at < padded.length; at += 1) if (padded[at] !== padding) return null;
  return padded.subarray(0, end);
}
