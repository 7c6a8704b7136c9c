import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { SecretVersion } from '../contract/ports.ts';
import type { StepContext, StepOutcome } from './context.ts';
import { holderOf } from './guards.ts';
import { type Pending, readPending } from './pending-version.ts';

/**
 * testSecret: proves the pending value without side effects.
 *
 * Secrets Manager also runs it alone when a schedule is saved, on a pending version that is a copy of the
 * current value (API reference, RotateSecret, RotateImmediately), or empty where there is no current value;
 * so nothing here asks that the pending value differs from the current one.
 */
export async function test(context: StepContext): Promise<StepOutcome> {
  const { event, kept } = context;
  const pending = await pendingValue(context);
  if (pending === null) return { did: 'nothing: the secret has no value yet, so there is none to test' };
  const { document, createdAt } = pending;
  await context.class.test(document);
  await keepsWhatCurrentMade(document, context);
  const testedAt = context.ports.clock.now();
  kept.tested.keep(event.secretId, event.token, { document, createdAt, testedAt });
  return { did: 'tested the pending value' };
}

/**
 * Against the version that create made it from. Where that one is not current, there is nothing to keep: finish
 * refuses the pending version, or it is the preflight's copy of the current one, whose base may be long gone.
 */
async function keepsWhatCurrentMade(
  document: SecretDocument,
  { event, ports, class: secretClass, secret }: StepContext,
): Promise<void> {
  const base = document.memory?.base ?? null;
  if (secretClass.keeps === null || base === null) return;
  const version = await readIfThere(() => ports.secrets.read(event.secretId, base));
  if (!version?.labels.includes('AWSCURRENT')) return;
  const current = parseDocument(version.value, `The current value of the secret ${secret.id}`);
  await secretClass.keeps({ document, current });
}

async function readIfThere(read: () => Promise<SecretVersion>): Promise<SecretVersion | null> {
  try {
    return await read();
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'AwsNotFound') return null;
    throw caught;
  }
}

/** Null: the preflight of a secret without any value. In a rotation, finish would refuse such a version. */
async function pendingValue(context: StepContext): Promise<Pending | null> {
  try {
    return await readPending(context);
  } catch (caught) {
    if (!(caught instanceof KeyturnError && caught.code === 'AwsNotFound')) throw caught;
    const description = await context.ports.secrets.describe(context.event.secretId);
    if (holderOf(description, 'AWSCURRENT') === null) return null;
    throw caught;
  }
}
