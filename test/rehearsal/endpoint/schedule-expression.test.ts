import { describe, expect, it } from 'vitest';
import { parseSchedule } from '../../../lib/rehearsal/endpoint/schedule-expression.ts';

const table: [expression: string, from: string, next: string | null][] = [
  ['cron(0 8 * * ? *)', '2026-11-21T07:59:59Z', '2026-11-21T08:00:00Z'],
  ['cron(0 8 * * ? *)', '2026-11-21T08:00:00Z', '2026-11-22T08:00:00Z'],
  ['cron(0/15 * * * ? *)', '2026-11-21T08:16:00Z', '2026-11-21T08:30:00Z'],
  ['cron(5,50 9-10 * * ? *)', '2026-11-21T09:50:00Z', '2026-11-21T10:05:00Z'],
  ['cron(0 3 ? * SUN *)', '2026-11-21T00:00:00Z', '2026-11-22T03:00:00Z'],
  ['cron(0 3 ? * MON-FRI *)', '2026-11-21T00:00:00Z', '2026-11-23T03:00:00Z'],
  ['cron(0 0 1 JAN ? *)', '2026-11-21T00:00:00Z', '2027-01-01T00:00:00Z'],
  ['cron(0 0 29 2 ? *)', '2026-11-21T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['cron(0 0 1 1 ? 2026)', '2026-11-21T00:00:00Z', null],
];

describe('the next moment', () => {
  for (const [expression, from, next] of table) {
    it(`of ${expression} after ${from} is ${next}`, () => {
      const schedule = parseSchedule(expression);
      const found = schedule.kind === 'cron' ? schedule.next(Date.parse(from)) : undefined;
      expect(found).toBe(next === null ? null : Date.parse(next));
    });
  }
});

describe('a schedule', () => {
  it('runs at a rate', () => {
    expect(parseSchedule('rate(15 minutes)')).toEqual({ kind: 'rate', milliseconds: 900_000 });
    expect(parseSchedule('rate(1 day)')).toEqual({ kind: 'rate', milliseconds: 86_400_000 });
  });

  const wrong: [expression: string, message: RegExp][] = [
    ['rate(1 minutes)', /a rate is/],
    ['rate(0 minutes)', /a rate is/],
    ['at(2026-11-21T00:00:00)', /neither rate\(\) nor cron\(\)/],
    ['cron(0 8 * * *)', /six fields, received 5/],
    ['cron(0 8 * * * *)', /exactly one of/],
    ['cron(60 8 * * ? *)', /60 must be within 0-59/],
    ['cron(0 8 ? * 2#1 *)', /not rehearsed/],
  ];
  for (const [expression, message] of wrong) {
    it(`is refused as ${expression}`, () => expect(() => parseSchedule(expression)).toThrow(message));
  }
});
