import { completedTag } from '../contract/marks.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { rolloutEvent } from './rollout-event.ts';
import { secretOf } from './secret-of.ts';
import { runsAgain } from './stopped-mark.ts';

/** Records the completion on the secret, then reports it. Both may be repeated. */
export const stage: StageDefinition = {
  id: 'complete',
  secretActions: ['secretsmanager:TagResource'],
  readsValues: false,
  putsEvents: true,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    await context.ports.secrets.tag(
      state.secretId,
      new Map([[completedTag, state.versionId], ...runsAgain(state)]),
    );
    const proof =
      state.oldValueRefused === true
        ? 'the old value was probed and is refused'
        : state.previousVersionId === null
          ? 'there was no old value'
          : 'nothing can probe the old value';
    const { metrics } = context.ports;
    const of = { Deployment: context.settings.deployment, Secret: secret.key };
    const instances =
      state.instancesConfirmed === undefined
        ? ''
        : `${state.instancesConfirmed} instances hold a token of it; `;
    const reason = `${state.consumersRenewed ?? 0} consumers run with the new value; ${instances}${proof}.`;
    await context.ports.events.put(
      rolloutEvent('Rollout Completed', state, secret, context, { at: 'complete', reason }),
    );
    metrics.put({ metric: 'RolloutCompleted', value: 1, of });
    return state;
  },
};
