import { classOf } from '../classes/registry.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { BoundClass, BoundPhases } from '../contract/secret-class.ts';
import type { SecretSettings } from '../contract/settings.ts';

/** The class of a secret with its options. @throws KeyturnError SettingsInvalid when there is no such class. */
export function classOfSecret(secret: SecretSettings): BoundClass {
  const definition = classOf(secret.class);
  if (definition !== undefined) return definition.bind(secret.options);
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The secret ${secret.key} must be of a known class; it is of class ${secret.class}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}

/** @throws KeyturnError SettingsInvalid when no stored data is under the class's keys: its plan must move none. */
export function dataKeysOf(secret: SecretSettings): NonNullable<BoundPhases['data']> {
  const { data } = phasesOf(secret);
  if (data !== null) return data;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The class ${secret.class} of ${secret.key} has no data keys; its plan must not move data.`,
  });
}

/** @throws KeyturnError SettingsInvalid when the class has no phases: its plan must not have this stage. */
export function phasesOf(secret: SecretSettings): BoundPhases {
  const { phases } = classOfSecret(secret);
  if (phases !== null) return phases;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The class ${secret.class} of ${secret.key} has no phases; its plan must not promote, hold or retire.`,
  });
}
