import { command } from '../contract/commands.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { reasonOf } from './failure-reason.ts';
import { rolloutEvent } from './rollout-event.ts';
import { secretOf } from './secret-of.ts';

/** Reports a rollout that stopped. It changes nothing: the new and the old value both stay readable. */
export const stage: StageDefinition = {
  id: 'stall',
  secretActions: [],
  readsValues: false,
  putsEvents: true,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const code = state.failure?.Error ?? 'Internal';
    const secret = secretOf(context, state);
    const reason = reasonOf(state);
    context.ports.log({ message: reason, code, secret: secret.key, stage: 'stall' });
    await context.ports.events.put(
      rolloutEvent('Rollout Stalled', state, secret, context, {
        at: 'stall',
        code,
        reason,
        works: whatWorks(state),
        next: command('resume', secret.key),
      }),
    );
    const of = { Deployment: context.settings.deployment, Secret: secret.key };
    context.ports.metrics.put({ metric: 'RolloutStalled', value: 1, of });
    return state;
  },
};

/** Where the rollout stopped decides what runs with which value. */
function whatWorks({ rolledBackFrom, consumersRenewed }: RolloutState): string {
  const kept = 'both versions of the secret are kept';
  if (rolledBackFrom !== undefined)
    return `The previous version is current again, consumers may run with either, and ${kept}.`;
  return consumersRenewed === undefined
    ? `The new version is current, consumers that have not restarted run with the old one, and ${kept}.`
    : `${consumersRenewed} consumers run with the new value, and ${kept}.`;
}
