import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { codec } from '../../../lambdas/ciphers/rails-active-record.ts';
import { at, ringOf, seeded } from './rings.ts';

const now = at('2026-11-21T00:00:00Z');
/** Binding derives a key of 65,536 rounds: each set of keys is bound once. */
const bound = new Map<string, ReturnType<typeof codec.bind>>();
function bind(options: object, ...keys: readonly string[]): ReturnType<typeof codec.bind> {
  const name = JSON.stringify([options, keys]);
  const known = bound.get(name);
  if (known !== undefined) return known;
  const parsed = codec.parse({ salt: 'testing key derivation salt', ...options });
  if (!parsed.ok) throw new Error(parsed.broken.join(' '));
  const made = parsed.hook.bind(ringOf(...keys), seeded(1), now);
  bound.set(name, made);
  return made;
}

const fresh = 'the new primary key';
const old = 'test master key';
const ring = bind({}, fresh, old);

/** A message of the old key, with other headers: `seal` never writes these. */
function withHeaders(plain: Buffer, headers: object): string {
  const envelope = JSON.parse(String(bind({}, old).seal(plain, {})));
  return JSON.stringify({ ...envelope, h: { ...envelope.h, ...headers } });
}

function rewritten(stored: string): string {
  const rewrite = ring.rewrite(stored, {});
  if (rewrite.is !== 'rewritten') throw new Error(JSON.stringify(rewrite));
  return String(rewrite.stored);
}

describe('Rails’ own vector', () => {
  /**
   * activerecord/test/cases/encryption/encryptable_record_test.rb, "deterministic ciphertexts remain constant",
   * with the keys of Rails' test configuration. Its key is of the default of 7.0, SHA-1.
   */
  const dune = '{"p":"DIohhw==","h":{"iv":"wEPaDcJP3VNIxaiz","at":"X7+2xvvcu1k1if6Dy28Esw=="}}';
  const options = { hash: 'sha1', deterministic: true };
  const cipher = bind(options, 'test deterministic key');

  test('opens', () => {
    expect(cipher.open(dune, {})).toMatchObject({ is: 'open', plain: Buffer.from('Dune') });
  });

  test('is what sealing gives, nonce and all', () => {
    expect(cipher.seal(Buffer.from('Dune'), {})).toBe(dune);
  });

  test('is rewritten to what the new key gives for its text, so that queries find it', () => {
    const both = bind(options, 'the new deterministic key', 'test deterministic key');
    expect(both.rewrite(dune, {})).toMatchObject({
      is: 'rewritten',
      stored: bind(options, 'the new deterministic key').seal(Buffer.from('Dune'), {}),
    });
  });

  test('is of no key under SHA-256, the default since 7.1', () => {
    const other = bind({ deterministic: true }, 'test deterministic key');
    expect(other.open(dune, {})).toEqual({ is: 'poisoned', poison: 'unknown-key' });
  });
});

describe('headers', () => {
  const long = Buffer.from('a text of over 140 bytes, which Rails packs. '.repeat(10));

  test('a packed text opens unpacked, and stays packed as it was', () => {
    const packed = deflateSync(long);
    const stored = withHeaders(packed, { c: true });
    expect(ring.open(stored, {})).toMatchObject({ is: 'open', plain: long });
    const after = rewritten(stored);
    expect(JSON.parse(after)).toMatchObject({ h: { c: true } });
    expect(bind({}, fresh).open(after, {})).toMatchObject({ is: 'open', plain: long });
    const asItWas = JSON.stringify({ ...JSON.parse(after), h: { ...JSON.parse(after).h, c: undefined } });
    expect(bind({}, fresh).open(asItWas, {})).toMatchObject({ is: 'open', plain: packed });
  });

  test('what says that it is packed and is not, is malformed', () => {
    expect(ring.rewrite(withHeaders(long, { c: true }), {})).toEqual({ is: 'poisoned', poison: 'malformed' });
  });

  test('the encoding of the text is carried along', () => {
    const e = Buffer.from('ISO-8859-1').toString('base64');
    expect(JSON.parse(rewritten(withHeaders(long, { e })))).toMatchObject({ h: { e } });
  });

  test('a reference of the key is taken at its word and renewed', () => {
    expect(ring.rewrite(withHeaders(long, { i: 'MDAwMA==' }), {})).toEqual({
      is: 'poisoned',
      poison: 'unknown-key',
    });
    // SHA-1 of PBKDF2-HMAC-SHA256(key, salt, 65536), first four digits, by Python's hashlib.
    const referenceOfOld = Buffer.from('7ee9').toString('base64');
    const referenceOfFresh = Buffer.from('dbcc').toString('base64');
    expect(JSON.parse(rewritten(withHeaders(long, { i: referenceOfOld })))).toMatchObject({
      h: { i: referenceOfFresh },
    });
  });

  test('an envelope with a data key of its own is not this format', () => {
    expect(ring.rewrite(withHeaders(long, { k: { p: '', h: {} } }), {})).toEqual({
      is: 'poisoned',
      poison: 'malformed',
    });
  });
});

describe('poisons', () => {
  const message = String(bind({}, old).seal(Buffer.from('a secret text'), {}));

  test.each([
    ['', 'truncated'],
    ['a text that was never encrypted', 'malformed'],
    ['{}', 'malformed'],
    ['null', 'malformed'],
    ['{"p":"!","h":{"iv":"wEPaDcJP3VNIxaiz","at":"X7+2xvvcu1k1if6Dy28Esw=="}}', 'malformed'],
    ['{"p":"DIohhw==","h":{"iv":"wEPaDcJP3VNIxaiz","at":"X7+2"}}', 'malformed'],
    ['{"p":"DIohhw==","h":{"iv":"wEPa","at":"X7+2xvvcu1k1if6Dy28Esw=="}}', 'malformed'],
    ['{"p":"DIohhw==","h":{"iv":"wEPaDcJP3VNIxaiz","at":"X7+2xvvcu1k1if6Dy28Esw=="}}', 'unknown-key'],
    [message.slice(0, 40), 'truncated'],
    [message.slice(0, -1), 'truncated'],
  ])('%j', (stored, poison) => {
    expect(ring.rewrite(stored, {})).toEqual({ is: 'poisoned', poison });
  });

  test('double-encrypted', () => {
    const twice = bind({}, fresh).seal(Buffer.from(message), {});
    expect(ring.rewrite(twice, {})).toEqual({ is: 'poisoned', poison: 'double-encrypted' });
  });

  test('one flipped bit poisons, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.nat({ max: message.length * 8 - 1 }), (bit) => {
        const bytes = Buffer.from(message);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(ring.rewrite(bytes, {}).is).toBe('poisoned');
        expect(ring.open(bytes.toString('latin1'), {}).is).toBe('poisoned');
      }),
      { numRuns: 500 },
    );
  });
});

test('sealed and opened is the same, and rewritten from any key of the ring', () => {
  const plain = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(plain, (text) => {
      const stored = String(bind({}, old).seal(text, {}));
      expect(ring.open(stored, {})).toMatchObject({ is: 'open', plain: text });
      expect(bind({}, fresh).open(rewritten(stored), {})).toMatchObject({ is: 'open', plain: text });
      expect(ring.rewrite(rewritten(stored), {})).toEqual({ is: 'current' });
    }),
  );
});
