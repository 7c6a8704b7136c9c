import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { memberOf } from '../../contract/document.ts';
import { KeyturnError } from '../../contract/errors.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import type { StagePorts } from '../../contract/stage.ts';
import { call } from './errors.ts';
import type { OperatorAccess } from './operator.ts';

/** Members of the current values of other secrets: what a hook logs in with. Read anew each time. */
export function credentials(client: SecretsManagerClient): StagePorts['credential'] {
  return async (secretArn, member) => {
    const answer = await call('GetSecretValue', () =>
      client.send(new GetSecretValueCommand({ SecretId: secretArn })),
    );
    if (answer.SecretString === undefined) {
      throw new KeyturnError({
        code: 'DocumentInvalid',
        message: `The secret ${secretArn} must hold text; it holds bytes.`,
      });
    }
    return memberOf(new Sensitive(answer.SecretString), member, `The value of ${secretArn}`);
  };
}

/** The same under an operator's credentials. */
export function credentialsOf(access: OperatorAccess): StagePorts['credential'] {
  return credentials(new SecretsManagerClient(access));
}
