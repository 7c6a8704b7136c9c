import type { SecretDocument } from '../../lambdas/contract/document.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ProbePorts, Verdict } from '../../lambdas/contract/hooks.ts';
import type { SecretSettings } from '../../lambdas/contract/settings.ts';
import { probeKinds } from '../../lambdas/hooks/probe/kinds.ts';

/**
 * What the secret's target says of a document, asked from here. No answer is no verdict: an operator's machine
 * may not reach what the functions reach.
 *
 * @returns null where nothing can probe the secret.
 */
export async function verdictOn(
  { probe }: SecretSettings,
  document: SecretDocument,
  ports: ProbePorts,
): Promise<Verdict | null> {
  const bound = probe === null ? undefined : probeKinds.get(probe.kind)?.bind(probe);
  if (!bound?.ok) return null;
  try {
    return await bound.hook.ask(document, ports);
  } catch (caught) {
    if (!(caught instanceof KeyturnError)) throw caught;
    // A document without the variable holds nothing that could be accepted.
    return caught.code === 'DocumentInvalid' ? 'refused' : 'inconclusive';
  }
}
