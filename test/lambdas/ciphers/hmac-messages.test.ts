/** Against RFC 4231's vectors and node:crypto with one Hmac per message. */
import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hmacMessages, tagBytes } from '../../../lambdas/ciphers/hmac-messages.ts';

/** The message with its tag behind it. */
function signed(key: Buffer, message: Buffer): Buffer {
  const bytes = Buffer.concat([message, Buffer.alloc(tagBytes)]);
  hmacMessages(key).sign(bytes, message.length);
  return bytes;
}

describe('HMAC-SHA-256', () => {
  // RFC 4231, sections 4.2, 4.3, 4.4 and 4.5.
  test.each([
    ['0b'.repeat(20), '4869205468657265', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      '4a656665',
      '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [
      '0102030405060708090a0b0c0d0e0f10111213141516171819',
      'cd'.repeat(50),
      '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    ],
  ])('of the key %s', (key, message, tag) => {
    const bytes = Buffer.from(message, 'hex');
    expect(signed(Buffer.from(key, 'hex'), bytes).subarray(bytes.length).toString('hex')).toBe(tag);
  });

  test('keys of 64 bytes, and messages of every length, one after the other', () => {
    for (const keyLength of [0, 16, 64]) {
      const key = randomBytes(keyLength);
      const messages = hmacMessages(key);
      for (const length of [5_000, 0, 1, 63, 64, 65, 4_096, 4_097, 200]) {
        const bytes = randomBytes(length + tagBytes);
        messages.sign(bytes, length);
        const tag = createHmac('sha256', key).update(bytes.subarray(0, length)).digest();
        expect(bytes.subarray(length)).toEqual(tag);
        expect(messages.verify(bytes, length)).toBe(true);
      }
    }
  });

  test('a message or a tag with one bit changed, or another key, is not verified', () => {
    const key = randomBytes(16);
    const bytes = signed(key, randomBytes(100));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(hmacMessages(key).verify(changed, 100)).toBe(false);
    }
    expect(hmacMessages(randomBytes(16)).verify(bytes, 100)).toBe(false);
  });

  test('a key of more than a block is refused', () => {
    expect(() => hmacMessages(randomBytes(65))).toThrow(RangeError);
  });
});
