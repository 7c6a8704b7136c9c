import { expect, test } from 'vitest';
import { SecretDocument } from '../../../lambdas/contract/document.ts';
import { TestedValues } from '../../../lambdas/rotation/tested-values.ts';

const document = new SecretDocument(new Map([['TOKEN', 'a value']]), null);

test('a tested value is given out once: it does not stay in a warm process', () => {
  const tested = new TestedValues();
  tested.remember('secret', 'token', document);
  expect(tested.take('secret', 'token')).toBe(document);
  expect(tested.take('secret', 'token')).toBeNull();
});

test.each([
  ['another token', 'secret', 'other'],
  ['another secret', 'other', 'token'],
])('asked for %s it gives nothing, and forgets', (_what, secret, token) => {
  const tested = new TestedValues();
  tested.remember('secret', 'token', document);
  expect(tested.take(secret, token)).toBeNull();
  expect(tested.take('secret', 'token')).toBeNull();
});
