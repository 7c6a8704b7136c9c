/** Rotation schedules: reference section 1.1 (all from the user guide, so [D]). */
import { beforeEach, describe, expect, test } from 'vitest';
import {
  checkRules,
  nextWindow,
  type Rules,
} from '../../../lib/rehearsal/endpoint/secrets-manager/schedule.ts';
import { functionArn, rotationFunction, token, World } from './world.ts';

const at = (text: string) => Date.parse(`${text}Z`);
const shown = (time: number) => new Date(time).toISOString().slice(0, 16);

describe('the next window', () => {
  // 2026-03-04 is a Wednesday.
  const now = '2026-03-04T10:30';
  const rows: [sentence: string, rules: Rules, start: string, end: string][] = [
    [
      'days start at 00:00 UTC and last the day',
      { AutomaticallyAfterDays: 10 },
      '2026-03-14T00:00',
      '2026-03-15T00:00',
    ],
    [
      'rate() of days does the same',
      { ScheduleExpression: 'rate(10 days)' },
      '2026-03-14T00:00',
      '2026-03-15T00:00',
    ],
    [
      'a Duration shortens the day',
      { AutomaticallyAfterDays: 1, Duration: '3h' },
      '2026-03-05T00:00',
      '2026-03-05T03:00',
    ],
    [
      'rate() of hours starts on the hour and lasts one',
      { ScheduleExpression: 'rate(6 hours)' },
      '2026-03-04T16:00',
      '2026-03-04T17:00',
    ],
    [
      'cron() once a day lasts to the end of the UTC day',
      { ScheduleExpression: 'cron(0 8 1 * ? *)' },
      '2026-04-01T08:00',
      '2026-04-02T00:00',
    ],
    [
      'cron() takes a Duration',
      { ScheduleExpression: 'cron(0 11 * * ? *)', Duration: '2h' },
      '2026-03-04T11:00',
      '2026-03-04T13:00',
    ],
    [
      'cron() several times a day lasts an hour',
      { ScheduleExpression: 'cron(0 0/8 * * ? *)' },
      '2026-03-04T16:00',
      '2026-03-04T17:00',
    ],
    [
      'an increment starts anew each day: 02, 12, 22',
      { ScheduleExpression: 'cron(0 2/10 * * ? *)' },
      '2026-03-04T12:00',
      '2026-03-04T13:00',
    ],
    [
      'L is the last day of the month',
      { ScheduleExpression: 'cron(0 1 L * ? *)' },
      '2026-03-31T01:00',
      '2026-04-01T00:00',
    ],
    [
      'DAYL is the last such day of the month',
      { ScheduleExpression: 'cron(0 1 ? * SUNL *)' },
      '2026-03-29T01:00',
      '2026-03-30T00:00',
    ],
    [
      '# is the nth such day of the month',
      { ScheduleExpression: 'cron(0 1 ? * 2#1 *)' },
      '2026-04-06T01:00',
      '2026-04-07T00:00',
    ],
    [
      'names, lists and ranges',
      { ScheduleExpression: 'cron(0 1 ? JAN,JUN-JUL MON-FRI *)' },
      '2026-06-01T01:00',
      '2026-06-02T00:00',
    ],
    [
      'an increment of months',
      { ScheduleExpression: 'cron(0 1 1 1/3 ? *)' },
      '2026-04-01T01:00',
      '2026-04-02T00:00',
    ],
    [
      '29 February is found years ahead',
      { ScheduleExpression: 'cron(0 1 29 2 ? *)' },
      '2028-02-29T01:00',
      '2028-03-01T00:00',
    ],
  ];
  test.each(rows)('%s', (_sentence, rules, start, end) => {
    checkRules(rules);
    const window = nextWindow(rules, at(now), at(now));
    expect(window && [shown(window.start), shown(window.end)]).toEqual([start, end]);
  });

  test('a day that never comes has no window', () => {
    expect(nextWindow({ ScheduleExpression: 'cron(0 1 31 2 ? *)' }, at(now), at(now))).toBeNull();
  });
});

