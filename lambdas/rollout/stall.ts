import { parseFailedRollout, type RolloutFailure } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { rolloutEvent } from './rollout-event.ts';
import { secretOf } from './secret-of.ts';

/** Most characters of a reason: EventBridge and e-mail have room, a reader's patience has not. */
const longestReason = 600;

/** Reports a rollout that stopped. It changes nothing: the new and the old value both stay readable. */
export const stage: StageDefinition = {
  id: 'stall',
  secretActions: [],
  readsValues: false,
  putsEvents: true,
  redeploys: false,

  async run(input, context) {
    const { failure, ...state } = parseFailedRollout(input);
    const secret = secretOf(context, state);
    const reason = `${messageOf(failure)} Both the new and the old version of the secret are kept.`;
    context.ports.log({ message: reason, code: failure.Error, secret: secret.key, stage: 'stall' });
    await context.ports.events.put(
      rolloutEvent('Rollout Stalled', state, secret, context, { at: 'stall', code: failure.Error, reason }),
    );
    return state;
  },
};

/** A function's error arrives as JSON text; only its message is taken, never its stack. */
function messageOf(failure: RolloutFailure): string {
  const message = errorMessage(failure.Cause ?? '') ?? `The stage ended with ${failure.Error}.`;
  return message.length > longestReason ? `${message.slice(0, longestReason)}…` : message;
}

function errorMessage(cause: string): string | null {
  try {
    const parsed: unknown = JSON.parse(cause);
    if (typeof parsed !== 'object' || parsed === null || !('errorMessage' in parsed)) return null;
    return typeof parsed.errorMessage === 'string' ? parsed.errorMessage : null;
  } catch {
    return null;
  }
}
