/** AES-256-GCM (NIST SP 800-38D) of one message. */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

const algorithm = 'aes-256-gcm';

/** NIST SP 800-38D section 5.2.1.2: the longest tag; shorter ones are easier to forge and not offered. */
export const tagBytes = 16;

export const noAdditionalData = Buffer.alloc(0);

export interface Sealed {
  readonly nonce: Uint8Array;
  readonly tag: Buffer;
  readonly ciphertext: Buffer;
}

/** @returns null when the tag does not fit: another key's, or altered. GCM cannot tell which. */
export function openGcm(
  { nonce, tag, ciphertext }: Sealed,
  key: KeyObject,
  additionalData: Buffer,
): Buffer | null {
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAuthTag(tag);
  if (additionalData.length > 0) decipher.setAAD(additionalData);
  const plain = decipher.update(ciphertext);
  try {
    decipher.final();
    return plain;
  } catch {
    return null;
  }
}

/** @param nonce never used before with this key, unless for the same plain text. */
export function sealGcm(plain: Buffer, key: KeyObject, nonce: Uint8Array, additionalData: Buffer): Sealed {
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  if (additionalData.length > 0) cipher.setAAD(additionalData);
  const ciphertext = cipher.update(plain);
  cipher.final();
  return { nonce, tag: cipher.getAuthTag(), ciphertext };
}
