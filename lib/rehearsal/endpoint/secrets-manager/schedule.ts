/**
 * Rotation rules and the windows they open. Everything is UTC and begins on the hour (AWS user guide, rotation
 * schedules and schedule expressions).
 */
import { AwsError } from '../wire.ts';
import { type Cron, parseCron } from './cron.ts';
import { bothRuleKinds } from './texts.ts';

/** RotationRules as they were given, plus the days that AWS works out from the expression after a success. */
export interface Rules {
  /** 1-1000. */
  readonly AutomaticallyAfterDays?: number;
  /** Hours with an `h`, for instance `3h`. */
  readonly Duration?: string;
  readonly ScheduleExpression?: string;
}

/** When a scheduled rotation may begin (inclusive) and must have begun (exclusive), milliseconds since the epoch. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

type Plan =
  | { readonly kind: 'days'; readonly every: number; readonly duration: number | null }
  | { readonly kind: 'hours'; readonly every: number; readonly duration: number | null }
  | { readonly kind: 'cron'; readonly cron: Cron; readonly duration: number | null };

const hour = 3_600_000;
const day = 24 * hour;
/** The most frequent rotation (AWS user guide, quotas): every four hours. */
const fewestHours = 4;
/** A day that cron() can name comes again within eight years: 29 February around a century without a leap day. */
const farthest = 8 * 366;

/**
 * Refuses rules that Secrets Manager would refuse. Only the text for two kinds of rules is AWS's own; no source
 * has the others.
 *
 * @throws AwsError InvalidParameterException
 */
export function checkRules(rules: Rules): void {
  if (rules.AutomaticallyAfterDays !== undefined && rules.ScheduleExpression !== undefined)
    throw bothRuleKinds();
  try {
    planOf(rules);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AwsError('InvalidParameterException', `Invalid rotation schedule: ${reason}.`);
  }
}

/**
 * The next window that opens after `now`.
 *
 * @param since when the secret last got a new current value; days and hours count from here (AWS API reference,
 *   RotationRulesType: a manual change counts as a rotation).
 * @returns null when the rules hold no schedule, or a day that never comes.
 */
export function nextWindow(rules: Rules, since: number, now: number): Window | null {
  const plan = planOf(rules);
  if (plan === null) return null;
  if (plan.kind === 'days') {
    const start = Math.max(midnight(since) + plan.every * day, midnight(now) + day);
    return { start, end: start + (plan.duration ?? 24) * hour };
  }
  if (plan.kind === 'hours') {
    const start = Math.max(onTheHour(since) + plan.every * hour, onTheHour(now) + hour);
    return { start, end: start + (plan.duration ?? 1) * hour };
  }
  return nextCronWindow(plan.cron, plan.duration, now);
}

/** The rules with the days that the next window is away (AWS API reference, DescribeSecret: worked out after every success). */
export function withDays(rules: Rules, next: Window | null, now: number): Rules {
  if (next === null) return rules;
  return { ...rules, AutomaticallyAfterDays: Math.max(1, Math.round((next.start - midnight(now)) / day)) };
}

/** True for schedules whose time does not depend on the last rotation. */
export function isFixed(rules: Rules): boolean {
  return rules.ScheduleExpression?.startsWith('cron(') ?? false;
}

function planOf(rules: Rules): Plan | null {
  const duration = durationOf(rules);
  const text = rules.ScheduleExpression;
  if (text === undefined) {
    if (rules.AutomaticallyAfterDays === undefined) return null;
    return checkedDuration({ kind: 'days', every: rules.AutomaticallyAfterDays, duration });
  }
  const cron = /^cron\((.*)\)$/.exec(text);
  if (cron?.[1] !== undefined) return checkedDuration({ kind: 'cron', cron: parseCron(cron[1]), duration });
  const rate = /^rate\((\d+) (hours?|days?)\)$/.exec(text);
  if (rate?.[1] === undefined || rate[2] === undefined) {
    throw new Error(
      `ScheduleExpression must be rate(<number> hours|days) or cron(<six fields>), received ${text}`,
    );
  }
  const every = Number(rate[1]);
  return checkedDuration({ kind: rate[2].startsWith('hour') ? 'hours' : 'days', every, duration });
}

function durationOf(rules: Rules): number | null {
  if (rules.Duration === undefined) return null;
  const hours = /^(\d+)h$/.exec(rules.Duration)?.[1];
  if (hours === undefined || Number(hours) < 1)
    throw new Error(`Duration must be 1h-99h, received ${rules.Duration}`);
  return Number(hours);
}

function checkedDuration(plan: Plan): Plan {
  const duration = plan.duration ?? 1;
  if (plan.kind === 'days') {
    // The user guide names 999 as the most for rate(); AutomaticallyAfterDays takes 1000, and so does CDK.
    if (plan.every < 1 || plan.every > 1000) throw new Error(`days must be 1-1000, received ${plan.every}`);
    if (duration > 24)
      throw new Error(`the window must end before the UTC day does, received ${duration}h from 00:00`);
  } else if (plan.kind === 'hours') {
    if (plan.every < fewestHours) throw new Error(`hours must be 4 or more, received ${plan.every}`);
    if (duration > plan.every)
      throw new Error(`the window must end before the next one opens, received ${duration}h`);
  } else checkCronDuration(plan.cron, duration);
  return plan;
}

function checkCronDuration(cron: Cron, duration: number): void {
  for (const [index, start] of cron.hours.entries()) {
    const following = cron.hours[index + 1];
    const gap = following === undefined ? null : following - start;
    if (gap !== null && gap < fewestHours) throw new Error(`hours must be 4 or more apart, received ${gap}`);
    if (start + duration > 24 || (gap !== null && duration > gap)) {
      throw new Error(
        `the window must end before the next one opens and the UTC day ends, received ${duration}h from ${start}:00`,
      );
    }
  }
}

/** Without a Duration, a window of several a day is open for an hour, a window of one a day until midnight. */
function nextCronWindow(cron: Cron, duration: number | null, now: number): Window | null {
  for (let offset = 0; offset <= farthest; offset += 1) {
    const date = midnight(now) + offset * day;
    if (!cron.matches(date)) continue;
    for (const at of cron.hours) {
      const start = date + at * hour;
      if (start <= now) continue;
      const length = duration ?? (cron.hours.length > 1 ? 1 : 24 - at);
      return { start, end: start + length * hour };
    }
  }
  return null;
}

function midnight(time: number): number {
  return Math.floor(time / day) * day;
}

function onTheHour(time: number): number {
  return Math.floor(time / hour) * hour;
}
