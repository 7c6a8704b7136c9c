import { parseRolloutState } from '../contract/rollout-state.ts';
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
    const reason = `${reasonOf(state)} Both the new and the old version of the secret are kept.`;
    context.ports.log({ message: reason, code, secret: secret.key, stage: 'stall' });
    await context.ports.events.put(
      rolloutEvent('Rollout Stalled', state, secret, context, { at: 'stall', code, reason }),
    );
    return state;
  },
};
