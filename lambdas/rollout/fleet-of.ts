import { KeyturnError } from '../contract/errors.ts';
import type { BoundFleet } from '../contract/fleet-hooks.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';

/** @throws KeyturnError SettingsInvalid when the deployment declares no list of instances for the secret. */
export function fleetOf(secret: SecretSettings, { ports }: StageContext): BoundFleet {
  const { instances } = secret;
  const bound = instances === undefined ? undefined : ports.fleets.get(instances.kind)?.bind(instances);
  if (bound?.ok) return bound.hook;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The instances of ${secret.key} must be of a known kind with their members; they are ${instances === undefined ? 'not declared' : `of kind ${instances.kind}`}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
