import { expect, test } from 'vitest';
import { keyId } from '../../../lambdas/contract/ciphers.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';

const idOf = (text: string) => keyId(new Sensitive(text));

test('the name of a key is dear to guess: scrypt, as Python computes it', () => {
  // hashlib.scrypt(text, salt=b'keyturn key id', n=2**14, r=8, p=1, dklen=6).hex()
  expect(idOf('correct horse battery staple')).toBe('105cd88afea8');
});

test('every key has its own', () => {
  const first = idOf('key 0');
  const ids = Array.from({ length: 5 }, (_, index) => idOf(`key ${index}`));
  expect(new Set(ids).size).toBe(5);
  expect(idOf('key 0')).toBe(first);
});
