import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codec } from '../../../lambdas/ciphers/aes-256-gcm.ts';
import { bind, fields, go, hex, layoutNames, layouts, plainOf } from './gcm-layouts.ts';
import { storedKey } from './rings.ts';

const keyA = 'aa'.repeat(32);
const keyB = 'bb'.repeat(32);
const keyC = 'cc'.repeat(32);

/** Keys with versions where the layout carries one; the first one writes. */
const ring = [storedKey(keyA, 12), storedKey(keyB, 7), storedKey(keyC, 0)];

describe.each(layoutNames)('layout: %s', (name) => {
  const options = { layout: layouts[name] };
  const cipher = bind(options, ring);
  const plain = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));

  test('sealed and opened is the same, and rewritten from any key of the ring', () => {
    fc.assert(
      fc.property(plain, fc.constantFrom(...ring), (text, key) => {
        const sealed = bind(options, [key]).seal(text, {});
        expect(cipher.open(sealed, {})).toMatchObject({ is: 'open', plain: text, under: { id: key.id } });
        const rewrite = cipher.rewrite(sealed, {});
        if (key === ring[0]) {
          expect(rewrite).toEqual({ is: 'current' });
          return;
        }
        if (rewrite.is !== 'rewritten') throw new Error(JSON.stringify(rewrite));
        expect(rewrite.from).toBe(key);
        expect(bind(options, [storedKey(keyA, 12)]).open(rewrite.stored, {})).toMatchObject({ plain: text });
      }),
      { numRuns: 40 },
    );
  });

  test('one flipped bit poisons, and nothing is thrown', () => {
    fc.assert(
      fc.property(plain, fc.nat(), (text, position) => {
        const sealed = bind(options, [storedKey(keyB, 7)]).seal(text, {});
        const bytes = Buffer.from(sealed as string);
        const bit = position % (bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const stored = typeof sealed === 'string' ? bytes.toString('latin1') : bytes;
        expect(cipher.open(stored, {}).is).toBe('poisoned');
        expect(cipher.rewrite(stored, {}).is).toBe('poisoned');
      }),
      { numRuns: 100 },
    );
  });

  test('cut off anywhere it is poisoned; so is anything else, and nothing is thrown', () => {
    const sealed = bind(options, [storedKey(keyB, 7)]).seal(Buffer.from('a secret text'), {});
    for (let length = 0; length < sealed.length; length += 1) {
      const cut = typeof sealed === 'string' ? sealed.slice(0, length) : sealed.subarray(0, length);
      expect(cipher.rewrite(cut, {}).is).toBe('poisoned');
    }
    expect(cipher.rewrite(sealed.slice(0, 11), {})).toEqual({ is: 'poisoned', poison: 'truncated' });
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      plain,
      fc.base64String(),
      fc.constant('enc:v7:'),
    );
    fc.assert(
      fc.property(anything, (stored) => {
        expect(cipher.rewrite(stored, {}).is).toBe('poisoned');
      }),
      { numRuns: 100 },
    );
  });

  test('a ciphertext within a ciphertext is double-encrypted', () => {
    const inner = Buffer.from(bind(options, [storedKey(keyC, 0)]).seal(Buffer.from('text'), {}) as string);
    const outer = bind(options, [storedKey(keyB, 7)]).seal(inner, {});
    expect(cipher.rewrite(outer, {})).toEqual({ is: 'poisoned', poison: 'double-encrypted' });
  });

  test('a key that the ring does not have is unknown', () => {
    const foreign = bind(options, [storedKey('dd'.repeat(32), 7)]).seal(Buffer.from('text'), {});
    expect(cipher.rewrite(foreign, {})).toEqual({ is: 'poisoned', poison: 'unknown-key' });
  });
});

