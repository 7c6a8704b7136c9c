import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { StepContext, StepOutcome } from './context.ts';
import { holderOf } from './guards.ts';
import { readPending } from './pending-version.ts';

/**
 * setSecret: makes the target accept the pending value, for classes that have a target.
 *
 * May run twice: the class applies the recorded value, it never makes one.
 */
export async function set(context: StepContext): Promise<StepOutcome> {
  const pending = await readPending(context);
  if (pending.is === 'current') return { did: 'nothing: this version is current already' };
  const { set: apply } = context.class;
  if (apply === null) return { did: 'nothing: no target has to be told of this value' };
  const base = pending.document.memory?.base ?? null;
  const current = base === null ? null : await readDocument(context, base, 'current');
  await apply({ document: pending.document, current, earlier: () => earlier(context, base) });
  return { did: 'set the pending value at its target' };
}

/**
 * The version before the current one. A version that cannot be read, or is no document, is left out: it was
 * only to be tried.
 */
async function* earlier(context: StepContext, base: string | null): AsyncIterable<SecretDocument> {
  const description = await context.ports.secrets.describe(context.event.secretId);
  const previous = holderOf(description, 'AWSPREVIOUS');
  if (previous === null || previous === base || previous === context.event.token) return;
  try {
    yield await readDocument(context, previous, 'previous');
  } catch (caught) {
    const isGone =
      caught instanceof KeyturnError && (caught.code === 'AwsNotFound' || caught.code === 'DocumentInvalid');
    if (!isGone) throw caught;
  }
}

async function readDocument(context: StepContext, versionId: string, which: string): Promise<SecretDocument> {
  const { value } = await context.ports.secrets.read(context.event.secretId, versionId);
  return parseDocument(value, `The ${which} value of the secret ${context.secret.id}`);
}
