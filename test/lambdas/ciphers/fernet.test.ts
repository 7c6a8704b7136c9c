import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codec, generateFernetKey } from '../../../lambdas/ciphers/fernet.ts';
import type { Rewrite, StoredKey } from '../../../lambdas/contract/ciphers.ts';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import vectors from './python/vectors.json' with { type: 'json' };
import { at, ringOf, seeded, storedKey } from './rings.ts';

const { newKey, oldKey } = vectors;
const now = at('2026-11-21T00:00:00Z');
const bind = (...keys: readonly (string | StoredKey)[]) => codec.bind({}, ringOf(...keys), seeded(1), now);

/** The text that a cipher reads, or the poison that it finds. */
function read(cipher: ReturnType<typeof bind>, stored: string | Buffer, version?: number): string {
  const opened = cipher.open(stored, version === undefined ? {} : { version });
  return opened.is === 'open' ? opened.plain.toString() : `poisoned: ${opened.poison}`;
}

describe('keys', () => {
  test('a generated key is 32 random bytes as Python writes them', () => {
    const key = generateFernetKey(seeded(7)).reveal();
    expect(key).toMatch(/^[\w-]{43}=$/);
    expect(Buffer.from(key, 'base64url')).toEqual(Buffer.from(seeded(7).bytes(32)));
    expect(read(bind(key), bind(key).seal(Buffer.from('x'), {}))).toBe('x');
  });

  test.each([
    ['empty', ''],
    ['without padding', oldKey.slice(0, -1)],
    ['the other alphabet', `${Buffer.alloc(32, 0xff).toString('base64')}`],
    ['a newline behind', `${oldKey}\n`],
    ['31 bytes', `${Buffer.alloc(31, 7).toString('base64url')}==`],
    ['33 bytes', Buffer.alloc(33, 7).toString('base64url')],
    ['bits set that carry nothing', `${oldKey.slice(0, 42)}9=`],
    ['hexadecimal', Buffer.alloc(32, 7).toString('hex')],
  ])('refused: %s, and its text is not told', (_name, text) => {
    const other = storedKey(text);
    for (const ring of [ringOf(other), ringOf(newKey, other)]) {
      const thrown = caught(() => codec.bind({}, ring, seeded(1), now));
      expect(thrown).toBeInstanceOf(KeyturnError);
      expect(thrown).toMatchObject({ code: 'ValueRejected', message: expect.stringContaining(other.id) });
      if (text !== '') expect(String(thrown)).not.toContain(text);
    }
  });
});

function caught(act: () => unknown): unknown {
  try {
    return act();
  } catch (thrown) {
    return thrown;
  }
}

describe('poisons', () => {
  const ring = bind(newKey, oldKey);
  const token = String(bind(oldKey).seal(Buffer.from('a secret of a customer'), {}));

  test.each([
    ['', 'truncated'],
    ['plain text that never was encrypted', 'malformed'],
    ['gee, this is no token', 'malformed'],
    [token.slice(0, 50), 'truncated'],
    [token.slice(0, -1), 'truncated'],
    [token.slice(0, -20), 'truncated'],
    [`${token}\n`, 'malformed'],
    [`${token} `, 'malformed'],
    [String(bind(generateFernetKey(seeded(3)).reveal()).seal(Buffer.from('x'), {})), 'unknown-key'],
  ])('%j', (stored, poison) => {
    for (const form of [stored, Buffer.from(stored)]) {
      expect(ring.open(form, {})).toEqual({ is: 'poisoned', poison });
      expect(ring.rewrite(form, {})).toEqual({ is: 'poisoned', poison });
    }
  });

  test.each([
    ['once more under the same key', newKey, newKey],
    ['the old key’s under the new one', oldKey, newKey],
    ['the new key’s under the old one', newKey, oldKey],
  ])('double-encrypted: %s', (_name, inner, outer) => {
    const twice = bind(outer).seal(Buffer.from(String(bind(inner).seal(Buffer.from('x'), {}))), {});
    expect(ring.rewrite(twice, {})).toEqual({ is: 'poisoned', poison: 'double-encrypted' });
    expect(ring.open(twice, {})).toEqual({ is: 'poisoned', poison: 'double-encrypted' });
  });

  test('another version is another format, though its signature is right', () => {
    const bytes = Buffer.from(token, 'base64url');
    bytes[0] = 0x81;
    const signed = bytes.subarray(0, -32);
    const signing = Buffer.from(oldKey, 'base64url').subarray(0, 16);
    const tag = createHmac('sha256', signing).update(signed).digest();
    const other = Buffer.concat([signed, tag]).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    expect(ring.open(other, {})).toEqual({ is: 'poisoned', poison: 'malformed' });
  });

  test('a plain text that is a token of somebody else is a plain text', () => {
    const foreign = String(bind(generateFernetKey(seeded(9)).reveal()).seal(Buffer.from('x'), {}));
    expect(read(ring, bind(oldKey).seal(Buffer.from(foreign), {}))).toBe(foreign);
  });
});

describe('rows that are tagged with a version', () => {
  const ring = bind(storedKey(newKey, 2), storedKey(oldKey, 1));
  const old = bind(oldKey).seal(Buffer.from('x'), {});

  test('the tag picks the key', () => {
    expect(read(ring, old, 1)).toBe('x');
    expect(ring.rewrite(old, { version: 1 })).toMatchObject({ is: 'rewritten', from: { version: 1 } });
  });

  test.each([0, 3])('a tag that names no key is poisoned, though a key would open it: %d', (version) => {
    expect(ring.rewrite(old, { version })).toEqual({ is: 'poisoned', poison: 'unknown-key' });
  });

  test('a tag that names the wrong key is poisoned: the platform cannot read it either', () => {
    expect(ring.rewrite(old, { version: 2 })).toEqual({ is: 'poisoned', poison: 'unknown-key' });
  });
});

