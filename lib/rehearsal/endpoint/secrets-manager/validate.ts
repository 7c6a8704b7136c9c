/**
 * Checks an input before its operation sees it. SDKs check nothing or little, so the endpoint does it all.
 *
 * Order: a bad name, a missing token (reported even for a secret that does not exist; validated: LocalStack
 * test_no_client_request_token), then the model's constraints.
 */
import { AwsError, type Json, type JsonObject } from '../wire.ts';
import { isList, isObject, textOf } from './input.ts';
import type { Members, OperationShape, Shape } from './shapes.ts';
import { invalidName, tokenMissing } from './texts.ts';

type Counted = Extract<Shape, { kind: 'text' }>['counts'];

/** @throws AwsError ValidationException, SerializationException, InvalidRequestException, InvalidParameterException */
export function validate(input: JsonObject, shape: OperationShape): void {
  if (shape.nameIn !== undefined) checkName(input, shape.nameIn);
  checkTypes(input, shape.members);
  if (shape.withoutToken !== undefined) checkToken(input, shape.withoutToken);
  const problems = membersProblems(input, shape.members, '');
  if (problems.length > 0) throw invalid(problems);
  if ('SecretString' in shape.members) checkValue(input, shape);
}

/**
 * An ARN passes. `!` passes where a secret is looked up, for AWS services use it in names they make (`rds!…`), but
 * no new secret may have it.
 */
function checkName(input: JsonObject, member: 'Name' | 'SecretId'): void {
  const name = textOf(input, member);
  if (name === undefined || name === '' || name.startsWith('arn:')) return;
  const allowed = member === 'Name' ? /^[A-Za-z0-9/_+=.@-]+$/ : /^[A-Za-z0-9/_+=.@!-]+$/;
  if (!allowed.test(name)) throw invalidName();
}

/** The text about the length is moto's. */
function checkToken(input: JsonObject, code: 'InvalidRequestException' | 'InvalidParameterException'): void {
  const token = textOf(input, 'ClientRequestToken');
  if (token === undefined || token === '') throw tokenMissing(code);
  if (token.length < 32 || token.length > 64) {
    throw new AwsError('InvalidParameterException', 'ClientRequestToken must be 32-64 characters long.');
  }
}

/** One value at most, and PutSecretValue needs one (AWS API reference; the second text is LocalStack's). */
function checkValue(input: JsonObject, shape: OperationShape): void {
  const text = textOf(input, 'SecretString');
  const binary = textOf(input, 'SecretBinary');
  if (text !== undefined && binary !== undefined) {
    throw new AwsError('InvalidParameterException', "You can't specify both SecretString and SecretBinary.");
  }
  if ('VersionStages' in shape.members && text === undefined && binary === undefined) {
    throw new AwsError('InvalidRequestException', 'You must provide either SecretString or SecretBinary.');
  }
}

function checkTypes(input: JsonObject, members: Members): void {
  for (const [name, shape] of Object.entries(members)) {
    const value = input[name];
    if (value !== undefined && value !== null && !hasType(value, shape)) {
      throw new AwsError('SerializationException', `${name} has the wrong type: ${shape.kind} is expected.`);
    }
  }
}

function hasType(value: Json, shape: Shape): boolean {
  if (shape.kind === 'text') return typeof value === 'string';
  if (shape.kind === 'flag') return typeof value === 'boolean';
  if (shape.kind === 'count') return Number.isInteger(value);
  if (shape.kind === 'list') return isList(value) && value.every((item) => hasType(item, shape.of));
  if (!isObject(value)) return false;
  checkTypes(value, shape.members);
  return true;
}

function membersProblems(input: JsonObject, members: Members, path: string): string[] {
  return Object.entries(members).flatMap(([name, shape]) => {
    const at = `${path}${name.charAt(0).toLowerCase()}${name.slice(1)}`;
    return problems(input[name] ?? null, shape, at);
  });
}

function problems(value: Json, shape: Shape, at: string): string[] {
  if (value === null) {
    const missing = 'required' in shape && shape.required;
    return missing ? [`Value null at '${at}' failed to satisfy constraint: Member must not be null`] : [];
  }
  if (shape.kind === 'list' && isList(value)) {
    const items = value.flatMap((item, index) => problems(item, shape.of, `${at}.${index + 1}.member`));
    const shown = `Value at '${at}'`;
    return [
      ...bounds(
        value.length,
        shape,
        (rule) => `${shown} failed to satisfy constraint: Member must have length ${rule}`,
      ),
      ...items,
    ];
  }
  if (shape.kind === 'object' && isObject(value)) return membersProblems(value, shape.members, `${at}.`);
  if (shape.kind === 'count' && typeof value === 'number') {
    return bounds(
      value,
      shape,
      (rule) => `Value '${value}' at '${at}' failed to satisfy constraint: Member must have value ${rule}`,
    );
  }
  return shape.kind === 'text' && typeof value === 'string' ? textProblems(value, shape, at) : [];
}

function textProblems(value: string, shape: Extract<Shape, { kind: 'text' }>, at: string): string[] {
  const shown = shape.sensitive ? `Value at '${at}'` : `Value '${value}' at '${at}'`;
  const wrong = (rule: string) => `${shown} failed to satisfy constraint: Member must ${rule}`;
  const found = bounds(lengthOf(value, shape.counts), shape, (rule) => wrong(`have length ${rule}`));
  if (shape.pattern !== undefined && !shape.pattern.test(value)) {
    found.push(wrong(`satisfy regular expression pattern: ${shape.pattern.source}`));
  }
  return found;
}

function bounds(
  size: number,
  limits: { readonly min?: number; readonly max?: number },
  text: (rule: string) => string,
): string[] {
  if (limits.min !== undefined && size < limits.min) return [text(`greater than or equal to ${limits.min}`)];
  if (limits.max !== undefined && size > limits.max) return [text(`less than or equal to ${limits.max}`)];
  return [];
}

function lengthOf(value: string, counts: Counted): number {
  return counts === undefined
    ? value.length
    : Buffer.byteLength(value, counts === 'bytes' ? 'utf8' : 'base64');
}

/** The form that AWS's model validation has in all services. */
function invalid(found: readonly string[]): AwsError {
  const noun = found.length === 1 ? 'error' : 'errors';
  return new AwsError(
    'ValidationException',
    `${found.length} validation ${noun} detected: ${found.join('; ')}`,
  );
}
