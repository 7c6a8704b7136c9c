import { KeyturnError } from '../contract/errors.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import type { Use } from '../contract/target.ts';
import { oldValueOf } from './class-of.ts';
import { askedWhileCurrent, currentDocument, oldDocuments, publication } from './old-documents.ts';
import { secretOf } from './secret-of.ts';

/** Most names of a message: a pool may name each of its connections. */
const mostNamed = 5;

/**
 * The evidence that disable asks for: no session of the old value is left at its target. That every consumer has
 * restarted is not enough: a job that nobody declared may hold one.
 */
export const stage: StageDefinition = {
  id: 'drain',
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
    const since = publication(state);
    const isOverdue = overdue(state, oldValue.patienceMinutes(), context);
    for (const old of await oldDocuments(state, document, context)) {
      const uses = await askedWhileCurrent(state, context, async () => {
        if (isOverdue) await oldValue.endUses({ document, old, since });
        return oldValue.uses({ document, old, since });
      });
      if (uses.length > 0) throw stillInUse(uses, secret.key);
    }
    return state;
  },
};

function overdue({ publishedAt }: RolloutState, patience: number | null, { ports }: StageContext): boolean {
  return patience !== null && ports.clock.now().getTime() - Date.parse(publishedAt) >= patience * 60_000;
}

function stillInUse(uses: readonly Use[], key: string): KeyturnError {
  const named = uses.slice(0, mostNamed).map(({ by, sessions }) => `${by} (${sessions})`);
  const more = uses.length > mostNamed ? [`${uses.length - mostNamed} more`] : [];
  return new KeyturnError({
    code: 'OldValueInUse',
    message: `Sessions of the old value of ${key} are still open at its target: ${[...named, ...more].join(', ')}.`,
    hint: 'Restart what holds them, or name it among the consumers of this secret.',
    retryable: true,
  });
}
