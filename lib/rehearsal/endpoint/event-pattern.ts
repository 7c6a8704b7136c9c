/**
 * EventBridge's event patterns.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 */

import { glob } from './glob.ts';
import { isList, isObject, listOf } from './json-shape.ts';
import type { Json, JsonObject } from './wire.ts';

/** Longer patterns need a raised quota. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html */
const patternLimit = 2048;

/**
 * @throws Error for a pattern that EventBridge refuses, or that holds an operator not known here: a rule that
 * silently never matched would be the worst of both.
 */
export function checkPattern(pattern: JsonObject, where: string): void {
  if (JSON.stringify(pattern).length > patternLimit) {
    throw new Error(`${where}: an event pattern has at most ${patternLimit} characters`);
  }
  for (const [name, rule] of Object.entries(pattern)) {
    const at = `${where}, ${name}`;
    if (name === '$or') {
      for (const alternative of listOf(rule)) if (isObject(alternative)) checkPattern(alternative, at);
    } else if (isObject(rule)) checkPattern(rule, at);
    else if (isList(rule) && rule.length > 0) for (const matcher of rule) checkMatcher(matcher, at);
    else throw new Error(`${at}: a pattern holds objects and arrays that are not empty`);
  }
}

/** True when every field of the pattern accepts the event; fields that the pattern does not name do not matter. */
export function matchesPattern(pattern: JsonObject, event: Json | undefined): boolean {
  // An array of objects matches when one of them does.
  if (isList(event)) return event.some((one) => matchesPattern(pattern, one));
  return Object.entries(pattern).every(([name, rule]) => {
    if (name === '$or') return listOf(rule).some((one) => isObject(one) && matchesPattern(one, event));
    const value = isObject(event) ? event[name] : undefined;
    return isObject(rule)
      ? matchesPattern(rule, value)
      : listOf(rule).some((matcher) => accepts(matcher, value));
  });
}

function accepts(matcher: Json, value: Json | undefined): boolean {
  if (isObject(matcher) && 'exists' in matcher) {
    // `exists` works on leaf nodes only.
    return matcher.exists === (value !== undefined && !isObject(value));
  }
  if (value === undefined) return false;
  return listOf(value).some((one) => {
    if (!isObject(matcher)) return one === matcher;
    return Object.entries(matcher).every(([name, wanted]) => operators[name]?.(one, wanted) ?? false);
  });
}

type Operator = (value: Json, wanted: Json) => boolean;

const affix =
  (matches: (value: string, wanted: string) => boolean): Operator =>
  (value, wanted) => {
    if (typeof value !== 'string') return false;
    const insensitive = isObject(wanted) ? wanted['equals-ignore-case'] : undefined;
    if (typeof insensitive === 'string') return matches(value.toLowerCase(), insensitive.toLowerCase());
    return typeof wanted === 'string' && matches(value, wanted);
  };

const comparisons: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

const operators: Readonly<Record<string, Operator>> = {
  prefix: affix((value, wanted) => value.startsWith(wanted)),
  suffix: affix((value, wanted) => value.endsWith(wanted)),
  'equals-ignore-case': affix((value, wanted) => value.toLowerCase() === wanted.toLowerCase()),
  wildcard: (value, wanted) =>
    typeof value === 'string' && typeof wanted === 'string' && glob(escapeQuestion(wanted)).test(value),
  'anything-but': (value, wanted) => !listOf(wanted).some((one) => accepts(one, value)),
  numeric: (value, wanted) =>
    typeof value === 'number' &&
    pairs(listOf(wanted)).every(
      ([name, bound]) => typeof bound === 'number' && (comparisons[String(name)]?.(value, bound) ?? false),
    ),
};

function checkMatcher(matcher: Json, at: string): void {
  if (isList(matcher)) throw new Error(`${at}: an array within an array is no matcher`);
  if (!isObject(matcher)) return;
  for (const [name, wanted] of Object.entries(matcher)) {
    if (name !== 'exists' && operators[name] === undefined)
      throw new Error(`${at}: unknown operator ${name}`);
    if (name === 'anything-but') for (const one of listOf(wanted)) checkMatcher(one, at);
    if (name === 'numeric') {
      const unknown = pairs(listOf(wanted)).find(
        ([comparison]) => comparisons[String(comparison)] === undefined,
      );
      if (unknown !== undefined) throw new Error(`${at}: unknown comparison ${String(unknown[0])}`);
    }
  }
}

const pairs = (list: readonly Json[]): [Json | undefined, Json | undefined][] =>
  list.flatMap((one, index) => (index % 2 === 0 ? [[one, list[index + 1]] as [Json, Json | undefined]] : []));

/** EventBridge's wildcard knows `*` only. */
const escapeQuestion = (pattern: string): string => pattern.replaceAll('?', '\\?');
