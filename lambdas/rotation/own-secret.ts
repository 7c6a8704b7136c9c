import { KeyturnError } from '../contract/errors.ts';
import { type SecretSettings, type Settings, secretOfArn } from '../contract/settings.ts';

/**
 * @param secretId the full ARN that an event names.
 * @param self the ARN under which this function was invoked.
 * @throws KeyturnError StepRefused for a secret of somebody else's.
 */
export function ownSecret(settings: Settings, secretId: string, self: string): SecretSettings {
  const secret = secretOfArn(settings, secretId, self);
  if (secret !== undefined) return secret;
  throw new KeyturnError({
    code: 'StepRefused',
    message: 'The rotation event’s SecretId is not a secret of this function’s deployment.',
    hint: 'Name the secret in the deployment file and deploy, or give it another rotation function.',
  });
}
