/**
 * When a rule or a schedule runs: rate() and cron(), in UTC.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
 */

export type ScheduleExpression =
  | { readonly kind: 'rate'; readonly milliseconds: number }
  /** `next`: the first moment after `time` (both in milliseconds since the epoch); null: none within four years. */
  | { readonly kind: 'cron'; readonly next: (time: number) => number | null };

const units: Readonly<Record<string, number>> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const months = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const weekDays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** A leap day is the rarest date. */
const horizonDays = 4 * 366;

/** @throws Error that holds the expression and the rule that it breaks */
export function parseSchedule(expression: string): ScheduleExpression {
  const [, count, unit = '', plural] = /^rate\((\d+) (minute|hour|day)(s?)\)$/.exec(expression) ?? [];
  if (count !== undefined) {
    if (Number(count) < 1 || (Number(count) === 1) !== (plural === '')) {
      throw new Error(`${expression}: a rate is "1 minute" or "2 minutes" and more`);
    }
    return { kind: 'rate', milliseconds: Number(count) * (units[unit] ?? 0) };
  }
  const fields = /^cron\((.+)\)$/.exec(expression)?.[1]?.trim().split(/\s+/);
  if (fields === undefined) throw new Error(`${expression} is neither rate() nor cron()`);
  if (fields.length !== 6)
    throw new Error(`${expression}: cron() takes six fields, received ${fields.length}`);
  return { kind: 'cron', next: cronSearch(fields, expression) };
}

function cronSearch(fields: readonly string[], expression: string): (time: number) => number | null {
  const [minute = '', hour = '', monthDay = '', month = '', weekDay = '', year = ''] = fields;
  if ((monthDay === '?') === (weekDay === '?')) {
    throw new Error(`${expression}: exactly one of day-of-month and day-of-week is ?`);
  }
  const numbers = (field: string, from: number, to: number, names: readonly string[] = [], first = 0) =>
    fieldValues(field, from, to, names, first, expression);
  const minutes = numbers(minute, 0, 59);
  const hours = numbers(hour, 0, 23);
  const inMonth = new Set(numbers(month, 1, 12, months, 1));
  const inYear = new Set(numbers(year, 1970, 2199));
  const onMonthDay = monthDay === '?' ? null : new Set(numbers(monthDay, 1, 31));
  const onWeekDay = weekDay === '?' ? null : new Set(numbers(weekDay, 1, 7, weekDays, 1));
  const onDay = (date: Date) =>
    inYear.has(date.getUTCFullYear()) &&
    inMonth.has(date.getUTCMonth() + 1) &&
    (onMonthDay?.has(date.getUTCDate()) ?? true) &&
    (onWeekDay?.has(date.getUTCDay() + 1) ?? true);

  return (time) => {
    const today = Math.floor(time / 86_400_000) * 86_400_000;
    for (let days = 0; days < horizonDays; days += 1) {
      const day = today + days * 86_400_000;
      if (!onDay(new Date(day))) continue;
      for (const h of hours) {
        const found = minutes.map((m) => day + h * 3_600_000 + m * 60_000).find((moment) => moment > time);
        if (found !== undefined) return found;
      }
    }
    return null;
  };
}

/** `*`, `5`, `1-5`, `1,15`, `0/15`, `MON-FRI`; L, W and # are not rehearsed. */
function fieldValues(
  field: string,
  from: number,
  to: number,
  names: readonly string[],
  firstName: number,
  expression: string,
): number[] {
  const one = (text: string): number => {
    const named = names.indexOf(text.toUpperCase());
    const value = named >= 0 ? named + firstName : Number(text);
    if (text === '' || !Number.isInteger(value) || value < from || value > to) {
      throw new Error(`${expression}: ${field} must be within ${from}-${to}; L, W and # are not rehearsed`);
    }
    return value;
  };
  const values = field.split(',').flatMap((part) => {
    const [range = '', step] = part.split('/');
    const [low = '', high] = range === '*' ? [String(from), String(to)] : range.split('-');
    const start = one(low);
    const end = high === undefined ? (step === undefined ? start : to) : one(high);
    const stride = step === undefined ? 1 : Number(step);
    if (!(stride >= 1)) throw new Error(`${expression}: a step is 1 or more, received ${String(step)}`);
    return Array.from({ length: Math.floor((end - start) / stride) + 1 }, (_, n) => start + n * stride);
  });
  return [...new Set(values)].sort((a, b) => a - b);
}
