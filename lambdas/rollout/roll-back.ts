import { KeyturnError } from '../contract/errors.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { secretOf } from './secret-of.ts';
import { demandCurrent } from './still-current.ts';

/**
 * Makes the previous version current again. From here on the rollout brings *that* version to the consumers.
 *
 * May run twice: where the previous version is current already, only the label AWSPENDING is looked after. It
 * is taken from the version that is given up, since Secrets Manager would take it for an unfinished rotation,
 * refuse the next one, and in the next window promote that version again.
 */
export const stage: StageDefinition = {
  id: 'roll-back',
  secretActions: ['secretsmanager:DescribeSecret', 'secretsmanager:UpdateSecretVersionStage'],
  readsValues: false,
  putsEvents: false,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const { secrets, clock } = context.ports;
    const secret = secretOf(context, state);
    const { versionId, previousVersionId } = state;
    if (state.rolledBackFrom !== undefined) {
      throw new KeyturnError({
        code: 'NotRestorable',
        message: `Version ${versionId} of ${secret.key} is one that was brought back already: to go back from it would bring back what was given up.`,
      });
    }
    if (previousVersionId === null || !secret.restorable) {
      throw new KeyturnError({
        code: 'NotRestorable',
        message:
          previousVersionId === null
            ? `The secret ${secret.key} has no version before ${versionId} to go back to.`
            : `The class ${secret.class} cannot bring back a previous value of ${secret.key} by itself.`,
      });
    }
    const description = await secrets.describe(state.secretId);
    const labels = description.labels.get(versionId) ?? [];
    const goneBack = description.labels.get(previousVersionId)?.includes('AWSCURRENT') ?? false;
    if (!goneBack) {
      demandCurrent(labels, state);
      await secrets.moveCurrent(state.secretId, previousVersionId, versionId);
    }
    if (labels.includes('AWSPENDING')) await secrets.removePending(state.secretId, versionId);
    return {
      ...state,
      versionId: previousVersionId,
      previousVersionId: versionId,
      rolledBackFrom: versionId,
      publishedAt: clock.now().toISOString(),
    };
  },
};
