import { sessionsTag } from '../contract/marks.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { oldValueOf } from './class-of.ts';
import { askedWhileCurrent, currentDocument } from './old-documents.ts';
import { secretOf } from './secret-of.ts';

/**
 * Not every server tells when a session began, but each numbers them. What is noted here, after the new value became
 * current and before a consumer restarts with it, lets drain tell later sessions from those of the old value. It is kept
 * on the secret, with its time: an attempt that follows finds the consumers restarted already. A version that becomes
 * current once more is marked once more, since sessions of another value may have been opened in between.
 */
export const stage: StageDefinition = {
  id: 'mark-sessions',
  secretActions: [
    'secretsmanager:DescribeSecret',
    'secretsmanager:GetSecretValue',
    'secretsmanager:TagResource',
  ],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  usesTarget: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    // A first value has none before it, and nothing waits for its sessions.
    if (state.previousVersionId === null) return state;
    const { secrets, clock } = context.ports;
    const { tags } = await secrets.describe(state.secretId);
    const [versionId, time = '', noted] = tags.get(sessionsTag)?.split(' ') ?? [];
    if (versionId === state.versionId && noted !== undefined && isSince(time, state)) {
      return { ...state, sessionMark: noted };
    }
    const secret = secretOf(context, state);
    const document = await currentDocument(state, secret, context);
    const sessionMark = await askedWhileCurrent(state, context, () =>
      oldValueOf(secret, context.ports).mark(document),
    );
    if (sessionMark !== null) {
      const mark = `${state.versionId} ${clock.now().toISOString()} ${sessionMark}`;
      await secrets.tag(state.secretId, new Map([[sessionsTag, mark]]));
    }
    return { ...state, sessionMark };
  },
};

function isSince(time: string, { publishedAt }: RolloutState): boolean {
  return Date.parse(time) >= Date.parse(publishedAt);
}
