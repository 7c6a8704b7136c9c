import { describe, expect, test } from 'vitest';
import type { SecretDescription } from '../../../lambdas/contract/ports.ts';
import { consentFor } from '../../../lambdas/rotation/consent.ts';

const now = new Date('2026-11-21T12:00:00Z');

const secretWith = (consent: string | null): SecretDescription => ({
  arn: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/pepper-AbCdEf',
  name: 'shop/pepper',
  rotationEnabled: true,
  rotationFunctionArn: null,
  labels: new Map(),
  tags: new Map(consent === null ? [] : [['keyturn:consent', consent]]),
  lastRotatedAt: null,
  deleted: false,
});

const ask = (consent: string | null, usedUp?: string) =>
  consentFor(secretWith(consent), 'every stored API-key hash becomes invalid', usedUp, now);

describe('consent to rotate a guarded secret', () => {
  test.each([
    { consent: '2026-11-21T12:00:01Z', why: 'one second left' },
    {
      consent: '2026-11-22T12:00:00Z jane: planned cutover',
      why: 'exactly 24 hours ahead, with who and why',
    },
  ])('holds with $why', ({ consent }) => {
    expect(ask(consent)).toBe(consent);
  });

  test.each([
    { consent: null, sentence: 'there is none' },
    { consent: 'yes please', sentence: 'the consent on it does not begin with a time' },
    { consent: '2026-11-21T12:00:00Z jane', sentence: 'the consent on it has expired' },
    { consent: '2026-11-22T12:00:01Z jane', sentence: 'the consent on it runs for more than 24 hours' },
  ])('is missing: $sentence', ({ consent, sentence }) => {
    expect(() => ask(consent)).toThrow(
      `The secret shop/pepper does not rotate without a person's consent, because every stored API-key hash becomes invalid; ${sentence}.`,
    );
  });

  test('is good for one rotation', () => {
    const consent = '2026-11-21T18:00:00Z jane: planned cutover';
    expect(() => ask(consent, consent)).toThrow('one consent is good for one rotation');
    expect(ask(consent, '2026-11-20T18:00:00Z jane: the last one')).toBe(consent);
  });

  test('the refusal names the tag that the console can set', () => {
    try {
      ask(null);
      expect.unreachable();
    } catch (caught) {
      expect(caught).toMatchObject({
        code: 'ConsentMissing',
        hint: expect.stringContaining('keyturn:consent'),
      });
    }
  });
});