describe('versions', () => {
  const decimal = { layout: layouts['enc:v<version>: and base64'] };

  test('a decimal version is written as its key has it and picks the key', () => {
    const sealed = bind(decimal, [storedKey(keyB, 12345)]).seal(Buffer.from('x'), {});
    expect(sealed).toMatch(/^enc:v12345:[A-Za-z0-9+/]+=*$/);
    expect(plainOf(bind(decimal, [storedKey(keyA, 1), storedKey(keyB, 12345)]), sealed)).toBe('x');
  });

  test.each([
    ['a version of no key', 'v8:', 'unknown-key'],
    ['another key’s version', 'v12:', 'unknown-key'],
    ['a leading zero', 'v07:', 'malformed'],
    ['no version', 'v:', 'malformed'],
    ['a negative one', 'v-7:', 'malformed'],
    ['one of too many digits', `v${'7'.repeat(40)}:`, 'malformed'],
    ['no prefix', '', 'malformed'],
  ])('%s', (_name, head, poison) => {
    const body = String(bind(decimal, [storedKey(keyB, 7)]).seal(Buffer.from('x'), {})).slice(
      'enc:v7:'.length,
    );
    expect(bind(decimal, ring).rewrite(`enc:${head}${body}`, {})).toEqual({ is: 'poisoned', poison });
  });

  test('the row’s tag picks the key where the ciphertext carries none', () => {
    const cipher = bind({ layout: go }, ring);
    const sealed = bind({ layout: go }, [keyB]).seal(Buffer.from('x'), {});
    expect(plainOf(cipher, sealed, { version: 7 })).toBe('x');
    expect(plainOf(cipher, sealed, { version: 12 })).toBe('poisoned: unknown-key');
    expect(plainOf(cipher, sealed, { version: 99 })).toBe('poisoned: unknown-key');
  });

  test.each([
    [decimal.layout, undefined],
    [layouts['raw with a version byte'], undefined],
    [layouts['raw with a version byte'], 256],
    [layouts['raw with a version byte'], -1],
    [decimal.layout, 1.5],
  ])('a key without a version that fits is refused: %j %s', (layout, version) => {
    expect(() => bind({ layout }, [storedKey(keyA, 1), storedKey(keyB, version)])).toThrow(
      /must have a version/,
    );
  });
});

describe('additional data', () => {
  test('a fixed text is authenticated', () => {
    const sealed = bind({ layout: go, additionalData: { text: 'a' } }, [keyA]).seal(Buffer.from('x'), {});
    expect(plainOf(bind({ layout: go, additionalData: { text: 'a' } }, [keyA]), sealed)).toBe('x');
    expect(plainOf(bind({ layout: go, additionalData: { text: 'b' } }, [keyA]), sealed)).toContain(
      'unknown-key',
    );
    expect(plainOf(bind({ layout: go }, [keyA]), sealed)).toContain('unknown-key');
  });

  test('what the row tells is authenticated, and kept when it is rewritten', () => {
    const options = { layout: go, additionalData: 'row' };
    const row = { additionalData: Buffer.from('tenant 1') };
    const sealed = bind(options, [keyB]).seal(Buffer.from('x'), row);
    const rewrite = bind(options, [keyA, keyB]).rewrite(sealed, row);
    if (rewrite.is !== 'rewritten') throw new Error(rewrite.is);
    expect(plainOf(bind(options, [keyA]), rewrite.stored, row)).toBe('x');
    const other = { additionalData: Buffer.from('tenant 2') };
    expect(plainOf(bind(options, [keyA]), rewrite.stored, other)).toContain('unknown-key');
  });

  test('a row that does not tell it is a fault of the caller, not of the row', () => {
    const cipher = bind({ layout: go, additionalData: 'row' }, [keyA]);
    expect(() => cipher.seal(Buffer.from('x'), {})).toThrow(/additional data/);
  });
});

test('an envelope: a root key of exactly 32 bytes wraps a key of any bytes', () => {
  const options = { layout: go, key: { kind: 'raw' } };
  const [old, fresh] = ['an old root key of 32 characters', 'the new root key, 32 characters.'] as const;
  const wrapped = bind(options, [old]).seal(hex('00ff'.repeat(16)), {});
  const rewrite = bind(options, [fresh, old]).rewrite(wrapped, {});
  if (rewrite.is !== 'rewritten') throw new Error(rewrite.is);
  expect(bind(options, [fresh]).open(rewrite.stored, {})).toMatchObject({ plain: hex('00ff'.repeat(16)) });
  expect(() => bind(options, [`${fresh}!`])).toThrow(/exactly 32 bytes/);
});

test.each([8, 12, 16])('nonces of %d bytes', (nonceBytes) => {
  const cipher = bind({ layout: go, nonceBytes }, [keyA]);
  expect(cipher.seal(Buffer.from('x'), {})).toHaveLength(nonceBytes + 1 + 16);
  expect(plainOf(cipher, cipher.seal(Buffer.from('x'), {}))).toBe('x');
});

