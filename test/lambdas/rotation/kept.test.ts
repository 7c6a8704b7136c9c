import { expect, test } from 'vitest';
import { SecretDocument } from '../../../lambdas/contract/document.ts';
import { Kept } from '../../../lambdas/rotation/kept.ts';

const value = {
  document: new SecretDocument(new Map([['TOKEN', 'a value']]), null),
  createdAt: new Date(0),
  testedAt: new Date(1),
};

test('a kept value is given out once: it does not stay in a warm process', () => {
  const kept = new Kept<typeof value>();
  kept.keep('secret', 'token', value);
  expect(kept.take('secret', 'token')).toBe(value);
  expect(kept.take('secret', 'token')).toBeNull();
});

test.each([
  ['another token', 'secret', 'other'],
  ['another secret', 'other', 'token'],
])('asked for %s it gives nothing, and forgets', (_what, secret, token) => {
  const kept = new Kept<typeof value>();
  kept.keep('secret', 'token', value);
  expect(kept.take(secret, token)).toBeNull();
  expect(kept.take('secret', 'token')).toBeNull();
});
