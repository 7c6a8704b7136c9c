import { parseDocument } from '../contract/document.ts';
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
  const current =
    base === null
      ? null
      : parseDocument(
          (await context.ports.secrets.read(context.event.secretId, base)).value,
          `The current value of the secret ${context.secret.id}`,
        );
  await apply({ document: pending.document, current });
  return { did: 'set the pending value at its target' };
}
