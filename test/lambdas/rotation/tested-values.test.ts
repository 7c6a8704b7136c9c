import { expect, test } from 'vitest';
import { SecretDocument } from '../../../lambdas/contract/document.ts';
import { TestedValues } from '../../../lambdas/rotation/tested-values.ts';

const value = {
  document: new SecretDocument(new Map([['TOKEN', 'a value']]), null),
  createdAt: new Date(0),
  testedAt: new Date(1),
};

test('a tested value is given out once: it does not stay in a warm process', () => {
  const tested = new TestedValues();
  tested.remember('secret', 'token', value);
  expect(tested.take('secret', 'token')).toBe(value);
  expect(tested.take('secret', 'token')).toBeNull();
});

test.each([
  ['another token', 'secret', 'other'],
  ['another secret', 'other', 'token'],
])('asked for %s it gives nothing, and forgets', (_what, secret, token) => {
  const tested = new TestedValues();
  tested.remember('secret', 'token', value);
  expect(tested.take(secret, token)).toBeNull();
  expect(tested.take('secret', 'token')).toBeNull();
});
