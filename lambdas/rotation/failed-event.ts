import { command, type Verb } from '../contract/commands.ts';
import type { ErrorCode, KeyturnError } from '../contract/errors.ts';
import { type KeyturnEvent, keyturnEvent } from '../contract/events.ts';
import type { RotationEvent } from '../contract/rotation-event.ts';
import type { SecretSettings, Settings } from '../contract/settings.ts';

/** The command that goes on after an error; after any other, `status` explains. */
const after: Partial<Record<ErrorCode, Verb>> = {
  ConsentMissing: 'approve',
  SupplyMissing: 'supply',
  // Its pending version will never become current: what is current has changed, or it breaks a rule.
  CurrentChanged: 'discard',
  ValueRejected: 'discard',
};

/** Tells of a step that failed: what happened, what still works, and the command to go on. */
export function rotationFailed(
  error: KeyturnError,
  event: RotationEvent,
  secret: SecretSettings,
  settings: Settings,
): KeyturnEvent {
  return keyturnEvent('Rotation Failed', {
    schema: 1,
    deployment: settings.deployment,
    platform: settings.platform,
    secret: secret.key,
    secretId: event.secretId,
    versionId: event.token,
    previousVersionId: null,
    class: secret.class,
    plan: secret.plan,
    publishedAt: null,
    at: event.step,
    code: error.code,
    reason: error.message,
    // Its move of AWSCURRENT may have gone through although what came after it failed.
    works:
      event.step === 'finish'
        ? 'The value that was current is kept, and the consumers run with it.'
        : 'The current value has not changed, and the consumers run with it.',
    next: command(after[error.code] ?? 'status', secret.key),
  });
}