describe('refused schedules', () => {
  const rows: [rules: Rules, reason: RegExp][] = [
    [{ ScheduleExpression: 'rate(3 hours)' }, /4 or more/],
    [{ ScheduleExpression: 'rate(1 minute)' }, /rate\(/],
    [{ ScheduleExpression: 'rate(0 days)' }, /1-1000/],
    [{ ScheduleExpression: 'rate(4 hours)', Duration: '5h' }, /before the next one opens/],
    [{ ScheduleExpression: 'cron(5 8 * * ? *)' }, /minutes of cron\(\) must be 0, received 5/],
    [{ ScheduleExpression: 'cron(0 8 * * ? 2027)' }, /year of cron\(\) must be \*/],
    [{ ScheduleExpression: 'cron(0 8 * * * *)' }, /exactly one/],
    [{ ScheduleExpression: 'cron(0 8 ? * ? *)' }, /exactly one/],
    [{ ScheduleExpression: 'cron(0 8 * * ?)' }, /six fields, received 5/],
    [{ ScheduleExpression: 'cron(0 24 * * ? *)' }, /hours of cron\(\) must be 0-23, received 24/],
    [{ ScheduleExpression: 'cron(0 8,10 * * ? *)' }, /4 or more apart/],
    [{ ScheduleExpression: 'cron(0 22 * * ? *)', Duration: '3h' }, /UTC day ends/],
    [{ ScheduleExpression: 'cron(0 0/6 * * ? *)', Duration: '7h' }, /before the next one opens/],
    [{ AutomaticallyAfterDays: 1, Duration: '25h' }, /UTC day/],
  ];
  test.each(rows)('%j', (rules, reason) => {
    expect(() => checkRules(rules)).toThrow(reason);
    expect(() => checkRules(rules)).toThrow(expect.objectContaining({ code: 'InvalidParameterException' }));
  });
});

describe('scheduled rotations', () => {
  let world: World;
  let name: string;
  beforeEach(async () => {
    world = new World();
    world.handler = rotationFunction(world);
    name = world.name();
    await world.call('CreateSecret', { Name: name, ClientRequestToken: token(), SecretString: 'x' });
  });
  const configure = (RotationRules: { [name: string]: string | number }, RotateImmediately = false) =>
    world.call('RotateSecret', {
      SecretId: name,
      ClientRequestToken: token(),
      RotationLambdaARN: functionArn,
      RotationRules,
      RotateImmediately,
    });
  const rotations = () => world.secrets.runs.filter((run) => run.kind === 'rotation').length;
  const described = () => world.call('DescribeSecret', { SecretId: name });
  const hours = (count: number) => count * 3_600_000;

  test('configuring rotates nothing; the window does, again and again', async () => {
    await configure({ ScheduleExpression: 'cron(0 3 * * ? *)', Duration: '2h' });
    expect((await described()).NextRotationDate).toBe(at('2026-01-01T04:59:59') / 1000);
    await world.clock.advance(hours(3) - 1);
    expect(rotations()).toBe(0);
    await world.clock.advance(1);
    expect(rotations()).toBe(1);
    expect(world.secrets.runs.at(-1)).toMatchObject({ trigger: 'schedule', status: 'succeeded' });
    expect((await described()).NextRotationDate).toBe(at('2026-01-02T04:59:59') / 1000);
    await world.clock.advance(hours(72));
    expect(rotations()).toBe(4);
  });

  test('the place in the window is an option', async () => {
    world.secrets.options.windowFraction = 0.5;
    await configure({ ScheduleExpression: 'cron(0 3 * * ? *)', Duration: '2h' });
    await world.clock.advance(hours(4) - 1);
    expect(rotations()).toBe(0);
    await world.clock.advance(1);
    expect(rotations()).toBe(1);
  });

  test('a manual write counts as a rotation for days, not for cron()', async () => {
    await configure({ AutomaticallyAfterDays: 10 });
    await world.clock.advance(hours(24 * 5));
    await world.call('PutSecretValue', { SecretId: name, ClientRequestToken: token(), SecretString: 'y' });
    expect((await described()).NextRotationDate).toBe(at('2026-01-16T23:59:59') / 1000);
    await world.clock.advance(hours(24 * 10) - 1);
    expect(rotations()).toBe(0);
    await world.clock.advance(1);
    expect(rotations()).toBe(1);
  });

  test('AutomaticallyAfterDays appears after a success although it was never set', async () => {
    await configure({ ScheduleExpression: 'rate(10 days)' }, true);
    expect((await described()).RotationRules).toEqual({ ScheduleExpression: 'rate(10 days)' });
    await world.clock.advance(0);
    expect((await described()).RotationRules).toEqual({
      ScheduleExpression: 'rate(10 days)',
      AutomaticallyAfterDays: 10,
    });
  });

  test('an edited rate() may still fire at its old time, an edited cron() does not', async () => {
    world.secrets.options.editedRateKeepsOldTime = true;
    await configure({ ScheduleExpression: 'rate(2 days)' });
    await world.clock.advance(0);
    await configure({ ScheduleExpression: 'cron(0 3 15 * ? *)' });
    await world.clock.advance(hours(48));
    expect(rotations()).toBe(1);
    await configure({ ScheduleExpression: 'rate(30 days)' });
    await world.clock.advance(hours(24 * 20));
    expect(rotations()).toBe(1);
  });

  test('a restored secret rotates again although its window closed while it was deleted', async () => {
    await configure({ ScheduleExpression: 'cron(0 3 * * ? *)' });
    await world.clock.advance(0);
    await world.call('DeleteSecret', { SecretId: name });
    await world.clock.advance(hours(48));
    await world.call('RestoreSecret', { SecretId: name });
    await world.clock.advance(hours(24));
    expect(rotations()).toBe(1);
  });

  test('a window that opens on a full secret fails with an event and leaves the next one planned', async () => {
    await configure({ ScheduleExpression: 'cron(0 3 * * ? *)' });
    await world.clock.advance(0);
    const write = () =>
      world.call('PutSecretValue', { SecretId: name, ClientRequestToken: token(), SecretString: 'y' });
    for (let count = 1; count < 100; count += 1) await write();
    await world.clock.advance(hours(3));
    expect(world.eventNames.at(-1)).toBe('RotationFailed');
    expect(rotations()).toBe(0);
    await world.clock.advance(hours(24));
    expect(rotations()).toBe(1);
  });

  test('CancelRotateSecret and DeleteSecret close the calendar, RestoreSecret opens it again', async () => {
    await configure({ AutomaticallyAfterDays: 1 });
    await world.clock.advance(0);
    await world.call('DeleteSecret', { SecretId: name });
    await world.clock.advance(hours(12));
    await world.call('RestoreSecret', { SecretId: name });
    await world.clock.advance(hours(12));
    expect(rotations()).toBe(1);
    await world.call('CancelRotateSecret', { SecretId: name });
    expect(await described()).not.toHaveProperty('NextRotationDate');
    await world.clock.advance(hours(100));
    expect(rotations()).toBe(1);
  });
});
