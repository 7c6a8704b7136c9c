import { describe, expect, test } from 'vitest';
import { codec } from '../../../lambdas/ciphers/fernet.ts';
import type { StoredKey } from '../../../lambdas/contract/ciphers.ts';
import { pythonIsHere, python as run } from './python/oracle.ts';
import vectors from './python/vectors.json' with { type: 'json' };
import { at, fixed, ringOf, seeded } from './rings.ts';

/** generate.json and verify.json of github.com/fernet/spec: the same token in both. */
const specification = {
  token:
    'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==',
  now: '1985-10-26T01:20:00-07:00',
  iv: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  src: 'hello',
  secret: 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=',
};
const { newKey, oldKey } = vectors;
const now = at('2026-11-21T00:00:00Z');
const bind = (...keys: readonly (string | StoredKey)[]) => codec.bind({}, ringOf(...keys), seeded(1), now);

/** The text that a cipher reads, or the poison that it finds. */
function read(cipher: ReturnType<typeof bind>, stored: string | Buffer, version?: number): string {
  const opened = cipher.open(stored, version === undefined ? {} : { version });
  return opened.is === 'open' ? opened.plain.toString() : `poisoned: ${opened.poison}`;
}

describe('the Fernet specification', () => {
  const cipher = codec.bind({}, ringOf(specification.secret), fixed(specification.iv), at(specification.now));

  test('generate.json: the token, byte for byte', () => {
    expect(cipher.seal(Buffer.from(specification.src), {})).toBe(specification.token);
  });

  test('verify.json: the token opens, however old it is', () => {
    expect(read(cipher, specification.token)).toBe('hello');
  });

  // invalid.json, without the two that only an age limit refuses; then two of pyca/cryptography’s copy.
  test.each([
    [
      'incorrect mac',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==',
      'unknown-key',
    ],
    ['too short', 'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==', 'truncated'],
    [
      'invalid base64',
      '%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==',
      'malformed',
    ],
    [
      'payload size not multiple of block size',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7mrfyudzUm',
      'truncated',
    ],
    [
      'payload padding error',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJNYIbkuKNqOhw==',
      'malformed',
    ],
    [
      'incorrect IV (causes padding error)',
      'gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ1TIvcZjK1zQ==',
      'malformed',
    ],
    ['very short payload size', 'gAAAAABdnQ1TUKh2OE_ggbyCIxfg', 'truncated'],
    ['super short payload size', 'gAAA', 'truncated'],
  ])('invalid.json, %s', (_name, token, poison) => {
    expect(cipher.open(token, {})).toEqual({ is: 'poisoned', poison });
  });

  test('invalid.json, its two ages: stored data has no age limit, so they open', () => {
    for (const token of [
      'gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd-iX9b_qXQcw==',
      'gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q==',
    ]) {
      expect(cipher.open(token, {}).is).toBe('open');
    }
  });
});

describe('what Python’s cryptography wrote (vectors.json, made once by oracle.py)', () => {
  const ring = bind(newKey, oldKey);

  test.each(vectors.single)('a token of one key: %j', ({ text, token }) => {
    expect(read(bind(oldKey), token)).toBe(text);
    expect(ring.open(token, {})).toMatchObject({
      is: 'open',
      under: { text: { reveal: expect.anything() } },
    });
  });

  test.each(vectors.multi)('a token of MultiFernet is under its first key: %j', ({ text, token }) => {
    expect(read(bind(newKey), token)).toBe(text);
    expect(ring.rewrite(token, {})).toEqual({ is: 'current' });
  });

  test.each(vectors.rotated)(
    'rotate keeps the timestamp, as ours: %j',
    ({ text, token, rotated, timestamp }) => {
      const ours = ring.rewrite(token, {});
      if (ours.is !== 'rewritten') throw new Error(`expected a rewrite; got ${ours.is}`);
      expect(ours.from.text.reveal()).toBe(oldKey);
      expect(read(bind(newKey), ours.stored)).toBe(text);
      expect(timestampOf(ours.stored)).toBe(timestamp);
      expect(timestampOf(rotated)).toBe(timestamp);
      expect(read(bind(newKey), rotated)).toBe(text);
    },
  );

  test.skipIf(!pythonIsHere)('live, both directions (needs python3 with cryptography)', () => {
    const texts = vectors.single.map(({ text }) => text);
    const sealed = texts.map((text) => bind(newKey).seal(Buffer.from(text), {}));
    const rewritten = vectors.single.map(({ token }) => {
      const rewrite = ring.rewrite(token, {});
      return rewrite.is === 'rewritten' ? rewrite.stored : rewrite.is;
    });
    expect(run({ do: 'open', keys: [newKey], tokens: [...sealed, ...rewritten] })).toEqual({
      texts: [...texts, ...texts],
      timestamps: [...texts.map(() => 1795219200), ...texts.map((_text, index) => 1700000000 + index)],
    });
    const made = run({ do: 'seal', key: oldKey, texts, time: 1700000000 }) as { tokens: string[] };
    expect(made.tokens.map((token) => read(ring, token))).toEqual(texts);
  });
});

function timestampOf(token: string | Buffer): number {
  return Number(Buffer.from(token.toString(), 'base64url').readBigUInt64BE(1));
}
