import {
  type Memory,
  type Phase,
  parseDocument,
  type SecretDocument,
  type Variables,
} from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { beforeLabel, phaseLabel } from '../contract/marks.ts';
import type { BoundPhases } from '../contract/phases.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import type { StageId } from '../contract/stages.ts';
import { derivedToken } from '../contract/tokens.ts';
import { phasesOf } from './class-of.ts';
import { heldIn } from './data-keys.ts';
import { pin } from './pin.ts';
import { secretOf } from './secret-of.ts';
import { demandCurrent, demandNoRotation } from './still-current.ts';

/** The way forward. A withdrawn version follows an introduced one, and nothing follows it. */
const order: readonly Phase[] = ['introduced', 'promoted', 'retired'];

/** What publishing a phase needs beyond reading: its stages declare these. */
export const publishingActions = [
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
] as const;

/** The stage that publishes a phase; the class says what changes in the document. */
export function publishingStage(
  id: Extract<StageId, keyof Pick<BoundPhases, 'promote' | 'retire'>>,
  phase: Phase,
): StageDefinition {
  return {
    id,
    secretActions: publishingActions,
    readsValues: true,
    putsEvents: false,
    redeploys: false,
    asksClass: true,

    async run(input, context) {
      const state = parseRolloutState(input);
      const secret = secretOf(context, state);
      return publishPhase(phase, state, phasesOf(secret, context.ports)[id], context);
    },
  };
}

/**
 * Publishes a phase of an overlap as a version of its own.
 *
 * The version is written under a label of ours first and then made current by a move from the version that
 * this rollout knows: PutSecretValue alone would take AWSCURRENT from whatever a person typed in between.
 * May run twice, and after a later phase: what is published already is left as it is.
 *
 * @param change the members of the document that change; a pure function of it.
 */
export async function publishPhase(
  phase: Phase,
  state: RolloutState,
  change: (document: SecretDocument) => Variables,
  context: StageContext,
): Promise<RolloutState> {
  const { ports } = context;
  const { secrets, clock } = ports;
  const description = await secrets.describe(state.secretId);
  const labels = description.labels.get(state.versionId) ?? [];
  const root = await rootOf(state, ports.secrets);
  const token = derivedToken(root.memory.root ?? state.versionId, phase);
  const published = description.labels.get(token)?.includes('AWSCURRENT') ?? false;
  const keysOf = (document: SecretDocument) => {
    const keys = heldIn(document, secretOf(context, state), context.ports);
    return keys === null ? {} : { keys };
  };
  const isNext = follows(phase, root.memory.phase ?? 'introduced');
  const next = isNext ? root.document.with(change(root.document), { ...root.memory, phase }) : root.document;
  if (!published) {
    if (!isNext) return { ...state, ...keysOf(root.document) };
    demandCurrent(labels, state);
    demandNoRotation(description);
    await secrets.writeLabelled(state.secretId, token, phaseLabel, next.serialise());
    // The version from before the overlap: its value may still be needed, and AWSPREVIOUS moves on.
    if (state.previousVersionId !== null) {
      await pin(state.secretId, beforeLabel, state.previousVersionId, description, ports);
    }
    await moveOnce(state, token, ports.secrets);
  }
  // A rollout that is resumed at this phase has come from the one before it: it must not go back to where it is.
  const before = token === state.versionId ? state.lastProvenVersionId : state.versionId;
  return {
    ...state,
    versionId: token,
    ...(before === undefined ? {} : { lastProvenVersionId: before }),
    phase,
    ...keysOf(next),
    publishedAt: clock.now().toISOString(),
  };
}

/** Whether a phase is still to come after the one that is current. */
function follows(phase: Phase, current: Phase): boolean {
  if (current === 'withdrawn') return false;
  return phase === 'withdrawn' ? current === 'introduced' : order.indexOf(current) < order.indexOf(phase);
}

type Secrets = StageContext['ports']['secrets'];

async function rootOf(
  state: RolloutState,
  secrets: Secrets,
): Promise<{ document: SecretDocument; memory: Memory }> {
  const version = await secrets.read(state.secretId, state.versionId);
  const document = parseDocument(version.value, `The value of version ${state.versionId}`);
  const { memory } = document;
  if (memory?.root !== undefined) return { document, memory };
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `The version ${state.versionId} must be one that a rotation with phases made; it is not.`,
    hint: 'Somebody edited the value; rotate the secret again.',
  });
}

/** A move whose answer was lost looks like a refusal when it is tried again: what is current decides. */
async function moveOnce(state: RolloutState, token: string, secrets: Secrets): Promise<void> {
  try {
    await secrets.moveCurrent(state.secretId, token, state.versionId);
  } catch (caught) {
    const { labels } = await secrets.describe(state.secretId);
    if (labels.get(token)?.includes('AWSCURRENT')) return;
    demandCurrent(labels.get(state.versionId) ?? [], state);
    throw caught;
  }
}
