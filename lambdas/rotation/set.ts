import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { StepContext, StepOutcome } from './context.ts';
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
  const current = base === null ? null : await baseDocument(context, base);
  const began = context.ports.clock.now();
  const outcome = await apply({
    document: pending.document,
    current,
    earlier: () => earlier(context, base),
  });
  if (outcome === 'found') return { did: 'nothing: the target accepts the pending value already' };
  context.kept.changing.keep(context.event.secretId, context.event.token, began);
  return { did: 'set the pending value at its target' };
}

function baseDocument(context: StepContext, base: string): SecretDocument | Promise<SecretDocument> {
  return context.kept.base.take(context.event.secretId, base) ?? readDocument(context, base, 'current');
}

/** Versions without labels that are tried: those of the last few rotations that nobody let finish. */
const mostUnlabelled = 8;

/**
 * The version before the current one, then recent ones without labels: a rotation that was cancelled between set
 * and finish leaves the only working password there (`reliability.md` F2). A version that cannot be read, or is no
 * document, is left out: it was only to be tried.
 */
async function* earlier(context: StepContext, base: string | null): AsyncIterable<SecretDocument> {
  const { event, ports } = context;
  const versions = await ports.secrets.versions(event.secretId);
  const others = versions.filter(({ versionId }) => versionId !== base && versionId !== event.token);
  const previous = others.filter(({ labels }) => labels.includes('AWSPREVIOUS'));
  const unlabelled = others.filter(({ labels }) => labels.length === 0).slice(0, mostUnlabelled);
  for (const { versionId } of [...previous, ...unlabelled]) {
    const document = await documentIfReadable(context, versionId);
    if (document !== null) yield document;
  }
}

async function documentIfReadable(context: StepContext, versionId: string): Promise<SecretDocument | null> {
  try {
    return await readDocument(context, versionId, 'earlier');
  } catch (caught) {
    const isGone =
      caught instanceof KeyturnError && (caught.code === 'AwsNotFound' || caught.code === 'DocumentInvalid');
    if (isGone) return null;
    throw caught;
  }
}

async function readDocument(context: StepContext, versionId: string, which: string): Promise<SecretDocument> {
  const { value } = await context.ports.secrets.read(context.event.secretId, versionId);
  return parseDocument(value, `The ${which} value of the secret ${context.secret.id}`);
}
