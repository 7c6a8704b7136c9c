import { emptyDocument, type Memory, parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { completedTag, suppliedLabel } from '../contract/marks.ts';
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
    return { did: 'stored a pending value' };
  } catch (caught) {
    if (!(caught instanceof KeyturnError && caught.code === 'AwsTokenInUse')) throw caught;
    await readPending(context);
    return { did: 'kept the value that an earlier try stored' };
  }
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
    return (await hasValue(context)) ? 'found' : Promise.reject(refusal);
  }
}

async function make(
  context: StepContext,
  description: SecretDescription,
  current: SecretDocument | null,
  currentId: string | null,
): Promise<SecretDocument> {
  const { ports, class: secretClass } = context;
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
