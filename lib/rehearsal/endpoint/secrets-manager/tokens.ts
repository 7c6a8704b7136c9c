/**
 * ClientRequestToken: the id of the version that a call makes, and what tells a repetition from a conflict
 * (validated: moto's aws_verified tests of duplicate tokens, for CreateSecret, PutSecretValue and UpdateSecret).
 */
import type { JsonObject } from '../wire.ts';
import { textOf } from './input.ts';
import type { Versions } from './labels.ts';
import type { SecretValue, Version } from './store.ts';
import { tokenInUse } from './texts.ts';

export type TokenUse =
  /** No version has this id. */
  | { readonly kind: 'new' }
  /** The empty version of a rotation has it: the value goes there. */
  | { readonly kind: 'open'; readonly version: Version }
  /** The same value was written before: answer as then and change nothing. */
  | { readonly kind: 'repeated'; readonly version: Version };

/** @throws AwsError ResourceExistsException when the token belongs to another value. */
export function useOf(token: string, value: SecretValue, versions: Versions, arn: string): TokenUse {
  const version = versions.get(token);
  if (version === undefined) return { kind: 'new' };
  if (version.value === null) return { kind: 'open', version };
  if (same(version.value, value)) return { kind: 'repeated', version };
  throw tokenInUse(token, arn);
}

/** The token of an input; `validate.ts` has made sure that it is there where AWS demands it. */
export function tokenOf(input: JsonObject): string {
  return textOf(input, 'ClientRequestToken') ?? '';
}

/** The value of an input; null: neither SecretString nor SecretBinary is given. */
export function givenValue(input: JsonObject): SecretValue | null {
  const text = textOf(input, 'SecretString');
  if (text !== undefined) return { kind: 'string', text };
  const base64 = textOf(input, 'SecretBinary');
  return base64 === undefined ? null : { kind: 'binary', base64 };
}

function same(a: SecretValue, b: SecretValue): boolean {
  return a.kind === 'string'
    ? b.kind === 'string' && a.text === b.text
    : b.kind === 'binary' && Buffer.from(a.base64, 'base64').equals(Buffer.from(b.base64, 'base64'));
}
