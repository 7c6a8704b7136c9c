import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkRules, Format, generate, generatedLength } from '../../../lambdas/contract/format.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';

/** Evenly spread bytes that are the same in every run. */
function seeded(seed: number) {
  let counter = 0;
  return {
    bytes: (count: number) => {
      const chunks: Buffer[] = [];
      for (let length = 0; length < count; length += 32) {
        counter += 1;
        chunks.push(createHash('sha256').update(`${seed} ${counter}`).digest());
      }
      return Buffer.concat(chunks).subarray(0, count);
    },
  };
}

describe('generated values', () => {
  test.each([
    [{ encoding: 'alphanumeric', length: 64 }, /^[A-Za-z0-9]{64}$/],
    [{ encoding: 'hex', bytes: 32 }, /^[0-9a-f]{64}$/],
    [{ encoding: 'base64', bytes: 48 }, /^[A-Za-z0-9+/]{64}$/],
    [{ encoding: 'base64url', bytes: 32 }, /^[A-Za-z0-9_-]{43}$/],
  ])('%j', (format, shape) => {
    expect(generate(Format.parse(format), seeded(1)).reveal()).toMatch(shape);
  });

  test('their length is what generatedLength says', () => {
    const formats = fc.oneof(
      fc.record({ encoding: fc.constant('alphanumeric'), length: fc.integer({ min: 22, max: 512 }) }),
      fc.record({
        encoding: fc.constantFrom('hex', 'base64', 'base64url'),
        bytes: fc.integer({ min: 16, max: 512 }),
      }),
    );
    fc.assert(
      fc.property(formats, fc.integer(), (format, seed) => {
        const parsed = Format.parse(format);
        expect(generate(parsed, seeded(seed)).reveal().length).toBe(generatedLength(parsed));
      }),
      { numRuns: 300 },
    );
  });

  test('every letter of the alphabet is equally likely: no letter is favoured by a remainder', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 400; seed += 1) {
      for (const letter of generate({ encoding: 'alphanumeric', length: 500 }, seeded(seed)).reveal()) {
        counts.set(letter, (counts.get(letter) ?? 0) + 1);
      }
    }
    expect(counts.size).toBe(62);
    // 200,000 letters, 3,226 of each on average. Folding bytes by a remainder would give eight letters 3,906.
    expect(Math.max(...counts.values())).toBeLessThan(3_500);
    expect(Math.min(...counts.values())).toBeGreaterThan(2_950);
  });

  test.each([
    [{ encoding: 'hex', bytes: 15 }],
    [{ encoding: 'alphanumeric', length: 21 }],
    [{ encoding: 'alphanumeric', length: 64, alphabet: 'ab' }],
    [{ encoding: 'rot13', length: 64 }],
  ])('%j is refused: fewer than 128 random bits, or not a format', (format) => {
    expect(Format.safeParse(format).success).toBe(false);
  });
});

describe('the rules of a platform', () => {
  const rules = {
    minimumLength: 4,
    forbidden: ['changeme'],
    pattern: '[a-z]+',
    patternMeans: 'be lower-case letters',
  };
  test.each([
    ['abc', 'The value of KEY must have at least 4 characters; it has 3.'],
    ['changeme', 'The value of KEY must not be a published default; the value received is one.'],
    ['abcd1', 'The value of KEY must be lower-case letters; the value received (5 characters) does not.'],
    ['abcd\n', 'The value of KEY must be lower-case letters; the value received (5 characters) does not.'],
  ])('%j is refused', (value, sentence) => {
    expect(() => checkRules('KEY', new Sensitive(value), rules)).toThrow(sentence);
  });

  test('a value that keeps them passes', () => {
    expect(() => checkRules('KEY', new Sensitive('abcdefgh'), rules)).not.toThrow();
  });
});
