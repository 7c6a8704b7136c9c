import { describe, expect, test } from 'vitest';
import type { SecretDescription } from '../../../lambdas/contract/ports.ts';
import { consentFor, needsConsent } from '../../../lambdas/rotation/consent.ts';

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
    { consent: null, sentence: 'nobody has consented' },
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

describe('who needs consent', () => {
  const cutover = { admission: 'free', breaks: () => 'every session ends at once' } as const;
  const guarded = { admission: 'guarded', breaks: () => 'every hash becomes invalid' } as const;
  const window = { cron: 'cron(0 12 ? * SAT *)', hours: 2 };

  test.each([
    ['a guarded class, always', guarded, null, 'every hash becomes invalid'],
    ['a class without a window to keep, never', cutover, null, null],
    ['a class inside its window, not', cutover, window, null],
    [
      'a class outside its window, with both reasons',
      cutover,
      { cron: 'cron(0 3 ? * SAT *)', hours: 2 },
      'every session ends at once, and this is outside its maintenance window cron(0 3 ? * SAT *) of 2 h',
    ],
  ])('%s', (_what, secretClass, kept, reason) => {
    expect(needsConsent(secretClass, { window: kept }, now)).toBe(reason);
  });
});
