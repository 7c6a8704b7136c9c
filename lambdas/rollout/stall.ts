import { command } from '../contract/commands.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { reasonOf } from './failure-reason.ts';
import { rolloutEvent } from './rollout-event.ts';
import { secretOf } from './secret-of.ts';

/** Errors after which some consumers may have restarted and others not. */
const halfWay: ReadonlySet<string> = new Set<ErrorCode>(['ConsumersNotHealthy', 'NotRestorable']);

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
function whatWorks({ rolledBackFrom, consumersRenewed, failure }: RolloutState): string {
  if (failure?.Error === ('ConsumersStopped' satisfies ErrorCode)) {
    return 'Nothing that uses the data runs, so nothing is lost; every version with a label is kept.';
  }
  if (rolledBackFrom !== undefined) {
    return 'The version that worked before is current again; consumers may run with either, and both are kept.';
  }
  const inDoubt = failure !== undefined && halfWay.has(failure.Error);
  return consumersRenewed === undefined || inDoubt
    ? 'Consumers that have not restarted run on with what they started with; both versions are kept.'
    : `${consumersRenewed} consumers run with the current version; the one before is kept.`;
}
