/**
 * Rotation schedules, as Secrets Manager takes them (user guide, "Schedule expressions"). CloudFormation
 * checks none of this, so a wrong expression would only be refused in the middle of a deploy.
 *
 * Only `cron()`: an edited `rate()` may still fire at the old time, and every write of ours would shift it.
 */

export interface Window {
  /** `cron(0 3 1 * ? *)`. All times are UTC. */
  readonly cron: string;
  /** Hours from the start of the window, 1–24. */
  readonly hours: number;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly broken: string };

const dayNames = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const monthNames = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];

interface FieldRule {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly names: readonly string[];
  /** What else may stand there, apart from numbers, names, lists, ranges and steps. */
  readonly special: RegExp;
}

const hourRule: FieldRule = { name: 'hours', minimum: 0, maximum: 23, names: [], special: /^\*$/ };
const dayRule: FieldRule = {
  name: 'day of month',
  minimum: 1,
  maximum: 31,
  names: [],
  special: /^(\*|\?|L)$/,
};
const monthRule: FieldRule = { name: 'month', minimum: 1, maximum: 12, names: monthNames, special: /^\*$/ };
const weekdayRule: FieldRule = {
  name: 'day of week',
  minimum: 1,
  maximum: 7,
  names: dayNames,
  special: /^(\*|\?|L|([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5]))$/,
};

/**
 * Checks a schedule and its window. The window must end on the UTC day on which it starts.
 *
 * @param cron six fields: `cron(minutes hours day-of-month month day-of-week year)`.
 * @param window `1h` to `24h`.
 */
export function checkSchedule(cron: string, window: string): Checked<Window> {
  const hours = Number(/^([1-9][0-9]?)h$/.exec(window)?.[1]);
  if (Number.isNaN(hours) || hours > 24) {
    return broken(`window must be a number of hours from 1h to 24h; received "${window}"`);
  }
  const fields = /^cron\(([^()]*)\)$/.exec(cron)?.[1]?.trim().split(/\s+/);
  if (fields === undefined || fields.length !== 6) {
    return broken(`cron must be a cron() expression of six fields; received "${cron}"`);
  }
  const [minutes = '', hour = '', day = '', month = '', weekday = '', year = ''] = fields;
  if (minutes !== '0') return broken(`cron must have 0 in its field minutes; received "${minutes}"`);
  if (year !== '*') return broken(`cron must have * in its field year; received "${year}"`);
  for (const [text, rule] of [
    [hour, hourRule],
    [day, dayRule],
    [month, monthRule],
    [weekday, weekdayRule],
  ] as const) {
    if (!fieldFits(text, rule))
      return broken(`cron has a field ${rule.name} that cannot be read; received "${text}"`);
  }
  if ((day === '?') === (weekday === '?')) {
    return broken('cron must have ? in exactly one of its fields day of month and day of week');
  }
  return checkWindow(cron, hour, hours, window);
}

/**
 * Whether a moment lies in one of a schedule's windows.
 *
 * @param window one that `checkSchedule` has let through.
 */
export function isInWindow({ cron, hours }: Window, moment: Date): boolean {
  const [, hour = '', day = '', month = '', weekday = ''] = cron
    .slice('cron('.length, -1)
    .trim()
    .split(/\s+/);
  if (!matches(month, monthRule, moment.getUTCMonth() + 1)) return false;
  if (!dayMatches(day, moment) || !weekdayMatches(weekday, moment)) return false;
  // Windows end by midnight, so the one that holds the moment began on its day.
  const now = moment.getUTCHours();
  return hoursOf(hour).some((start) => start <= now && now < start + hours);
}

/** `L` is the last day of the month. */
function dayMatches(field: string, moment: Date): boolean {
  const last = new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + 1, 0)).getUTCDate();
  const day = moment.getUTCDate();
  return field.split(',').some((part) => (part === 'L' ? day === last : matches(part, dayRule, day)));
}

