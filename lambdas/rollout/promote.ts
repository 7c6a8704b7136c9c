import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { phasesOf } from './class-of.ts';
import { publishingActions, publishPhase } from './publish-phase.ts';
import { secretOf } from './secret-of.ts';

/** Publishes the version in which the new value is used and the old one still accepted. */
export const stage: StageDefinition = {
  id: 'promote',
  secretActions: publishingActions,
  readsValues: true,
  putsEvents: false,
  redeploys: false,

  async run(input, context) {
    const state = parseRolloutState(input);
    const phases = phasesOf(secretOf(context, state));
    return publishPhase('promoted', state, (document) => phases.promote(document), context);
  },
};
