/**
 * CloudFormation's intrinsic functions.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
 */

import { isList, isObject, listOf, object, text } from './json-shape.ts';
import type { Json } from './wire.ts';
import { account, region } from './wire.ts';

/** What names in a template stand for. Each throws an Error for a name that it does not know. */
export interface Scope {
  /** Of a parameter or a resource that exists already. */
  ref(name: string): Json;
  attribute(name: string, attribute: string): Json;
  condition(name: string): boolean;
  mapping(name: string, key: string, second: string): Json;
  /** The value that another stack exports. */
  imported(exportName: string): Json;
}

/** Stands for AWS::NoValue: whatever holds it is left out. */
const noValue = Symbol('AWS::NoValue');

export const pseudoParameters = (stackName: string): Readonly<Record<string, Json>> => ({
  'AWS::AccountId': account,
  'AWS::Region': region,
  'AWS::Partition': 'aws',
  'AWS::URLSuffix': 'amazonaws.com',
  'AWS::StackName': stackName,
  'AWS::StackId': `arn:aws:cloudformation:${region}:${account}:stack/${stackName}/rehearsal`,
  'AWS::NotificationARNs': [],
});

/**
 * The value with every function replaced by its result.
 * @throws Error for a function that is not known, or used wrongly
 */
export function resolve(value: Json, scope: Scope): Json {
  const resolved = evaluate(value, scope);
  return typeof resolved === 'symbol' ? null : resolved;
}

function evaluate(value: Json, scope: Scope): Json | typeof noValue {
  if (isList(value)) {
    return value.map((one) => evaluate(one, scope)).filter((one): one is Json => one !== noValue);
  }
  if (!isObject(value)) {
    if (typeof value === 'string' && value.includes('{{resolve:')) {
      throw new Error('the rehearsal has no dynamic references ({{resolve:…}})');
    }
    return value;
  }
  const [name, argument] = Object.entries(value)[0] ?? ['', null];
  if (Object.keys(value).length === 1 && (name === 'Ref' || name.startsWith('Fn::'))) {
    const intrinsic = intrinsics[name];
    if (intrinsic === undefined) throw new Error(`the rehearsal does not know ${name}`);
    return intrinsic(argument, scope);
  }
  const entries = Object.entries(value).map(([key, member]) => [key, evaluate(member, scope)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, Json] => entry[1] !== noValue));
}

type Intrinsic = (argument: Json, scope: Scope) => Json | typeof noValue;

const intrinsics: Readonly<Record<string, Intrinsic>> = {
  Ref: (argument, scope) => (argument === 'AWS::NoValue' ? noValue : scope.ref(String(argument))),
  'Fn::GetAtt': (argument, scope) => {
    const [name = '', attribute = ''] = attributePath(argument);
    return scope.attribute(name, attribute);
  },
  'Fn::Sub': (argument, scope) => {
    const [template, values] = isList(argument) ? argument : [argument, {}];
    const own = object(resolve(values ?? {}, scope));
    return substitute(text(template) ?? '', (name) => {
      const given = own[name];
      if (given !== undefined) return given;
      const [first, attribute] = attributePath(name);
      return attribute === undefined ? scope.ref(name) : scope.attribute(first ?? '', attribute);
    });
  },
  'Fn::Join': (argument, scope) => {
    const [separator, parts] = listOf(argument);
    return listOf(resolve(parts ?? [], scope))
      .map(String)
      .join(String(separator ?? ''));
  },
  'Fn::Select': (argument, scope) => {
    const [index, from] = listOf(argument);
    const chosen = listOf(resolve(from ?? [], scope))[Number(resolve(index ?? 0, scope))];
    if (chosen === undefined) throw new Error(`Fn::Select: there is no element ${String(index)}`);
    return chosen;
  },
  'Fn::Split': (argument, scope) => {
    const [separator, source] = listOf(argument);
    return String(resolve(source ?? '', scope)).split(String(separator));
  },
  'Fn::If': (argument, scope) => {
    const [name, then, otherwise] = listOf(argument);
    return evaluate((scope.condition(String(name)) ? then : otherwise) ?? null, scope);
  },
  'Fn::FindInMap': (argument, scope) => {
    const [name = '', key = '', second = ''] = listOf(argument).map((one) => String(resolve(one, scope)));
    return scope.mapping(name, key, second);
  },
  'Fn::Base64': (argument, scope) => Buffer.from(String(resolve(argument, scope))).toString('base64'),
  'Fn::ImportValue': (argument, scope) => scope.imported(String(resolve(argument, scope))),
};

/** Conditions: Fn::Equals, And, Or, Not, and references to other conditions. */
export function resolveCondition(value: Json, scope: Scope): boolean {
  const [name, argument] = Object.entries(object(value))[0] ?? ['', null];
  const parts = listOf(argument);
  switch (name) {
    case 'Condition':
      return scope.condition(String(argument));
    case 'Fn::Equals':
      return (
        JSON.stringify(resolve(parts[0] ?? null, scope)) === JSON.stringify(resolve(parts[1] ?? null, scope))
      );
    case 'Fn::And':
      return parts.every((part) => resolveCondition(part, scope));
    case 'Fn::Or':
      return parts.some((part) => resolveCondition(part, scope));
    case 'Fn::Not':
      return !parts.some((part) => resolveCondition(part, scope));
    default:
      throw new Error(`the rehearsal does not know the condition ${name}`);
  }
}

/** The names that a value refers to: parameters, pseudo parameters and resources alike. */
export function referencesOf(value: Json): Set<string> {
  const names = new Set<string>();
  const visit = (one: Json): void => {
    if (isList(one)) for (const member of one) visit(member);
    else if (isObject(one)) for (const [key, member] of Object.entries(one)) visitMember(key, member);
  };
  const visitMember = (key: string, member: Json): void => {
    if (key === 'Ref' && typeof member === 'string') names.add(member);
    else if (key === 'Fn::GetAtt') names.add(attributePath(member)[0] ?? '');
    else if (key === 'Fn::Sub') {
      const [template, values = {}] = isList(member) ? member : [member];
      substitute(text(template) ?? '', (name) => {
        names.add(attributePath(name)[0] ?? '');
        return '';
      });
      visit(values);
    } else visit(member);
  };
  visit(value);
  return names;
}

/** `['Key', 'Arn']` and `'Key.Arn'` are the same; an attribute may hold dots itself. */
function attributePath(value: Json): string[] {
  if (isList(value)) return value.map(String);
  const path = String(value);
  const dot = path.indexOf('.');
  return dot < 0 ? [path] : [path.slice(0, dot), path.slice(dot + 1)];
}

/** Replaces `${name}`; `${!name}` stands for the text `${name}`. */
const substitute = (template: string, valueFor: (name: string) => Json): string =>
  template.replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) =>
    literal === '!' ? `\${${name}}` : String(valueFor(name.trim())),
  );
