/** What is looked at of a platform's stored data: no write lost, and nothing left that a retired key opens. */

import { clock, random } from '../../lambdas/adapters/platform.ts';
import { server } from '../../lambdas/adapters/reencrypt/postgres.ts';
import { parseDocument } from '../../lambdas/contract/document.ts';
import { type Plan, plans } from '../../lambdas/contract/plan.ts';
import type { ReencryptPorts } from '../../lambdas/contract/reencryption.ts';
import type { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { hook as sweep } from '../../lambdas/hooks/reencrypt/postgres.ts';
import type { ResolvedSecret } from '../deployment/resolve.ts';
import type { Stage } from './acts.ts';
import type { End } from './follow.ts';

/** Whether a rotation of this secret stops what reads it. */
export function stopsConsumers({ plan: id }: ResolvedSecret): boolean {
  const plan: Plan = plans[id];
  return plan.stages.includes('quiesce');
}

/**
 * What does not hold of the stored data after a rotation of its key, in a sentence; null: all holds.
 *
 * @param before the value that was current before: after a completed rotation its key must open nothing
 */
export async function storedObjection(
  { deployment, secret, operator }: Stage,
  before: Sensitive,
  end: End,
): Promise<string | null> {
  const { stored, urls } = deployment;
  const { resolved } = secret;
  if (stored === null || resolved.reencryptions.length === 0) return null;
  const lost = await stored.lost(urls);
  if (lost.length > 0) return `${lost.length} acknowledged writes are lost: ${lost[0]}`;
  if (stored.acknowledged() === 0) return 'No write was acknowledged, so that none could be lost.';
  if (end !== 'completed') return null;
  const opened = await rowsOpenedBy(before, resolved, async (id, member) =>
    parseDocument((await operator.read(id, 'AWSCURRENT')).value, 'The credential').value(member),
  );
  return opened === 0 ? null : `${opened} rows are still opened by the key that was retired.`;
}

/** Counts with the old key alone: what it opens is not left over as unreadable. */
async function rowsOpenedBy(
  before: Sensitive,
  { class: secretClass, settings, reencryptions }: ResolvedSecret,
  credential: ReencryptPorts['credential'],
): Promise<number> {
  const document = parseDocument(before, 'The value from before');
  const ring = secretClass.bind(settings.options).phases?.data?.ring(document, true);
  if (ring === undefined) return 0;
  const ports: ReencryptPorts = {
    clock,
    credential,
    log: () => {},
    remaining: () => 60_000,
    progress: () => {},
  };
  let opened = 0;
  for (const { kind, members } of reencryptions) {
    if (kind !== sweep.kind) continue;
    const bound = sweep.connect({ server, random }).bind(members);
    if (!bound.ok) throw new Error(bound.broken.join(' '));
    const alone = {
      ring: { write: ring.write, others: [] },
      cursor: null,
      dryRun: true,
      secretId: settings.id,
      // The sweep reads none: it is given the ring.
      versionIds: [],
    };
    const report = await bound.hook.count(alone, ports).catch(nothingOpens);
    opened += (report?.targets ?? []).reduce((sum, { total, poisoned }) => sum + (total ?? 0) - poisoned, 0);
  }
  return opened;
}

/** The sweep refuses a key that opens none of the first rows: here that is what should be. */
function nothingOpens(error: unknown): null {
  if (error instanceof Error && error.name === 'HookRefused' && error.message.startsWith('None of'))
    return null;
  throw error;
}
