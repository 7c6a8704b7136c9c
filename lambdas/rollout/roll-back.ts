import { KeyturnError } from '../contract/errors.ts';
import { completedTag, disabledTag, givenUpLabel } from '../contract/marks.ts';
import { goesBackByItself, type Plan, type PlanId, plans } from '../contract/plan.ts';
import type { SecretDescription } from '../contract/ports.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { pin } from './pin.ts';
import { secretOf } from './secret-of.ts';
import { demandCurrent, demandNoRotation } from './still-current.ts';

/**
 * Makes the version current again that consumers are known to run with: the previous one, or an older one when
 * rotations followed each other faster than their rollouts. From here on the rollout brings *that* version to the consumers.
 *
 * May run twice: where the previous version is current already, only the label AWSPENDING is looked after. It
 * is taken from the version that is given up, since Secrets Manager would take it for an unfinished rotation,
 * refuse the next one, and in the next window promote that version again.
 */
export const stage: StageDefinition = {
  id: 'roll-back',
  secretActions: [
    'secretsmanager:DescribeSecret',
    'secretsmanager:UpdateSecretVersionStage',
    'secretsmanager:TagResource',
  ],
  readsValues: false,
  putsEvents: false,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const { secrets, clock } = context.ports;
    const secret = secretOf(context, state);
    const { versionId } = state;
    // A way back that moves data is resumed from its beginning: what went back already stays.
    if (state.rolledBackFrom !== undefined && state.goBack === true) return state;
    if (state.rolledBackFrom !== undefined) {
      throw new KeyturnError({
        code: 'NotRestorable',
        message: `Version ${versionId} of ${secret.key} is one that was brought back already: to go back from it would bring back what was given up.`,
      });
    }
    const plan: Plan | undefined = plans[state.plan as PlanId];
    const movesData = plan !== undefined && goesBackByItself(plan);
    if (movesData && state.phase === 'retired') {
      throw new KeyturnError({
        code: 'NotRestorable',
        message: `The old key of ${secret.key} is retired: nothing was under it any more, so there is nothing to go back to.`,
        hint: 'What runs can read everything, with this version or the one before. Repair the consumers, then resume.',
      });
    }
    const target = state.lastProvenVersionId ?? state.previousVersionId;
    if (target === null || !secret.restorable) {
      throw new KeyturnError({
        code: 'NotRestorable',
        message:
          target === null
            ? `The secret ${secret.key} has no version before ${versionId} to go back to.`
            : `The class ${secret.class} cannot bring back a previous value of ${secret.key} by itself.`,
      });
    }
    const description = await secrets.describe(state.secretId);
    const labels = description.labels.get(versionId) ?? [];
    const goneBack = description.labels.get(target)?.includes('AWSCURRENT') ?? false;
    if (!goneBack) {
      if (description.tags.get(disabledTag) === versionId) throw takenAway(secret.key, versionId);
      demandCurrent(labels, state);
      demandNoRotation(description);
      if (movesData) await keep(state, description, context);
      await moveBack(state, target, context);
    }
    if (labels.includes('AWSPENDING')) await secrets.removePending(state.secretId, versionId);
    // What was moved forward says nothing of what has to be moved back, and its keys are another version's.
    const {
      reencryption: _forward,
      keys: _theirs,
      phase: _given,
      lastProvenVersionId: _reached,
      ...kept
    } = state;
    return {
      ...kept,
      versionId: target,
      previousVersionId: versionId,
      rolledBackFrom: versionId,
      publishedAt: clock.now().toISOString(),
    };
  },
};

/** A rollout that is resumed after its stage disable can come here: consumers were stopped, and do not start again. */
function takenAway(key: string, versionId: string): KeyturnError {
  return new KeyturnError({
    code: 'NotRestorable',
    message: `The value of ${key} before version ${versionId} was taken away at its target: nobody could log in with it.`,
    hint: 'Repair the consumers, then resume; or rotate forward.',
  });
}

/**
 * Data may be under a key that only the given-up version holds, and AWSPREVIOUS goes to the next write. The version
 * that it goes back to may have been completed once; until its data is back it must not count as that.
 */
async function keep(
  { secretId, versionId }: RolloutState,
  description: SecretDescription,
  { ports }: StageContext,
): Promise<void> {
  await pin(secretId, givenUpLabel, versionId, description, ports);
  await ports.secrets.tag(secretId, new Map([[completedTag, 'none']]));
}

/** A move whose answer was lost looks like a refusal when it is tried again: what is current decides. */
async function moveBack(state: RolloutState, target: string, { ports }: StageContext): Promise<void> {
  try {
    await ports.secrets.moveCurrent(state.secretId, target, state.versionId);
  } catch (caught) {
    const { labels } = await ports.secrets.describe(state.secretId);
    if (labels.get(target)?.includes('AWSCURRENT')) return;
    demandCurrent(labels.get(state.versionId) ?? [], state);
    throw caught;
  }
}
