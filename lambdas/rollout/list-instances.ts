import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { fleetOf } from './fleet-of.ts';
import { secretOf } from './secret-of.ts';

/** Takes the ids of the platform's active instances into the state: what the next stage runs over. Changes nothing. */
export const stage: StageDefinition = {
  id: 'list-instances',
  secretActions: [],
  readsValues: false,
  putsEvents: false,
  redeploys: false,
  usesFleet: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const instances = await fleetOf(secret, context).list(context.ports.clock);
    context.ports.log({
      message: 'listed the active instances',
      secret: secret.key,
      stage: 'list-instances',
      count: instances.length,
    });
    return { ...state, instances: [...instances] };
  },
};
