import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { oldValueOf } from './class-of.ts';
import { currentDocument, oldDocuments } from './old-documents.ts';
import { secretOf } from './secret-of.ts';

/** Takes the old value away at its target. May run twice. */
export const stage: StageDefinition = {
  id: 'disable',
  secretActions: ['secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  usesTarget: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const oldValue = oldValueOf(secret, context.ports);
    const document = await currentDocument(state, secret, context);
    const since = new Date(state.publishedAt);
    for (const old of await oldDocuments(state, document, context)) {
      await oldValue.disable({ document, old, since });
    }
    return state;
  },
};