/** `L` alone is Saturday, `6L` the last Friday of the month, `2#1` its first Monday. */
function weekdayMatches(field: string, moment: Date): boolean {
  const day = moment.getUTCDay() + 1;
  const date = moment.getUTCDate();
  const last = new Date(Date.UTC(moment.getUTCFullYear(), moment.getUTCMonth() + 1, 0)).getUTCDate();
  return field.split(',').some((part) => {
    if (part === 'L') return day === 7;
    const nth = /^(\w+)(L|#([1-5]))$/.exec(part);
    if (nth === null) return matches(part, weekdayRule, day);
    if (numberOf(nth[1] ?? '', weekdayRule) !== day) return false;
    return nth[2] === 'L' ? date + 7 > last : Math.ceil(date / 7) === Number(nth[3]);
  });
}

/** Lists, ranges, names and steps of one field. */
function matches(field: string, rule: FieldRule, value: number): boolean {
  return field.split(',').some((part) => {
    const [range = '', step] = part.split('/');
    if (range === '?' || (range === '*' && step === undefined)) return true;
    const [from = rule.minimum, to] =
      range === '*' || range === ''
        ? [rule.minimum, rule.maximum]
        : range.split('-').map((end) => numberOf(end, rule));
    const until = to ?? (step === undefined ? from : rule.maximum);
    return value >= from && value <= until && (value - from) % Number(step ?? 1) === 0;
  });
}

function checkWindow(cron: string, hour: string, hours: number, window: string): Checked<Window> {
  const starts = hoursOf(hour);
  const latest = Math.max(...starts);
  if (latest + hours > 24) {
    return broken(`window must end by midnight UTC; it starts at ${latest}:00 and lasts ${window}`);
  }
  const gaps = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
  // From the last window of a day to the first of the next.
  if (gaps.length > 0) gaps.push((starts[0] ?? 0) + 24 - latest);
  if (gaps.some((gap) => gap < 4)) {
    return broken(
      `cron must leave at least 4 hours between two windows; received "${hour}" in its field hours`,
    );
  }
  if (gaps.some((gap) => gap < hours)) {
    return broken(`window must end before the next one starts; it lasts ${window}`);
  }
  return { ok: true, value: { cron, hours } };
}

function broken<T>(sentence: string): Checked<T> {
  return { ok: false, broken: sentence };
}

function fieldFits(text: string, rule: FieldRule): boolean {
  return text.split(',').every((part) => rule.special.test(part) || partFits(part, rule));
}

/** A number, a name, a range of them, or one of these (or `*`) with a step. */
function partFits(part: string, rule: FieldRule): boolean {
  const [range = '', step, ...rest] = part.split('/');
  // `/4` is short for `0/4` (user guide, "Schedule expressions").
  if (range === '' && step !== undefined && rest.length === 0)
    return partFits(`${rule.minimum}/${step}`, rule);
  if (rest.length > 0 || (step !== undefined && !/^[1-9][0-9]*$/.test(step))) return false;
  if (range === '*') return true;
  const ends = range.split('-').map((end) => numberOf(end, rule));
  const [from, to = from] = ends;
  return ends.length <= 2 && from !== undefined && to !== undefined && from <= to;
}

function numberOf(text: string, rule: FieldRule): number | undefined {
  const named = rule.names.indexOf(text.toUpperCase());
  if (named >= 0) return named + rule.minimum;
  if (!/^[0-9]+$/.test(text)) return undefined;
  const number = Number(text);
  return number >= rule.minimum && number <= rule.maximum ? number : undefined;
}

/** The hours at which windows start, ascending. An hour increment starts again each day. */
function hoursOf(field: string): number[] {
  const hours = new Set<number>();
  for (const part of field.split(',')) {
    const [range = '', step] = part.split('/');
    const [first, last] = range === '*' || range === '' ? ['0', '23'] : range.split('-');
    const from = Number(first);
    const to = last === undefined ? (step === undefined ? from : 23) : Number(last);
    for (let hour = from; hour <= to; hour += Number(step ?? 1)) hours.add(hour);
  }
  return [...hours].sort((a, b) => a - b);
}
