import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { BoundFleet } from '../contract/fleet-hooks.ts';
import type { Renewing } from '../contract/hooks.ts';
import { type InstanceResult, parseItemState, type RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { fleetOf } from './fleet-of.ts';
import { secretOf } from './secret-of.ts';
import { demandCurrent } from './still-current.ts';

/** Milliseconds between looks at an instance that starts: short at first, since many are quick. */
const firstWait = 100;
const longestWait = 15_000;

/** Milliseconds that must be left for one more look, two probes and the answer. */
const margin = 30_000;

/**
 * Renews one instance, and confirms it: what runs holds a token that was issued after the version, a token of the
 * new key is accepted for it, and one of the old key is refused.
 *
 * It looks before it acts. So an instance that was confirmed before is left alone, whoever confirmed it, and a try
 * that follows a crash between redeploy and confirmation finds the redeploy under way and waits for it.
 */
export const stage: StageDefinition = {
  id: 'renew-instances',
  secretActions: ['secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  usesFleet: true,

  async run(input, context): Promise<InstanceResult> {
    const { id, retries, rollout } = parseItemState(input);
    const secret = secretOf(context, rollout);
    const fleet = fleetOf(secret, context);
    const documents = await documentsOf(rollout, secret, context);
    const renewing: Renewing = {
      secretId: rollout.secretId,
      versionId: rollout.versionId,
      since: new Date(rollout.publishedAt),
    };
    const outcome = await renewed(id, fleet, renewing, context);
    if (outcome !== 'gone') await demandTokens(id, fleet, documents, context);
    return { id, outcome, attempts: retries + 1 };
  },
};

async function renewed(
  id: string,
  fleet: BoundFleet,
  renewing: Renewing,
  context: StageContext,
): Promise<'renewed' | 'found' | 'gone'> {
  const { clock } = context.ports;
  let looks = 0;
  let begun = false;
  for (let wait = firstWait; ; wait = Math.min(wait * 1.5, longestWait)) {
    const seen = await fleet.look(id, renewing, clock);
    looks += 1;
    if (seen.is === 'gone') return 'gone';
    if (seen.is === 'renewed') return looks === 1 ? 'found' : 'renewed';
    if (seen.is === 'failed' && begun) throw notRenewed(id, seen.reason);
    if (seen.is !== 'starting' && !begun) {
      await fleet.begin(id, clock);
      begun = true;
    }
    if (context.remaining() < wait + margin) throw notRenewed(id, seen.reason);
    await clock.sleep(wait);
  }
}

interface Documents {
  readonly renewed: SecretDocument;
  /** Null: the secret's first value. */
  readonly former: SecretDocument | null;
}

/** Read before anything is done, so that a rollout whose version is not current any more redeploys nothing. */
async function documentsOf(
  rollout: RolloutState,
  secret: SecretSettings,
  { ports }: StageContext,
): Promise<Documents> {
  const { secretId, versionId, previousVersionId } = rollout;
  const current = await ports.secrets.read(secretId, versionId);
  demandCurrent(current.labels, rollout);
  const renewed = parseDocument(current.value, `The new value of ${secret.key}`);
  if (previousVersionId === null) return { renewed, former: null };
  const previous = await ports.secrets.read(secretId, previousVersionId);
  return { renewed, former: parseDocument(previous.value, `The old value of ${secret.key}`) };
}

async function demandTokens(
  id: string,
  fleet: BoundFleet,
  { renewed, former }: Documents,
  { ports }: StageContext,
): Promise<void> {
  const verdict = await fleet.ask(id, renewed, ports);
  if (verdict === null) return;
  if (verdict !== 'accepted') throw notRenewed(id, `a token of the new key is ${wordOf(verdict)} for it`);
  const old = former === null ? null : await fleet.ask(id, former, ports);
  if (old !== null && old !== 'refused')
    throw notRenewed(id, `a token of the old key is ${wordOf(old)} for it`);
}

function wordOf(verdict: 'accepted' | 'refused' | 'inconclusive'): string {
  return verdict === 'inconclusive' ? 'neither accepted nor refused' : verdict;
}

function notRenewed(id: string, reason: string): KeyturnError {
  return new KeyturnError({
    code: 'InstanceNotRenewed',
    message: `The instance ${id} is not renewed: ${reason}.`,
    hint: 'See at the platform why it does not come up; the rollout tries it again, and a resume does too.',
    retryable: true,
  });
}
