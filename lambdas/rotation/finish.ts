import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { keyturnEvent } from '../contract/events.ts';
import { keepsOldValue } from '../contract/plan.ts';
import type { StepContext, StepOutcome } from './context.ts';
import { holderOf, standingOf } from './guards.ts';
import { type Pending, readPending } from './pending-version.ts';

/**
 * finishSecret: makes the pending version current, if it works now and if what is current is still what it
 * was made from. AWSPENDING is left on it: Secrets Manager takes that label away when it closes the rotation,
 * and earlier removal can be taken for an unfinished one (user guide, "Lambda rotation functions").
 *
 * May run twice: the move is guarded by the version that it moves from, and the event is sent again, since
 * an earlier try may have ended between the two.
 */
export async function finish(context: StepContext): Promise<StepOutcome> {
  const { event, ports } = context;
  const description = await ports.secrets.describe(event.secretId);
  const standing = standingOf({ description, token: event.token, self: context.self });
  if (standing.is === 'current') {
    const { document } = await readPending(context);
    await announce(context, document, standing.previousId, null);
    return { did: 'nothing: this version is current already; said so again' };
  }

  const began = context.kept.changing.take(event.secretId, event.token);
  const { document, createdAt } = await testedValue(context);
  checkBase(document, standing.currentId, context);
  await moveOnce(context, standing.currentId);
  await announce(context, document, standing.currentId, gapSeconds(context, began ?? createdAt));
  return { did: 'made the pending version current' };
}

/**
 * A move whose answer was lost, or that another invocation of this step made, looks like a refusal when it is
 * tried again: what is current decides.
 */
async function moveOnce({ event, ports }: StepContext, from: string | null): Promise<void> {
  try {
    await ports.secrets.moveCurrent(event.secretId, event.token, from);
  } catch (caught) {
    const description = await ports.secrets.describe(event.secretId);
    if (holderOf(description, 'AWSCURRENT') !== event.token) throw caught;
  }
}

/**
 * Milliseconds for which a test of this very process counts as now. Secrets Manager sends finish right after test, and
 * at a target that knows one value only, every login in between is time in which what is current does not work.
 */
const freshFor = 10_000;

/** The pending document, tested now: a finish that comes without its test must not promote anything. */
async function testedValue(context: StepContext): Promise<Pick<Pending, 'document' | 'createdAt'>> {
  const { event, kept, ports } = context;
  const tested = kept.tested.take(event.secretId, event.token);
  const age = tested === null ? freshFor : ports.clock.now().getTime() - tested.testedAt.getTime();
  const value = tested ?? (await readPending(context));
  if (age >= freshFor || age < 0) await context.class.test(value.document);
  return value;
}

/** A value that somebody typed in between must not be overwritten in silence. */
function checkBase(document: SecretDocument, currentId: string | null, { event, secret }: StepContext): void {
  if (document.memory === null) {
    throw new KeyturnError({
      code: 'StepRefused',
      message: `The pending value of the secret ${secret.id} was not made by Keyturn.`,
      hint: 'Remove the label AWSPENDING from that version, then rotate again.',
    });
  }
  if (document.memory.base !== currentId) {
    throw new KeyturnError({
      code: 'CurrentChanged',
      message: `The current version of the secret ${secret.id} changed during its rotation: version ${event.token} was made from ${document.memory.base ?? 'an empty secret'}, and ${currentId ?? 'no version'} is current.`,
      hint: 'Remove the label AWSPENDING from that version, then rotate again: the new value will be made from what is current.',
    });
  }
}

/**
 * How long what was current did not work, at a target that knows one value only; null for all others. Never too
 * small: it counts from before the change.
 */
function gapSeconds(
  { class: secretClass, secret, ports, settings }: StepContext,
  began: Date,
): number | null {
  if (secretClass.set === null || !secret.cutover) return null;
  const seconds = Math.max(0, ports.clock.now().getTime() - began.getTime()) / 1000;
  ports.metrics.put({
    metric: 'CurrentRefusedSeconds',
    value: seconds,
    of: { Deployment: settings.deployment, Secret: secret.key },
  });
  return seconds;
}

async function announce(
  { event, ports, secret, settings, class: secretClass }: StepContext,
  { memory }: SecretDocument,
  previousId: string | null,
  gap: number | null,
): Promise<void> {
  // An older version knows fewer keys: what a key wrote that came since could not be read with it. And at a target that
  // holds two values, an older one has been replaced.
  const onlyPrevious = secretClass.phases?.data || keepsOldValue(secret.plan);
  const lastProven = onlyPrevious ? undefined : memory?.unproven?.at(-1);
  await ports.events.put(
    keyturnEvent('Rotation Finished', {
      schema: 1,
      deployment: settings.deployment,
      platform: settings.platform,
      secret: secret.key,
      secretId: event.secretId,
      versionId: event.token,
      previousVersionId: previousId,
      ...(lastProven === undefined ? {} : { lastProvenVersionId: lastProven }),
      class: secret.class,
      plan: secret.plan,
      publishedAt: ports.clock.now().toISOString(),
      at: 'finish',
      ...(gap === null ? {} : { gapSeconds: gap }),
    }),
  );
}
