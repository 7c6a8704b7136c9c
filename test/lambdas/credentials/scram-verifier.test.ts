import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { scramVerifier, verifierOf } from '../../../lambdas/credentials/scram-verifier.ts';

/** The exchange of RFC 7677 section 3: user `user`, password `pencil`. */
const exchange = {
  salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
  messages:
    'n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  signature: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
};
const hmac = (key: string) =>
  createHmac('sha256', Buffer.from(key, 'base64')).update(exchange.messages).digest();

describe('a SCRAM-SHA-256 verifier', () => {
  test('checks the client’s proof and makes the server’s signature of RFC 7677', () => {
    const text = verifierOf(new Sensitive('pencil'), Buffer.from(exchange.salt, 'base64'), 4096).reveal();
    const [, salt, stored = '', server = ''] = /^SCRAM-SHA-256\$4096:(.+)\$(.+):(.+)$/.exec(text) ?? [];
    expect(salt).toBe(exchange.salt);
    expect(hmac(server).toString('base64')).toBe(exchange.signature);
    const signature = hmac(stored);
    const clientKey = Buffer.from(exchange.proof, 'base64').map((byte, at) => byte ^ (signature[at] ?? 0));
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(stored);
  });

  test('takes 16 bytes of salt from the randomness that it is given, and 4096 iterations', () => {
    const random = { bytes: (count: number) => Buffer.alloc(count, count) };
    const text = scramVerifier(new Sensitive('pencil'), random).reveal();
    expect(text).toContain(`$4096:${Buffer.alloc(16, 16).toString('base64')}$`);
  });

  test.each([
    ['', 4096, 'The password must not be empty.'],
    ['a\0', 4096, 'The password must not hold the NUL character.'],
    ['pencil', 4095, 'The iterations of a SCRAM verifier must be from 4096 to 2147483647; received 4095.'],
    [
      'pencil',
      4096.5,
      'The iterations of a SCRAM verifier must be from 4096 to 2147483647; received 4096.5.',
    ],
  ])('refuses %j with %d iterations', (password, iterations, message) => {
    const run = () => verifierOf(new Sensitive(password), Buffer.alloc(16), iterations);
    expect(run).toThrow(new KeyturnError({ code: 'ValueRejected', message }));
  });

  test('is not printed', () => {
    expect(String(verifierOf(new Sensitive('pencil'), Buffer.alloc(16), 4096))).toBe('[redacted]');
  });
});
