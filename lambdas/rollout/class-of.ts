import { KeyturnError } from '../contract/errors.ts';
import type { BoundOldValue } from '../contract/old-value.ts';
import type { BoundPhases } from '../contract/phases.ts';
import type { BoundClass } from '../contract/secret-class.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StagePorts } from '../contract/stage.ts';

/** The class of a secret with its options. @throws KeyturnError SettingsInvalid when the function was given no such class. */
export function classOfSecret(secret: SecretSettings, ports: StagePorts): BoundClass {
  const definition = ports.classes.get(secret.class);
  if (definition !== undefined) return definition.bind(secret.options, ports);
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The secret ${secret.key} must be of a known class; it is of class ${secret.class}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}

/** @throws KeyturnError SettingsInvalid when no stored data is under the class's keys: its plan must move none. */
export function dataKeysOf(secret: SecretSettings, ports: StagePorts): NonNullable<BoundPhases['data']> {
  const { data } = phasesOf(secret, ports);
  if (data !== null) return data;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The class ${secret.class} of ${secret.key} has no data keys; its plan must not move data.`,
  });
}

/** @throws KeyturnError SettingsInvalid when the class has no phases: its plan must not have this stage. */
export function phasesOf(secret: SecretSettings, ports: StagePorts): BoundPhases {
  const { phases } = classOfSecret(secret, ports);
  if (phases !== null) return phases;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The class ${secret.class} of ${secret.key} has no phases; its plan must not promote, hold or retire.`,
  });
}

/** @throws KeyturnError SettingsInvalid when nothing is to be taken away at a target: its plan must not drain. */
export function oldValueOf(secret: SecretSettings, ports: StagePorts): BoundOldValue {
  const { oldValue } = classOfSecret(secret, ports);
  if (oldValue !== null) return oldValue;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The class ${secret.class} of ${secret.key} has no old value at a target; its plan must not drain or disable.`,
  });
}