test('text in a column of bytes goes back as bytes', () => {
  const options = { layout: layouts['one base64'] };
  const stored = Buffer.from(String(bind(options, [keyB]).seal(Buffer.from('x'), {})));
  const rewrite = bind(options, [keyA, keyB]).rewrite(stored, {});
  expect(rewrite.is === 'rewritten' && Buffer.isBuffer(rewrite.stored)).toBe(true);
  expect(rewrite.is === 'rewritten' && plainOf(bind(options, [keyA]), rewrite.stored)).toBe('x');
});

describe('options that cannot be', () => {
  test.each([
    ['no tag', { layout: [fields('raw', 'nonce', 'ciphertext')] }, 'tag exactly once'],
    ['two nonces', { layout: [fields('raw', 'nonce', 'nonce', 'ciphertext', 'tag')] }, 'nonce exactly once'],
    [
      'two versions',
      { layout: [{ version: 'decimal' }, { text: ':' }, ...layouts['a version byte within base64']] },
      'version at most once',
    ],
    [
      'raw and text',
      { layout: [fields('raw', 'nonce'), fields('hex', 'ciphertext', 'tag')] },
      'all fields raw, or none',
    ],
    [
      'a version behind the ciphertext',
      { layout: [...layouts['one base64'], { text: ':' }, { version: 'decimal' }] },
      'before the ciphertext',
    ],
    [
      'a version that nothing ends',
      { layout: [{ version: 'decimal' }, ...layouts['one base64']] },
      'begins with no digit',
    ],
    [
      'a version that a digit follows',
      { layout: [{ version: 'decimal' }, { text: '1' }, ...layouts['one base64']] },
      'begins with no digit',
    ],
    ['a nonce of 7 bytes', { layout: go, nonceBytes: 7 }, 'nonceBytes'],
    ['an unknown derivation', { layout: go, key: { kind: 'md5' } }, 'key'],
    ['scrypt’s cost', { layout: go, key: { kind: 'scrypt', cost: 3, salt: '' } }, 'power of two'],
  ])('%s', (_name, options, rule) => {
    const parsed = codec.parse({ key: { kind: 'hex' }, ...options });
    expect(parsed.ok ? [] : parsed.broken.join(' ')).toContain(rule);
  });
});

describe('what a layout does not take', () => {
  const [nonce, tag] = [Buffer.alloc(12, 1), Buffer.alloc(16, 2)];
  const base64 = (bytes: Buffer) => bytes.toString('base64');
  const three = [fields('hex', 'nonce'), fields('hex', 'ciphertext'), fields('hex', 'tag')];
  const dots = [fields('base64', 'nonce'), { text: '.' }, fields('base64', 'tag', 'ciphertext')];
  const ends = [fields('base64', 'nonce', 'ciphertext'), { text: '.' }, fields('base64', 'tag')];

  test.each([
    ['text where bytes are declared', go, 'x', 'malformed'],
    ['less than the fixed fields, though each for itself would fit', three, '0'.repeat(40), 'truncated'],
    ['a nonce of ten bytes in the length of twelve', dots, `${base64(Buffer.alloc(10))}.`, 'truncated'],
    [
      'a tag of 18 bytes in the length of 16',
      ends,
      `${base64(nonce)}.${base64(Buffer.alloc(18))}`,
      'malformed',
    ],
    ['another text between', dots, `${base64(nonce)}:${base64(tag)}`, 'malformed'],
    ['what no key has sealed', dots, `${base64(nonce)}.${base64(tag)}`, 'unknown-key'],
    ['a line break behind', dots, `${base64(nonce)}.${base64(tag)}\n`, 'malformed'],
    ['plain text', dots, 'a password in the clear, from before encryption', 'malformed'],
    ['plain text of a length that is never made', layouts['one base64'], 'a password.', 'malformed'],
    ['a cut in the middle of a byte', three, '0'.repeat(57), 'truncated'],
    [
      'a cut in the middle of four characters',
      dots,
      `${base64(nonce)}.${base64(tag).slice(0, -1)}`,
      'truncated',
    ],
  ] as const)('%s', (_name, layout, stored, poison) => {
    expect(bind({ layout }, [keyA, keyB]).rewrite(stored, {})).toEqual({ is: 'poisoned', poison });
  });
});
