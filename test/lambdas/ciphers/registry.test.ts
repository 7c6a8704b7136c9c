import { expect, test } from 'vitest';
import { codecOf } from '../../../lambdas/ciphers/registry.ts';

test('an id of no codec is undefined, and so are the names that every object has', () => {
  expect(codecOf('rot13')).toBeUndefined();
  expect(codecOf('constructor')).toBeUndefined();
});

test('options of a codec are checked before any key is touched', () => {
  expect(codecOf('fernet')?.parse({ ttl: 60 })).toMatchObject({ ok: false, broken: [expect.any(String)] });
  expect(codecOf('rails-active-record')?.parse({})).toMatchObject({ ok: false });
});
