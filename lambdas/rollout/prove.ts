import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { BoundProbe, Verdict } from '../contract/hooks.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { probeKinds } from '../hooks/probe/kinds.ts';
import { classOfSecret } from './class-of.ts';
import { currentDocument, oldDocuments } from './old-documents.ts';
import { secretOf } from './secret-of.ts';

/**
 * Probes the real target: the new value must be accepted, the old one refused. Reads both by their ids; where
 * nothing can probe the secret, it says so (`oldValueRefused` null) instead of assuming.
 */
export const stage: StageDefinition = {
  id: 'prove',
  secretActions: ['secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  usesTarget: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const probe = boundProbe(secret) ?? probeOfClass(secret, context);
    if (probe === null) {
      context.ports.log({
        message: 'no probe is configured: nothing proven',
        secret: secret.key,
        stage: 'prove',
      });
      return { ...state, oldValueRefused: null };
    }
    const renewed = await currentDocument(state, secret, context);
    demand(await probe.ask(renewed, context.ports), 'accepted', secret);
    const former = await oldDocuments(state, renewed, context);
    for (const old of former) {
      demand(await verdictOnOld(probe, old, context), 'refused', secret);
    }
    return { ...state, oldValueRefused: former.length === 0 ? null : true };
  },
};

/** An old document without the variable (a placeholder, say) holds nothing that could still be accepted. */
async function verdictOnOld(
  probe: BoundProbe,
  old: SecretDocument,
  { ports }: StageContext,
): Promise<Verdict> {
  try {
    return await probe.ask(old, ports);
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'DocumentInvalid') return 'refused';
    throw caught;
  }
}

function demand(verdict: Verdict, expected: 'accepted' | 'refused', secret: SecretSettings): void {
  if (verdict === expected) return;
  if (verdict === 'inconclusive') {
    throw new KeyturnError({
      code: 'ProbeInconclusive',
      message: `The probe of ${secret.key} gave no clear answer.`,
      hint: 'See whether the probe’s address answers, and whether its accepted and refused describe the answers.',
      retryable: true,
    });
  }
  throw expected === 'accepted'
    ? new KeyturnError({
        code: 'NewValueNotAccepted',
        message: `The new value of ${secret.key} is refused by its target.`,
        hint: 'A consumer may not have read it, or the probe’s subject may lack a right there.',
        retryable: true,
      })
    : new KeyturnError({
        code: 'OldValueStillAccepted',
        message: `The old value of ${secret.key} is still accepted by its target.`,
        hint: 'A consumer may still run with it; where a provider made it, revoke it there.',
        retryable: true,
      });
}

function boundProbe(secret: SecretSettings): BoundProbe | null {
  if (secret.probe === null) return null;
  const bound = probeKinds.get(secret.probe.kind)?.bind(secret.probe);
  if (bound?.ok) return bound.hook;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The probe of ${secret.key} must be of a known kind with its members; it is of kind ${secret.probe.kind}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}

/** What the class itself can ask at its target. */
function probeOfClass(secret: SecretSettings, { ports }: StageContext): BoundProbe | null {
  // Only classes with a target can ask there, and only those are in this function.
  const accepts = ports.classes.has(secret.class) ? classOfSecret(secret, ports).accepts : null;
  if (accepts === null) return null;
  return { ask: async (document) => ((await accepts(document)) ? 'accepted' : 'refused') };
}
