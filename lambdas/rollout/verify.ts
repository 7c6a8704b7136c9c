import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { consumersOf, missingOf, notHealthy, renewingOf } from './consumers.ts';
import { secretOf } from './secret-of.ts';

/**
 * The evidence that retire asks for: after the hold, nothing runs that started before the new value was in use.
 * Time alone is no evidence: a consumer may have been scaled or restored in between.
 */
export const stage: StageDefinition = {
  id: 'verify',
  secretActions: [],
  readsValues: false,
  putsEvents: false,
  redeploys: true,

  async run(input, context) {
    // What was counted before now is no evidence: a consumer may have written under the old key since.
    const { count: _before, ...state } = parseRolloutState(input);
    const secret = secretOf(context, state);
    const missing = await missingOf(consumersOf(secret, context), renewingOf(state), context);
    if (missing.length > 0) throw notHealthy(missing.map(({ reason }) => reason));
    return state;
  },
};
