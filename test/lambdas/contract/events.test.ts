import { describe, expect, test } from 'vitest';
import {
  type EventDetail,
  eventTypes,
  flawOf,
  keyturnEvent,
  typesToTell,
} from '../../../lambdas/contract/events.ts';

const detail: EventDetail = {
  schema: 1,
  deployment: 'shop',
  platform: 'exo',
  secret: 'JWT_SECRET',
  secretId: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/jwt-AbCdEf',
  versionId: '11111111-2222-3333-4444-555555555555',
  previousVersionId: null,
  class: 'signing-key-cutover',
  plan: 'redeploy-and-prove',
  publishedAt: null,
  at: 'create',
};
const told = {
  code: 'AwsDenied',
  reason: 'Refused.',
  works: 'All of it.',
  next: 'npx keyturn status JWT_SECRET',
};

describe('the texts of an event', () => {
  test.each([
    ['quotation marks', 'must be one of a, b; received "c".', "must be one of a, b; received 'c'."],
    ['a second line', 'First.\r\n\tSecond.\u0000', 'First. Second.'],
    ['backslashes', 'C:\\secrets', 'C:/secrets'],
    ['what looks like a variable of a template', 'see <aws.events.event>', 'see (aws.events.event)'],
    ['nothing but space', ' \n', 'not said'],
  ])('lose %s', (_what, reason, plain) => {
    const event = keyturnEvent('Rotation Failed', { ...detail, ...told, reason });
    expect(event.detail.reason).toBe(plain);
    expect(flawOf(event)).toBeNull();
  });

  test('end where a reader’s patience does', () => {
    const event = keyturnEvent('Rotation Failed', { ...detail, ...told, reason: 'a'.repeat(901) });
    expect(event.detail.reason).toBe(`${'a'.repeat(899)}…`);
  });

  test.each(['say "no"', 'two\nlines', 'a\\b', '<reason>', ''])('%j does not fit the schema', (reason) => {
    expect(flawOf({ type: 'Rotation Failed', detail: { ...detail, ...told, reason } })).toBe('reason');
  });
});

describe('the table of events', () => {
  test('says for each type which optional members it has: neither fewer nor more', () => {
    expect(flawOf({ type: 'Rotation Finished', detail })).toBeNull();
    expect(flawOf({ type: 'Rotation Finished', detail: { ...detail, reason: 'Done.' } })).toBe('reason');
    const { next: _next, ...without } = told;
    expect(flawOf({ type: 'Rollout Stalled', detail: { ...detail, ...without } })).toBe('next');
  });

  test('gives every failure what a person needs: why, what still works, how to go on', () => {
    for (const type of typesToTell('failure')) {
      expect([type, ...eventTypes[type].has]).toEqual([type, 'code', 'reason', 'works', 'next']);
    }
    expect(typesToTell('failure')).toEqual(
      expect.arrayContaining(['Rotation Failed', 'Rollout Rolled Back', 'Rollout Stalled']),
    );
    expect(typesToTell('success')).toEqual(expect.arrayContaining(['Rollout Completed']));
  });
});
