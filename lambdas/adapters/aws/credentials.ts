import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { memberOf } from '../../contract/document.ts';
import { KeyturnError } from '../../contract/errors.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import type { StagePorts } from '../../contract/stage.ts';
import { call } from './errors.ts';
import type { OperatorAccess } from './operator.ts';

/**
 * Members of the current values of other secrets: what a hook or an administrator logs in with. Read anew each time;
 * members that are asked for at the same time are of one read.
 */
export function credentials(client: SecretsManagerClient): StagePorts['credential'] {
  const reads = new Map<string, Promise<Sensitive>>();
  return async (secretArn, member) => {
    const read = reads.get(secretArn) ?? current(client, secretArn).finally(() => reads.delete(secretArn));
    reads.set(secretArn, read);
    return memberOf(await read, member, `The value of ${secretArn}`);
  };
}

async function current(client: SecretsManagerClient, secretArn: string): Promise<Sensitive> {
  const answer = await call('GetSecretValue', () =>
    client.send(new GetSecretValueCommand({ SecretId: secretArn })),
  );
  if (answer.SecretString !== undefined) return new Sensitive(answer.SecretString);
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `The secret ${secretArn} must hold text; it holds bytes.`,
  });
}

/** The same under an operator's credentials. */
export function credentialsOf(access: OperatorAccess): StagePorts['credential'] {
  return credentials(new SecretsManagerClient(access));
}
