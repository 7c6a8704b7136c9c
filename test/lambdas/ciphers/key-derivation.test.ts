import { describe, expect, test } from 'vitest';
import {
  derivationBreaks,
  derive,
  deriveKey,
  KeyDerivation,
} from '../../../lambdas/ciphers/key-derivation.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { storedKey } from './rings.ts';

const range = (from: number, to: number) =>
  Buffer.from(Array.from({ length: to - from }, (_, index) => from + index)).toString('hex');
const keyOf = (options: unknown, text: string) =>
  deriveKey(KeyDerivation.parse(options), storedKey(text)).export().toString('hex');

describe('published vectors', () => {
  // RFC 5869 appendix A: cases 1 to 3 (SHA-256), 4 (SHA-1).
  const hkdf = [
    [
      'sha256',
      '0b'.repeat(22),
      '000102030405060708090a0b0c',
      'f0f1f2f3f4f5f6f7f8f9',
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    ],
    [
      'sha256',
      range(0x00, 0x50),
      range(0x60, 0xb0),
      range(0xb0, 0x100),
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    ],
    [
      'sha256',
      '0b'.repeat(22),
      '',
      '',
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    ],
    [
      'sha1',
      '0b'.repeat(11),
      '000102030405060708090a0b0c',
      'f0f1f2f3f4f5f6f7f8f9',
      '085a01ea1b10f36933068b56efa5ad81a4f14b822f5b091568a9cdd4f155fda2c22e422478d305f3f896',
    ],
  ] as const;

  test.each(hkdf)('HKDF, RFC 5869 appendix A: %s %s', (hash, ikm, salt, info, okm) => {
    const options = { kind: 'hkdf', text: 'hex', hash, salt: { hex: salt }, info: { hex: info } };
    const made = derive(KeyDerivation.parse(options), new Sensitive(ikm), okm.length / 2);
    expect(made?.toString('hex')).toBe(okm);
  });

  test.each([
    [
      'passwd',
      'salt',
      1,
      '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783',
    ],
    [
      'Password',
      'NaCl',
      80000,
      '4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d',
    ],
  ])('PBKDF2-HMAC-SHA-256, RFC 7914 section 11: %s', (password, salt, iterations, expected) => {
    const options = KeyDerivation.parse({ kind: 'pbkdf2', salt, iterations });
    expect(derive(options, new Sensitive(password), 64)?.toString('hex')).toBe(expected);
  });

  test.each([
    [
      'password',
      'NaCl',
      1024,
      16,
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    ],
    [
      'pleaseletmein',
      'SodiumChloride',
      16384,
      1,
      '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887',
    ],
  ])('scrypt, RFC 7914 section 12: %s', (password, salt, cost, parallelization, expected) => {
    const options = KeyDerivation.parse({ kind: 'scrypt', salt, cost, blockSize: 8, parallelization });
    expect(derive(options, new Sensitive(password), 64)?.toString('hex')).toBe(expected);
  });

  test('SHA-256 of the text: "abc", FIPS 180-4’s example', () => {
    expect(keyOf({ kind: 'sha256' }, 'abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});

describe('keys that are written out', () => {
  const bytes = Buffer.from(range(0xe0, 0x100), 'hex');

  test.each([
    ['raw', 'exactly thirty-two characters ok'],
    ['hex', bytes.toString('hex')],
    ['hex', bytes.toString('hex').toUpperCase()],
    ['base64', bytes.toString('base64')],
    ['base64', bytes.toString('base64').replace('=', '')],
    ['base64', bytes.toString('base64url')],
    ['base64', `${bytes.toString('base64url')}=`],
  ])('%s: %s', (kind, text) => {
    const expected = kind === 'raw' ? Buffer.from(text) : bytes;
    expect(keyOf({ kind }, text)).toBe(expected.toString('hex'));
  });

  test.each([
    ['raw', '', 'exactly 32 bytes'],
    ['raw', 'thirty-one characters are short', 'exactly 32 bytes'],
    ['raw', 'thirty-three characters, too many', 'exactly 32 bytes'],
    ['raw', '32 characters, though 33 bytes: é', 'exactly 32 bytes'],
    ['hex', bytes.toString('hex').slice(1), '64 hexadecimal digits'],
    ['hex', bytes.toString('hex').slice(2), '64 hexadecimal digits'],
    ['hex', `${bytes.toString('hex')}00`, '64 hexadecimal digits'],
    ['hex', `zz${bytes.toString('hex').slice(2)}`, '64 hexadecimal digits'],
    ['hex', `${bytes.toString('hex')}\n`, '64 hexadecimal digits'],
    ['base64', Buffer.alloc(31).toString('base64'), '32 bytes in base64'],
    ['base64', Buffer.alloc(33).toString('base64'), '32 bytes in base64'],
    ['base64', `${bytes.toString('base64')}=`, '32 bytes in base64'],
    ['base64', `${bytes.toString('base64')}\n`, '32 bytes in base64'],
    ['base64', `+_${bytes.toString('base64').slice(2)}`, '32 bytes in base64'],
    ['sha256', '', 'a text that is not empty'],
  ])('refused: %s %j', (kind, text, rule) => {
    const key = storedKey(text);
    let thrown: unknown = null;
    try {
      deriveKey(KeyDerivation.parse({ kind }), key);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'ValueRejected', message: expect.stringContaining(rule) });
    expect(String(thrown)).toContain(key.id);
    if (text !== '') expect(String(thrown)).not.toContain(text);
  });

  test('a derivation may begin with what the text encodes', () => {
    const hex = '616263';
    const abc = keyOf({ kind: 'sha256' }, 'abc');
    expect(keyOf({ kind: 'sha256', text: 'hex' }, hex)).toBe(abc);
    expect(keyOf({ kind: 'sha256', text: 'base64' }, 'YWJj')).toBe(abc);
    expect(() => keyOf({ kind: 'sha256', text: 'hex' }, 'no hex')).toThrow('a text in hex');
  });
});

test.each([
  [{ kind: 'scrypt', cost: 1000, salt: 's' }, 'power of two'],
  [{ kind: 'hkdf', info: 'i'.repeat(1025) }, '1,024'],
])('a derivation that cannot be: %j', (options, rule) => {
  expect(derivationBreaks(KeyDerivation.parse(options))).toContain(rule);
});

test('scrypt at the greatest cost that many take has the memory that it needs', () => {
  expect(keyOf({ kind: 'scrypt', cost: 2 ** 15, salt: 'salt' }, 'text')).toHaveLength(64);
});
