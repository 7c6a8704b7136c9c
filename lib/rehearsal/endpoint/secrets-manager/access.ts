/** Finding the secret that a call is about, and the reasons why it may not be used. */
import { account, type Caller, type JsonObject } from '../wire.ts';
import type { Core } from './core.ts';
import { textOf } from './input.ts';
import type { Secret } from './store.ts';
import { foreignAccountOnDefaultKey, markedForDeletion, secretNotFound } from './texts.ts';

/** The secret of SecretId, also one that waits for its deletion. @throws AwsError ResourceNotFoundException */
export function existing(core: Core, input: JsonObject, caller: Caller): Secret {
  return found(core.store.find(reachable(input, caller)));
}

/** The same as eventually consistent reads see it. @throws AwsError ResourceNotFoundException */
export function existingLagging(core: Core, input: JsonObject, caller: Caller): Secret {
  return found(core.store.findLagging(reachable(input, caller)));
}

/** The secret of SecretId. @throws AwsError ResourceNotFoundException; InvalidRequestException while it is being deleted */
export function usable(core: Core, input: JsonObject, caller: Caller): Secret {
  return notDeleted(existing(core, input, caller));
}

/** @throws AwsError InvalidRequestException */
export function notDeleted(secret: Secret): Secret {
  if (secret.deletionAt !== null) throw markedForDeletion();
  return secret;
}

/**
 * The AWS-managed key serves no other account (validated: LocalStack test_cross_account_access).
 *
 * @throws AwsError InvalidRequestException
 */
export function decryptable(secret: Secret, caller: Caller): Secret {
  if (isForeign(caller) && secret.kmsKeyId === null) throw foreignAccountOnDefaultKey();
  return secret;
}

/** True when the caller's role belongs to another account. */
export function isForeign(caller: Caller): boolean {
  return caller.roleArn !== null && caller.roleArn.split(':')[4] !== account;
}

/** A name is looked up in the caller's own account, so another account has to use the ARN. */
function reachable(input: JsonObject, caller: Caller): string {
  const secretId = textOf(input, 'SecretId') ?? '';
  if (isForeign(caller) && !secretId.startsWith('arn:')) throw secretNotFound();
  return secretId;
}

function found(secret: Secret | null): Secret {
  if (secret === null) throw secretNotFound();
  return secret;
}
