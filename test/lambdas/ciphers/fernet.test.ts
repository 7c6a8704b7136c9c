import { describe, expect, test } from 'vitest';
import { codec } from '../../../lambdas/ciphers/fernet.ts';
import { at, fixed, ringOf } from './rings.ts';

/** generate.json and verify.json of github.com/fernet/spec: the same token in both. */
const specification = {
  token:
    'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==',
  now: '1985-10-26T01:20:00-07:00',
  iv: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  src: 'hello',
  secret: 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=',
};

describe('the Fernet specification', () => {
  const cipher = codec.bind({}, ringOf(specification.secret), fixed(specification.iv), at(specification.now));

  test('generate.json: the token, byte for byte', () => {
    expect(cipher.seal(Buffer.from(specification.src), {})).toBe(specification.token);
  });

  test('verify.json: the token opens, however old it is', () => {
    expect(cipher.open(specification.token, {})).toMatchObject({
      is: 'open',
      plain: Buffer.from(specification.src),
    });
  });
});
