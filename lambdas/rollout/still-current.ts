import { KeyturnError } from '../contract/errors.ts';
import type { SecretDescription } from '../contract/ports.ts';
import type { RolloutState } from '../contract/rollout-state.ts';

/**
 * A rollout goes on while its version is current.
 *
 * Secrets Manager is eventually consistent: a version that finish made current a moment ago may still be seen
 * as pending only. A version with neither label has been replaced.
 *
 * @throws KeyturnError Superseded, or NotSettled (retryable) for a reading that lags.
 */
export function demandCurrent(labels: readonly string[], state: RolloutState): void {
  if (labels.includes('AWSCURRENT')) return;
  if (labels.includes('AWSPENDING')) {
    throw new KeyturnError({
      code: 'NotSettled',
      message: `The version ${state.versionId} is seen as pending only: this reading lags behind the move.`,
      retryable: true,
    });
  }
  throw new KeyturnError({
    code: 'Superseded',
    message: `The version ${state.versionId} of the secret ${state.secretId} is not current any more.`,
    hint: 'A later rotation or a person moved AWSCURRENT; the rollout of that version takes over.',
  });
}

/**
 * A write to the secret, or a move of AWSCURRENT, makes Secrets Manager abandon a rotation that is under way
 * (user guide, "Rotation events in CloudTrail", RotationAbandoned). So a stage that writes lets it end first;
 * most often it then finds itself superseded.
 *
 * @throws KeyturnError NotSettled (retryable) while another version is pending.
 */
export function demandNoRotation({ labels, name }: SecretDescription): void {
  for (const [versionId, held] of labels) {
    if (!held.includes('AWSPENDING') || held.includes('AWSCURRENT')) continue;
    throw new KeyturnError({
      code: 'NotSettled',
      message: `Another rotation of ${name} is under way (version ${versionId} is pending); this rollout waits for its end.`,
      hint: 'If that rotation cannot go on, discard its pending version; this rollout then goes on.',
      retryable: true,
    });
  }
}
