/** Against node:crypto with one cipher per message. */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { cbcMessages } from '../../../lambdas/ciphers/cbc-messages.ts';

describe.each([
  ['aes-128-cbc', 16],
  ['aes-256-cbc', 32],
] as const)('%s, many messages through one cipher', (algorithm, keyBytes) => {
  const key = randomBytes(keyBytes);
  const alone = (plain: Buffer, iv: Buffer) => {
    const cipher = createCipheriv(algorithm, key, iv);
    return Buffer.concat([cipher.update(plain), cipher.final()]);
  };
  const openedAlone = (ciphertext: Buffer, iv: Buffer) => {
    const decipher = createDecipheriv(algorithm, key, iv);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  };

  test('messages of every length, sealed and opened in turn, are those of a cipher of their own', () => {
    const messages = cbcMessages(algorithm, createSecretKey(key));
    for (let length = 0; length <= 80; length += 1) {
      const plain = randomBytes(length);
      const [iv, other] = [randomBytes(16), randomBytes(16)];
      const sealed = messages.seal(plain, iv);
      expect(sealed).toEqual(alone(plain, iv));
      expect(openedAlone(sealed, iv)).toEqual(plain);
      expect(messages.open(alone(plain, other), other)).toEqual(plain);
      expect(messages.open(sealed, iv)).toEqual(plain);
    }
  });

  test.each([
    ['none', 0],
    ['more than a block', 17],
    ['one byte of it different', 5, 4],
  ])('wrong padding, %s: nothing, and the next message opens', (_what, padding, first = padding) => {
    const messages = cbcMessages(algorithm, createSecretKey(key));
    const iv = randomBytes(16);
    const padded = Buffer.alloc(32, 1).fill(padding, 27);
    padded[27] = first;
    const cipher = createCipheriv(algorithm, key, iv).setAutoPadding(false);
    expect(messages.open(cipher.update(padded), iv)).toBeNull();
    const next = randomBytes(40);
    expect(messages.open(alone(next, iv), iv)).toEqual(next);
  });

  test('many at once are those of a cipher of their own, whatever went through before and goes through after', () => {
    const messages = cbcMessages(algorithm, createSecretKey(key));
    const plains = Array.from({ length: 40 }, (_, length) => randomBytes(length));
    for (let round = 0; round < 2; round += 1) {
      const sealed = messages.sealAll(plains, randomBytes);
      const ivs = sealed.map((message) => message.subarray(0, 16));
      expect(new Set(ivs.map((iv) => iv.toString('hex'))).size).toBe(plains.length);
      for (const [at, message] of sealed.entries())
        expect(openedAlone(message.subarray(16), message.subarray(0, 16))).toEqual(plains[at]);
      const [plain, iv] = [randomBytes(20), randomBytes(16)];
      expect(messages.seal(plain, iv)).toEqual(alone(plain, iv));
      expect(messages.openAll(sealed)).toEqual(plains);
      expect(messages.open(alone(plain, iv), iv)).toEqual(plain);
    }
  });

  test('one with wrong padding among many is none, and its neighbours open', () => {
    const messages = cbcMessages(algorithm, createSecretKey(key));
    const [first, second, third] = messages.sealAll(
      [randomBytes(5), randomBytes(5), Buffer.from('c')],
      randomBytes,
    );
    if (first === undefined || second === undefined || third === undefined)
      throw new Error('three were sealed');
    const iv = randomBytes(16);
    const cipher = createCipheriv(algorithm, key, iv).setAutoPadding(false);
    const wrong = Buffer.concat([iv, cipher.update(Buffer.alloc(16))]);
    expect(messages.openAll([first, wrong, third])).toEqual([expect.any(Buffer), null, Buffer.from('c')]);
    expect(second).toHaveLength(32);
  });

  test('what was handed in stays as it was', () => {
    const messages = cbcMessages(algorithm, createSecretKey(key));
    const [plain, iv] = [randomBytes(40), randomBytes(16)];
    const before = Buffer.from(plain);
    const sealed = messages.seal(plain, iv);
    const kept = Buffer.from(sealed);
    messages.open(sealed, iv);
    messages.seal(plain, iv);
    expect([plain, sealed]).toEqual([before, kept]);
  });
});
