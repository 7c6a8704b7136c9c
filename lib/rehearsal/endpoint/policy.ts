/**
 * Policy documents: which statements there are, and what they decide about one request.
 *
 * Stricter than IAM where IAM is rich: an element or an operator that is not known here refuses, so that the
 * rehearsal never allows what AWS might not.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */

import { glob } from './glob.ts';
import { isObject, listOf } from './json-shape.ts';
import type { Json } from './wire.ts';

export interface Statement {
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  /** Empty in a policy of a resource that names none: the resource itself. */
  readonly resources: readonly string[];
  /** null: an identity's policy. `*` is every principal. */
  readonly principals: readonly string[] | null;
  readonly conditions: readonly Condition[];
}

interface Condition {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

export interface AccessRequest {
  /** `secretsmanager:GetSecretValue` */
  readonly action: string;
  readonly resource: string;
  /** Condition keys in lower case with the values that the request carries; a key that is absent has none. */
  readonly context: ReadonlyMap<string, readonly string[]>;
  /** Who asks, for policies of resources: a service principal or a role's ARN. */
  readonly principal?: string;
}

const known = new Set(['Sid', 'Effect', 'Action', 'Resource', 'Condition', 'Principal']);

/**
 * Reads a policy document.
 * @throws Error for an element that cannot be evaluated (NotAction, NotResource, NotPrincipal …); `where` names the policy.
 */
export function parsePolicy(document: Json, where: string): Statement[] {
  if (!isObject(document)) throw new Error(`${where}: a policy document is an object`);
  return listOf(document.Statement).map((statement, index) => {
    const at = `${where}, statement ${index}`;
    if (!isObject(statement)) throw new Error(`${at}: a statement is an object`);
    const unknown = Object.keys(statement).find((name) => !known.has(name));
    if (unknown !== undefined) throw new Error(`${at}: the rehearsal does not evaluate ${unknown}`);
    if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') {
      throw new Error(`${at}: Effect must be Allow or Deny`);
    }
    return {
      effect: statement.Effect,
      actions: texts(statement.Action, `${at}, Action`),
      resources: texts(statement.Resource, `${at}, Resource`),
      principals: statement.Principal === undefined ? null : principalsOf(statement.Principal, at),
      conditions: conditionsOf(statement.Condition, at),
    };
  });
}

/** A deny that matches wins over every allow; without either the answer is the implicit deny. */
export function decide(
  statements: readonly Statement[],
  request: AccessRequest,
): 'allowed' | 'explicit deny' | 'implicit deny' {
  const matching = statements.filter((statement) => matches(statement, request));
  if (matching.some(({ effect }) => effect === 'Deny')) return 'explicit deny';
  return matching.some(({ effect }) => effect === 'Allow') ? 'allowed' : 'implicit deny';
}

function matches(statement: Statement, { action, resource, context, principal }: AccessRequest): boolean {
  // Action names do not distinguish upper and lower case, ARNs do.
  if (!statement.actions.some((pattern) => glob(pattern.toLowerCase()).test(action.toLowerCase())))
    return false;
  if (
    statement.resources.length > 0 &&
    !statement.resources.some((pattern) => glob(pattern).test(resource))
  ) {
    return false;
  }
  if (
    statement.principals !== null &&
    !statement.principals.some((one) => one === '*' || one === principal)
  ) {
    return false;
  }
  return statement.conditions.every((condition) => {
    const result = holds(condition, context.get(condition.key.toLowerCase()) ?? []);
    // What cannot be evaluated must not allow, and must not switch a deny off.
    return result ?? statement.effect === 'Deny';
  });
}

type Compare = (actual: string, wanted: string) => boolean;

const comparisons: Readonly<Record<string, Compare>> = {
  StringEquals: (actual, wanted) => actual === wanted,
  StringEqualsIgnoreCase: (actual, wanted) => actual.toLowerCase() === wanted.toLowerCase(),
  StringLike: (actual, wanted) => glob(wanted).test(actual),
  ArnEquals: (actual, wanted) => glob(wanted).test(actual),
  ArnLike: (actual, wanted) => glob(wanted).test(actual),
  Bool: (actual, wanted) => actual.toLowerCase() === wanted.toLowerCase(),
};

const negations: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotLike: 'StringLike',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
};

/** null: this operator is not known. A key without a value fails a positive and meets a negated operator, as in IAM. */
function holds({ operator, values }: Condition, actual: readonly string[]): boolean | null {
  if (operator === 'Null') return values.includes(String(actual.length === 0));
  const [, quantifier, name = '', ifExists] =
    /^(ForAnyValue:|ForAllValues:)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  const negated = negations[name];
  const compare = comparisons[negated ?? name];
  if (compare === undefined) return null;
  if (actual.length === 0) {
    return negated !== undefined || ifExists !== undefined || quantifier === 'ForAllValues:';
  }
  const one = (value: string) => values.some((wanted) => compare(value, wanted)) !== (negated !== undefined);
  if (quantifier === 'ForAllValues:') return actual.every(one);
  if (quantifier === 'ForAnyValue:') return actual.some(one);
  return actual.length === 1 && actual.every(one);
}

function conditionsOf(condition: Json | undefined, at: string): Condition[] {
  if (condition === undefined) return [];
  if (!isObject(condition)) throw new Error(`${at}: Condition is an object`);
  return Object.entries(condition).flatMap(([operator, keys]) => {
    if (!isObject(keys)) throw new Error(`${at}: ${operator} holds an object`);
    return Object.entries(keys).map(([key, value]) => ({ operator, key, values: listOf(value).map(String) }));
  });
}

function principalsOf(principal: Json, at: string): string[] {
  if (principal === '*') return ['*'];
  if (!isObject(principal)) throw new Error(`${at}: Principal is "*" or an object`);
  return Object.values(principal).flatMap((value) => texts(value, `${at}, Principal`));
}

function texts(value: Json | undefined, at: string): string[] {
  return listOf(value).map((one) => {
    if (typeof one !== 'string') throw new Error(`${at}: expected text, received ${JSON.stringify(one)}`);
    return one;
  });
}
