import { KeyturnError } from '../contract/errors.ts';
import type { RolloutState } from '../contract/rollout-state.ts';
import { type SecretSettings, secretOfArn } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';

/** @throws KeyturnError EventInvalid when the rollout is about a secret of another deployment. */
export function secretOf({ settings, self }: StageContext, state: RolloutState): SecretSettings {
  const secret = secretOfArn(settings, state.secretId, self);
  if (secret !== undefined) return secret;
  throw new KeyturnError({
    code: 'EventInvalid',
    message: 'The rollout’s secretId is not a secret of this function’s deployment.',
    hint: 'Name the secret in the deployment file and deploy.',
  });
}