test('a token in a column of bytes is rewritten as bytes', () => {
  const rewrite = bind(newKey, oldKey).rewrite(
    Buffer.from(String(bind(oldKey).seal(Buffer.from('x'), {}))),
    {},
  );
  expect(rewrite.is === 'rewritten' && Buffer.isBuffer(rewrite.stored)).toBe(true);
  expect(rewrite.is === 'rewritten' && read(bind(newKey), rewrite.stored)).toBe('x');
});

test('no two tokens share an IV', () => {
  const cipher = bind(newKey);
  const ivs = Array.from({ length: 600 }, () =>
    Buffer.from(String(cipher.seal(Buffer.from('x'), {})), 'base64url').toString('hex', 9, 25),
  );
  expect(new Set(ivs).size).toBe(600);
});

describe('whatever the plain text', () => {
  const plain = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));

  test('sealed and opened it is the same, and rewritten from any key of the ring', () => {
    const keys = [newKey, oldKey, generateFernetKey(seeded(5)).reveal()];
    const ring = bind(...keys);
    fc.assert(
      fc.property(plain, fc.constantFrom(...keys), (text, key) => {
        const sealed = bind(key).seal(text, {});
        expect(ring.open(sealed, {})).toMatchObject({
          is: 'open',
          plain: text,
          under: { id: storedKey(key).id },
        });
        const rewrite = ring.rewrite(sealed, {});
        if (key === newKey) {
          expect(rewrite).toEqual({ is: 'current' });
          return;
        }
        if (rewrite.is !== 'rewritten') throw new Error(rewrite.is);
        expect(bind(newKey).open(rewrite.stored, {})).toMatchObject({ is: 'open', plain: text });
      }),
    );
  });

  test('one flipped bit poisons a token, and nothing is thrown', () => {
    const ring = bind(newKey, oldKey);
    fc.assert(
      fc.property(plain, fc.nat(), fc.boolean(), (text, position, asBytes) => {
        const token = Buffer.from(String(bind(oldKey).seal(text, {})));
        const bit = position % (token.length * 8);
        token[bit >> 3] = (token[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const stored = asBytes ? token : token.toString('latin1');
        expect(ring.open(stored, {}).is).toBe('poisoned');
        expect(ring.rewrite(stored, {}).is).toBe('poisoned');
      }),
      { numRuns: 500 },
    );
  });

  test('anything at all is answered, never thrown', () => {
    const ring = bind(newKey, oldKey);
    const anything = fc.oneof(fc.string({ unit: 'binary' }), plain, fc.base64String(), fc.constant('gAAAAA'));
    fc.assert(
      fc.property(anything, (stored) => {
        expect(ring.rewrite(stored, {}).is).toBe('poisoned');
      }),
    );
  });
});

describe('many rows at once', () => {
  const stranger = generateFernetKey(seeded(3)).reveal();
  const by = (key: string, text: string) => String(bind(key).seal(Buffer.from(text), {}));
  const old = by(oldKey, 'of the old key');
  const rows = [
    { stored: old, context: {} },
    { stored: by(newKey, 'of the new key'), context: {} },
    { stored: by(stranger, 'of a strange key'), context: {} },
    { stored: 'no token at all', context: {} },
    { stored: '', context: {} },
    { stored: old.slice(0, 60), context: {} },
    { stored: by(oldKey, by(oldKey, 'twice')), context: {} },
    { stored: by(newKey, by(oldKey, 'twice')), context: {} },
    { stored: by(oldKey, 'gone').replace(/.(?==*$)/, (last) => (last === 'A' ? 'Q' : 'A')), context: {} },
    { stored: Buffer.from(by(oldKey, 'bytes')), context: {} },
    { stored: by(oldKey, ''), context: {} },
    { stored: by(oldKey, 'guess'), context: {} },
    { stored: by(oldKey, 'tagged with another version'), context: { version: 9 } },
  ];
  const of = (cipher: ReturnType<typeof bind>, rewrites: readonly Rewrite[]) =>
    rewrites.map((one) =>
      one.is === 'rewritten'
        ? [one.is, one.from.id, typeof one.stored, read(cipher, one.stored), timeOf(one.stored)]
        : one,
    );
  const timeOf = (stored: string | Buffer) => Buffer.from(String(stored), 'base64url').readBigUInt64BE(1);

  test.each([
    ['the old key was the last one that opened', [old]],
    ['the new key was', []],
  ])('come to the same as one by one: %s', (_what, first) => {
    const [together, alone] = [bind(newKey, oldKey), bind(newKey, oldKey)];
    for (const stored of first) for (const cipher of [together, alone]) cipher.open(stored, {});
    const expected = rows.map(({ stored, context }) => alone.rewrite(stored, context));
    expect(of(together, together.rewriteAll(rows))).toEqual(of(alone, expected));
    expect(expected.map(({ is }) => is)).toContain('rewritten');
    expect(together.rewriteAll([])).toEqual([]);
  });

  test('no two tokens share an IV', () => {
    const cipher = bind(newKey, oldKey);
    cipher.open(old, {});
    const many = cipher.rewriteAll(Array.from({ length: 500 }, () => ({ stored: old, context: {} })));
    const ivs = many.map((one) =>
      one.is === 'rewritten' ? Buffer.from(String(one.stored), 'base64url').toString('hex', 9, 25) : '',
    );
    expect(new Set(ivs).size).toBe(500);
    expect(ivs).not.toContain('');
  });
});
