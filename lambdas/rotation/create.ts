import { command } from '../contract/commands.ts';
import { emptyDocument, type Memory, parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { completedTag, givenUpLabel, rolledBackTag, suppliedLabel } from '../contract/marks.ts';
import { keepsOldValue } from '../contract/plan.ts';
import type { SecretDescription } from '../contract/ports.ts';
import { consentFor, needsConsent } from './consent.ts';
import type { StepContext, StepOutcome } from './context.ts';
import { holderOf, standingOf } from './guards.ts';
import { readPending } from './pending-version.ts';

/** Versions older than these few were replaced by rotations that nobody let finish; they are not chased further. */
const mostUnproven = 8;

/**
 * createSecret: writes this token's pending value, once.
 *
 * May run twice, and beside itself: the write is the arbiter. Secrets Manager refuses a second value under
 * one token, and then the first one stands.
 */
export async function create(context: StepContext): Promise<StepOutcome> {
  const { event, ports } = context;
  const description = await ports.secrets.describe(event.secretId);
  const standing = standingOf({ description, token: event.token, self: context.self });
  if (standing.is === 'current') return { did: 'nothing: this version is current already' };

  const current =
    standing.currentId === null ? null : await readDocument(context, standing.currentId, 'current');
  const made = await makeOrFind(context, description, current, standing.currentId);
  if (made === 'found') return { did: 'kept the value that an earlier try stored' };
  try {
    await ports.secrets.writePending({
      secretId: event.secretId,
      token: event.token,
      rotationToken: event.rotationToken,
      value: made.serialise(),
    });
    keepBase(context, current, standing.currentId);
    return { did: 'stored a pending value' };
  } catch (caught) {
    if (!(caught instanceof KeyturnError && caught.code === 'AwsTokenInUse')) throw caught;
    await readPending(context);
    return { did: 'kept the value that an earlier try stored' };
  }
}

/** Only where set asks for it: no value stays in a process for nothing. */
function keepBase(context: StepContext, current: SecretDocument | null, currentId: string | null): void {
  if (context.class.set === null || current === null || currentId === null) return;
  context.kept.base.keep(context.event.secretId, currentId, current);
}

/**
 * A refusal (no consent, nothing supplied) holds only while this token has no value: consent may run out
 * between two tries of one rotation, and the second must not undo the first.
 */
async function makeOrFind(
  context: StepContext,
  description: SecretDescription,
  current: SecretDocument | null,
  currentId: string | null,
): Promise<SecretDocument | 'found'> {
  try {
    return await make(context, description, current, currentId);
  } catch (refusal) {
    if (await hasValue(context)) return 'found';
    await makeWay(refusal, context);
    throw refusal;
  }
}

/**
 * A rotation that is refused because the former one still moves data must not stand in its way: the stages of that
 * one wait while a version is pending, and would give up in the end.
 */
async function makeWay(
  refusal: unknown,
  { event, ports, class: secretClass, secret }: StepContext,
): Promise<void> {
  const refused = refusal instanceof KeyturnError && refusal.code === 'StepRefused';
  if (refused && (secretClass.phases?.data || keepsOldValue(secret.plan)))
    await ports.secrets.removePending(event.secretId, event.token);
}

/**
 * A rollout of a data key that goes back leaves data under keys that only the version holds which it gave up. A value
 * that was made without them would leave that data for good.
 */
async function demandNothingGivenUp(
  context: StepContext,
  description: SecretDescription,
  current: SecretDocument | null,
): Promise<void> {
  const { data } = context.class.phases ?? {};
  const givenUp = holderOf(description, givenUpLabel);
  if (!data || givenUp === null || current === null) return;
  const { tags } = description;
  const isOver = tags.get(rolledBackTag) === givenUp;
  // A rollout of a data key completes with a count of nothing under any other key.
  if (isOver || tags.get(completedTag) === holderOf(description, 'AWSCURRENT')) return;
  const given = data.ring(await readDocument(context, givenUp, 'given-up'), true);
  const ring = data.ring(current, true);
  const known = new Set([ring.write, ...ring.others].map(({ id }) => id));
  const missing = [given.write, ...given.others].filter(({ id }) => !known.has(id)).map(({ id }) => id);
  if (missing.length === 0) return;
  throw new KeyturnError({
    code: 'StepRefused',
    message: `The secret ${description.name} must have moved its data back before it rotates; a rollout that gave up version ${givenUp} is not over, and the current value does not hold its key ${missing.join(', ')}.`,
    hint: `Let that rollout go on first: ${command('resume', context.secret.key)}.`,
  });
}

/**
 * A target that holds two values would lose the one that consumers may still run with. A version that a person put in,
 * or that was made current again, has no such rollout: what was current before it is not what it was made from.
 */
function demandOldValueGone(
  { secret }: StepContext,
  description: SecretDescription,
  current: SecretDocument | null,
  currentId: string | null,
): void {
  const base = current?.memory?.base ?? null;
  if (!keepsOldValue(secret.plan) || base === null || base !== holderOf(description, 'AWSPREVIOUS')) return;
  if (description.tags.get(completedTag) === currentId) return;
  throw new KeyturnError({
    code: 'StepRefused',
    message: `The rollout of the current version ${currentId} of ${description.name} must be over before it rotates again; it is not, and consumers may still run with the value that would be replaced at the target.`,
    hint: `Let it go on first: ${command('resume', secret.key)}.`,
  });
}

async function make(
  context: StepContext,
  description: SecretDescription,
  current: SecretDocument | null,
  currentId: string | null,
): Promise<SecretDocument> {
  const { ports, class: secretClass } = context;
  await demandNothingGivenUp(context, description, current);
  demandOldValueGone(context, description, current, currentId);
  const now = ports.clock.now();
  const reason = needsConsent(context.class, context.secret, now);
  const consent =
    reason === null ? undefined : consentFor(description, reason, current?.memory?.consent, now);
  const suppliedId = secretClass.supplied ? holderOf(description, suppliedLabel) : null;
  const fresh = suppliedId !== current?.memory?.supplied ? suppliedId : null;
  const supplied = fresh === null ? null : await readDocument(context, fresh, 'supplied');
  const changes = await secretClass.create({ current, supplied, random: ports.random });
  const unproven = unprovenVersions(description, current, currentId);
  const memory: Memory = {
    schema: 1,
    class: secretClass.id,
    base: currentId,
    ...(secretClass.phases === null ? {} : { phase: secretClass.phases.first(), root: context.event.token }),
    ...(unproven.length === 0 ? {} : { unproven }),
    ...(fresh === null ? {} : { supplied: fresh }),
    ...(consent === undefined ? {} : { consent }),
  };
  return (current ?? emptyDocument()).with(changes, memory);
}

/**
 * Versions that the rollout of the current one was to prove dead, where it has not got that far: the next
 * rollout takes them over.
 */
function unprovenVersions(
  description: SecretDescription,
  current: SecretDocument | null,
  currentId: string | null,
): string[] {
  const memory = current?.memory ?? null;
  if (memory === null || description.tags.get(completedTag) === currentId) return [];
  return [...(memory.base === null ? [] : [memory.base]), ...(memory.unproven ?? [])].slice(0, mostUnproven);
}

async function hasValue({ event, ports }: StepContext): Promise<boolean> {
  try {
    await ports.secrets.read(event.secretId, event.token);
    return true;
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'AwsNotFound') return false;
    throw caught;
  }
}

async function readDocument(context: StepContext, versionId: string, which: string): Promise<SecretDocument> {
  const version = await context.ports.secrets.read(context.event.secretId, versionId);
  return parseDocument(version.value, `The ${which} value of the secret ${context.secret.id}`);
}
