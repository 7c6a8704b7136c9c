/** Bytes as text, exactly: one text for one value, so that a changed character is always noticed. */
import * as z from 'zod/mini';

/**
 * `hex`: lower case; `base64`: RFC 4648 section 4; `base64url`: section 5 without padding, as Node and Go's
 * RawURLEncoding write it; `base64url-padded`: section 5 with padding, as Python writes it.
 */
export const TextEncoding = z.enum(['hex', 'base64', 'base64url', 'base64url-padded']);
export type TextEncoding = z.infer<typeof TextEncoding>;

const alphabets: Readonly<Record<TextEncoding, RegExp>> = {
  hex: /^[0-9a-f]*$/,
  base64: /^[A-Za-z0-9+/]*={0,2}$/,
  base64url: /^[\w-]*$/,
  'base64url-padded': /^[\w-]*={0,2}$/,
};

export function encode(bytes: Buffer, encoding: TextEncoding): string {
  if (encoding !== 'base64url-padded') return bytes.toString(encoding);
  const text = bytes.toString('base64url');
  return text.length % 4 === 0 ? text : text + '='.repeat(4 - (text.length % 4));
}

/** @returns null for a text that `encode` does not make. */
export function decode(text: string, encoding: TextEncoding): Buffer | null {
  // Node skips characters that it does not know and bits that carry nothing; the way back shows them.
  const bytes = Buffer.from(text, encoding === 'base64url-padded' ? 'base64url' : encoding);
  return encode(bytes, encoding) === text ? bytes : null;
}

/** Characters of a text of so many bytes. */
export function encodedLength(bytes: number, encoding: TextEncoding): number {
  switch (encoding) {
    case 'hex':
      return bytes * 2;
    case 'base64url':
      return Math.ceil((bytes * 4) / 3);
    default:
      return Math.ceil(bytes / 3) * 4;
  }
}

/** Whether a text that does not decode has the right characters only: then its end is missing. */
export function isCutOff(text: string, encoding: TextEncoding): boolean {
  return alphabets[encoding].test(text);
}
