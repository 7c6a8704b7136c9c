import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { phasesOf } from './class-of.ts';
import { publishingActions, publishPhase } from './publish-phase.ts';
import { secretOf } from './secret-of.ts';

/** Publishes the version without the old value. Only after hold and verify: what it drops may not come back. */
export const stage: StageDefinition = {
  id: 'retire',
  secretActions: publishingActions,
  readsValues: true,
  putsEvents: false,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const phases = phasesOf(secretOf(context, state));
    return publishPhase('retired', state, (document) => phases.retire(document), context);
  },
};
