import { describe, expect, test } from 'vitest';
import { checkSchedule, isInWindow } from '../../../lambdas/contract/schedule.ts';

describe('schedules that Secrets Manager takes', () => {
  test.each([
    ['cron(0 3 1 * ? *)', '2h', 2],
    ['cron(0 3 ? * SUN *)', '21h', 21],
    ['cron(0 0 ? * MON-FRI *)', '24h', 24],
    ['cron(0 8,16 * * ? *)', '8h', 8],
    ['cron(0 /4 * * ? *)', '4h', 4],
    ['cron(0 2/10 * * ? *)', '2h', 2],
    ['cron(0 0 L * ? *)', '1h', 1],
    ['cron(0 6 ? JAN,JUL 2#1 *)', '3h', 3],
    ['cron(0 6 ? * FRIL *)', '3h', 3],
  ])('%s with a window of %s', (cron, window, hours) => {
    expect(checkSchedule(cron, window)).toEqual({ ok: true, value: { cron, hours } });
  });
});

describe('schedules that are refused before anything is deployed', () => {
  test.each([
    ['rate(30 days)', '2h', 'cron must be a cron() expression of six fields; received "rate(30 days)"'],
    ['cron(0 3 1 * ?)', '2h', 'cron must be a cron() expression of six fields; received "cron(0 3 1 * ?)"'],
    ['0 3 1 * ? *', '2h', 'cron must be a cron() expression of six fields; received "0 3 1 * ? *"'],
    ['cron(30 3 1 * ? *)', '2h', 'cron must have 0 in its field minutes; received "30"'],
    ['cron(0 3 1 * ? 2027)', '2h', 'cron must have * in its field year; received "2027"'],
    ['cron(0 24 1 * ? *)', '1h', 'cron has a field hours that cannot be read; received "24"'],
    ['cron(0 3 32 * ? *)', '1h', 'cron has a field day of month that cannot be read; received "32"'],
    ['cron(0 3 1 13 ? *)', '1h', 'cron has a field month that cannot be read; received "13"'],
    ['cron(0 3 ? * FUN *)', '1h', 'cron has a field day of week that cannot be read; received "FUN"'],
    ['cron(0 3 * * * *)', '1h', 'cron must have ? in exactly one of its fields day of month and day of week'],
    ['cron(0 3 ? * ? *)', '1h', 'cron must have ? in exactly one of its fields day of month and day of week'],
    ['cron(0 23 1 * ? *)', '2h', 'window must end by midnight UTC; it starts at 23:00 and lasts 2h'],
    ['cron(0 8,20 1 * ? *)', '5h', 'window must end by midnight UTC; it starts at 20:00 and lasts 5h'],
    [
      'cron(0 8,10 1 * ? *)',
      '1h',
      'cron must leave at least 4 hours between two windows; received "8,10" in its field hours',
    ],
    [
      'cron(0 1,22 * * ? *)',
      '1h',
      'cron must leave at least 4 hours between two windows; received "1,22" in its field hours',
    ],
    ['cron(0 8,13 1 * ? *)', '6h', 'window must end before the next one starts; it lasts 6h'],
    ['cron(0 3 1 * ? *)', '90m', 'window must be a number of hours from 1h to 24h; received "90m"'],
    ['cron(0 3 1 * ? *)', '0h', 'window must be a number of hours from 1h to 24h; received "0h"'],
    ['cron(0 3 1 * ? *)', '25h', 'window must be a number of hours from 1h to 24h; received "25h"'],
  ])('%s with a window of %s', (cron, window, broken) => {
    expect(checkSchedule(cron, window)).toEqual({ ok: false, broken });
  });
});

describe('whether a moment lies in a window', () => {
  test.each([
    // 2026-11-22 is a Sunday, the fourth of its month; 2026-11-30 a Monday and the month's last day.
    ['cron(0 3 ? * SUN *)', 2, '2026-11-22T03:00:00Z', true],
    ['cron(0 3 ? * SUN *)', 2, '2026-11-22T04:59:59Z', true],
    ['cron(0 3 ? * SUN *)', 2, '2026-11-22T05:00:00Z', false],
    ['cron(0 3 ? * SUN *)', 2, '2026-11-22T02:59:59Z', false],
    ['cron(0 3 ? * SUN *)', 2, '2026-11-23T03:30:00Z', false],
    ['cron(0 2 1 * ? *)', 3, '2026-12-01T04:00:00Z', true],
    ['cron(0 2 1 * ? *)', 3, '2026-12-02T04:00:00Z', false],
    ['cron(0 0 L * ? *)', 24, '2026-11-30T23:59:59Z', true],
    ['cron(0 0 L * ? *)', 24, '2026-11-29T12:00:00Z', false],
    ['cron(0 8/8 * * ? *)', 2, '2026-11-22T17:00:00Z', true],
    ['cron(0 8/8 * * ? *)', 2, '2026-11-22T12:00:00Z', false],
    ['cron(0 /6 * * ? *)', 1, '2026-11-22T18:30:00Z', true],
    ['cron(0 6 ? JAN,JUL 2#1 *)', 3, '2026-07-06T07:00:00Z', true],
    ['cron(0 6 ? JAN,JUL 2#1 *)', 3, '2026-07-13T07:00:00Z', false],
    ['cron(0 6 ? * 6L *)', 3, '2026-11-27T07:00:00Z', true],
    ['cron(0 6 ? * 6L *)', 3, '2026-11-20T07:00:00Z', false],
    ['cron(0 6 ? * MON-FRI *)', 3, '2026-11-23T07:00:00Z', true],
    ['cron(0 6 ? * MON-FRI *)', 3, '2026-11-22T07:00:00Z', false],
    ['cron(0 6 ? 3-5 MON *)', 3, '2026-11-23T07:00:00Z', false],
  ])('%s of %i h, at %s: %s', (cron, hours, moment, expected) => {
    expect(isInWindow({ cron, hours }, new Date(moment))).toBe(expected);
  });
});
