import { KeyturnError } from '../contract/errors.ts';
import type { SecretDescription } from '../contract/ports.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { demandCurrent } from './still-current.ts';

/**
 * How far Secrets Manager's clock and a function's may be apart, in milliseconds, when LastRotatedDate is
 * compared with the time that finish noted.
 */
const clockTolerance = 60_000;

/** Waits until Secrets Manager has closed the rotation: a write before that would make it abandon it. */
export const stage: StageDefinition = {
  id: 'settle',
  secretActions: ['secretsmanager:DescribeSecret'],
  readsValues: false,
  putsEvents: false,
  redeploys: false,

  async run(input, { ports }) {
    const state = parseRolloutState(input);
    const description = await ports.secrets.describe(state.secretId);
    const labels = description.labels.get(state.versionId) ?? [];
    // Before the way back as well: it may begin by stopping the consumers, which a later rollout needs.
    demandCurrent(labels, state);
    if (state.goBack === true) {
      throw new KeyturnError({
        code: 'RollBackAsked',
        message: `An operator asked the rollout of version ${state.versionId} to go back.`,
      });
    }
    if (!isClosed(description, labels, state)) {
      throw new KeyturnError({
        code: 'NotSettled',
        message: `Secrets Manager has not closed the rotation of ${description.name} yet.`,
        retryable: true,
      });
    }
    return state;
  },
};

/**
 * Closed: AWSPENDING is gone. It may also stay on the current version for ever (the API reference allows
 * both), and then LastRotatedDate tells.
 */
function isClosed(description: SecretDescription, labels: readonly string[], state: RolloutState): boolean {
  if (!labels.includes('AWSPENDING')) return true;
  const rotated = description.lastRotatedAt?.getTime() ?? 0;
  return rotated >= Date.parse(state.publishedAt) - clockTolerance;
}
