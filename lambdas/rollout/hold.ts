import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { phasesOf } from './class-of.ts';
import { secretOf } from './secret-of.ts';

/**
 * Says how long the old value is still held; the state machine waits. Counted from now, when every consumer was
 * seen to use the new value, so that what the old one made last has lived its whole life.
 */
export const stage: StageDefinition = {
  id: 'hold',
  secretActions: [],
  readsValues: false,
  putsEvents: false,
  redeploys: false,
  asksClass: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    return { ...state, holdSeconds: phasesOf(secretOf(context, state), context.ports).holdSeconds() };
  },
};
