/**
 * The cron() expressions of rotation schedules: six fields, UTC (AWS user guide, schedule expressions in
 * Secrets Manager rotation). Minutes are always 0 and the year is always `*`.
 */

export interface Cron {
  /** Ascending. */
  readonly hours: readonly number[];
  /** True when the schedule has this day. `time` is midnight UTC. */
  matches(time: number): boolean;
}

const day = 86_400_000;
const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** @throws Error with one sentence that names the field, the rule and what was received. */
export function parseCron(text: string): Cron {
  const fields = text.trim().split(/\s+/);
  const [minutes = '', hourField = '', monthDay = '', monthField = '', weekDay = '', year = ''] = fields;
  if (fields.length !== 6) throw new Error(`cron() takes six fields, received ${fields.length}`);
  if (minutes !== '0') throw new Error(`the minutes of cron() must be 0, received ${minutes}`);
  if (year !== '*') throw new Error(`the year of cron() must be *, received ${year}`);
  if ((monthDay === '?') === (weekDay === '?')) {
    throw new Error(
      `exactly one of day-of-month and day-of-week must be ?, received ${monthDay} and ${weekDay}`,
    );
  }
  const hours = [...numbers(hourField, 'hours', 0, 23, [])].sort((a, b) => a - b);
  const months = numbers(monthField, 'month', 1, 12, monthNames);
  const onDay = monthDay === '?' ? weekDays(weekDay) : monthDays(monthDay);
  return {
    hours,
    matches: (time) => months.has(new Date(time).getUTCMonth() + 1) && onDay(new Date(time)),
  };
}

function monthDays(field: string): (date: Date) => boolean {
  if (field === 'L') return (date) => new Date(date.getTime() + day).getUTCDate() === 1;
  const days = numbers(field, 'day-of-month', 1, 31, []);
  return (date) => days.has(date.getUTCDate());
}

/** Days of the week count from 1 (Sunday). `FRIL` is the last Friday of the month, `2#1` its first Monday. */
function weekDays(field: string): (date: Date) => boolean {
  const last = /^(\w+?)L$/.exec(field);
  if (last?.[1] !== undefined) {
    const wanted = single(last[1], 'day-of-week', 1, 7, dayNames);
    return (date) =>
      date.getUTCDay() + 1 === wanted &&
      new Date(date.getTime() + 7 * day).getUTCMonth() !== date.getUTCMonth();
  }
  const nth = /^(\w+)#(\d)$/.exec(field);
  if (nth?.[1] !== undefined && nth[2] !== undefined) {
    const wanted = single(nth[1], 'day-of-week', 1, 7, dayNames);
    const which = single(nth[2], 'day-of-week', 1, 5, []);
    return (date) => date.getUTCDay() + 1 === wanted && Math.ceil(date.getUTCDate() / 7) === which;
  }
  const days = field === 'L' ? new Set([7]) : numbers(field, 'day-of-week', 1, 7, dayNames);
  return (date) => days.has(date.getUTCDay() + 1);
}

/** The numbers of a list of values, ranges and increments. An increment runs to the field's end and starts anew. */
function numbers(
  field: string,
  name: string,
  least: number,
  most: number,
  names: readonly string[],
): Set<number> {
  const found = new Set<number>();
  for (const part of field.split(',')) {
    const [span = '', step] = part.split('/');
    const [from = '', to] = span.split('-');
    const start = from === '*' ? least : single(from, name, least, most, names);
    let end = start;
    if (to !== undefined) end = single(to, name, least, most, names);
    else if (from === '*' || step !== undefined) end = most;
    const by = step === undefined ? 1 : single(step, name, 1, most, []);
    for (let value = start; value <= end; value += by) found.add(value);
  }
  if (found.size === 0) throw new Error(`the ${name} of cron() name nothing, received ${field}`);
  return found;
}

function single(text: string, name: string, least: number, most: number, names: readonly string[]): number {
  const named = names.indexOf(text.toUpperCase());
  const value = named >= 0 ? named + least : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new Error(`the ${name} of cron() must be ${least}-${most}, received ${text}`);
  }
  return value;
}
