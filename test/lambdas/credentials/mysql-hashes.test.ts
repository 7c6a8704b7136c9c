/** Known answers: of the SHA-crypt specification, of a MySQL server, and of MySQL's manual. */
import { describe, expect, test } from 'vitest';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import {
  cachingSha2Hash,
  cachingSha2HashOf,
  nativeHash,
  sha256Crypt,
} from '../../../lambdas/credentials/mysql-hashes.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');

describe('SHA-crypt', () => {
  // U. Drepper, "Unix crypt using SHA-256 and SHA-512", its test program; salts as that one cuts them.
  test.each([
    ['Hello world!', 'saltstring', 5000, '5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    ['Hello world!', 'saltstringsaltst', 10_000, '3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA'],
    ['This is just a test', 'toolongsaltstrin', 5000, 'Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5'],
    [
      'a very much longer text to encrypt.  This one even stretches over morethan one line.',
      'anotherlongsalts',
      1400,
      'Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1',
    ],
    ['a short string', 'asaltof16chars..', 123_456, 'gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD'],
  ])('%s', (key, salt, rounds, digest) => {
    expect(sha256Crypt(bytes(key), bytes(salt), rounds)).toBe(digest);
  });
});

describe('caching_sha2_password', () => {
  // As a MySQL 8 server stored it for "foobar", with the twenty bytes of its salt; TiDB's tests hold it as well.
  const stored = Buffer.from(
    '24412430303524031A69251C34295C4B35167C7F1E5A7B63091349503974624D34504B5A424679354856336868686F52485A736E4A733368786E427575516C73446469496537',
    'hex',
  );

  test('what a server stored', () => {
    const ours = cachingSha2HashOf(new Sensitive('foobar'), stored.subarray(7, 27)).reveal();
    expect(Buffer.from(ours, 'latin1').equals(stored)).toBe(true);
    expect(cachingSha2HashOf(new Sensitive('foobaz'), stored.subarray(7, 27)).reveal()).not.toBe(ours);
  });

  test('has a salt of its own each time, and no sign that needs quotes', () => {
    let calls = 0;
    const random = {
      bytes: (count: number) => {
        calls += 1;
        return Uint8Array.from({ length: count }, (_byte, at) => (calls * 31 + at * 7) & 255);
      },
    };
    const [one, two] = [1, 2].map(() => cachingSha2Hash(new Sensitive('word'), random).reveal());
    expect(one).toMatch(/^\$A\$005\$[./0-9A-Za-z]{63}$/);
    expect(two).not.toBe(one);
    expect(cachingSha2HashOf(new Sensitive('word'), bytes(one?.slice(7, 27) ?? '')).reveal()).toBe(one);
  });
});

describe('mysql_native_password', () => {
  test.each([
    // MySQL 5.7 reference manual, section 6.1.2.4 "Password Hashing in MySQL".
    ['mypass', '*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4'],
    ['password', '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'],
  ])('%s', (password, hash) => {
    expect(nativeHash(new Sensitive(password)).reveal()).toBe(hash);
  });
});

test.each(['', 'a\0b', '\ud800'])('what no server could carry is refused', (password) => {
  const random = { bytes: (count: number) => new Uint8Array(count) };
  for (const hash of [nativeHash, (one: Sensitive) => cachingSha2Hash(one, random)]) {
    expect(() => hash(new Sensitive(password))).toThrow(expect.objectContaining({ code: 'ValueRejected' }));
  }
});
