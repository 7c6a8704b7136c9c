import { disabledTag } from '../contract/marks.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { oldValueOf } from './class-of.ts';
import { askedWhileCurrent, currentDocument, oldDocuments, publication } from './old-documents.ts';
import { secretOf } from './secret-of.ts';

/** Takes the old value away at its target, and says so on the secret before it does. May run twice. */
export const stage: StageDefinition = {
  id: 'disable',
  secretActions: ['secretsmanager:GetSecretValue', 'secretsmanager:TagResource'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  usesTarget: true,
  changesTarget: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const oldValue = oldValueOf(secret, context.ports);
    const document = await currentDocument(state, secret, context);
    const since = publication(state);
    const former = await oldDocuments(state, document, context);
    await context.ports.secrets.tag(state.secretId, new Map([[disabledTag, state.versionId]]));
    for (const old of former) {
      await askedWhileCurrent(state, context, () => oldValue.disable({ document, old, since }));
    }
    return state;
  },
};
