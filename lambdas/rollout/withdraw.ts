import { parseDocument } from '../contract/document.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { dataKeysOf } from './class-of.ts';
import { publishingActions, publishPhase } from './publish-phase.ts';
import { secretOf } from './secret-of.ts';

/**
 * Takes the new key out of the document, at the end of a way back: a count has said that nothing needs it. A
 * rollout that went back to the version before the rotation has nothing to take out.
 */
export const stage: StageDefinition = {
  id: 'withdraw',
  secretActions: publishingActions,
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  asksClass: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const { withdraw } = dataKeysOf(secretOf(context, state), context.ports);
    const version = await context.ports.secrets.read(state.secretId, state.versionId);
    const { memory } = parseDocument(version.value, `The value of version ${state.versionId}`);
    if (memory?.root === undefined || memory.phase !== 'introduced') return state;
    return publishPhase('withdrawn', state, withdraw, context);
  },
};
