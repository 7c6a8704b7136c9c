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
  { deployment, secret, secretId, operator }: Stage,
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
  const current = await operator.read(secretId, 'AWSCURRENT');
  return openedByRetired({ before, current: current.value }, resolved, async (id, member) =>
    parseDocument((await operator.read(id, 'AWSCURRENT')).value, 'The credential').value(member),
  );
}

/**
 * Looks at every stored value with the keys of now and, beside them, those that are gone since: a value that one of
 * these still opens, or a look that saw nothing, is an objection.
 */
export async function openedByRetired(
  { before, current }: { readonly before: Sensitive; readonly current: Sensitive },
  {
    class: secretClass,
    settings,
    reencryptions,
  }: Pick<ResolvedSecret, 'class' | 'settings' | 'reencryptions'>,
  credential: ReencryptPorts['credential'],
): Promise<string | null> {
  const { phases } = secretClass.bind(settings.options);
  const ringOf = (value: Sensitive) => phases?.data?.ring(parseDocument(value, 'The value'), false);
  const [former, held] = [ringOf(before), ringOf(current)];
  if (former === undefined || held === undefined) return null;
  const kept = new Set([held.write, ...held.others].map(({ id }) => id));
  const retired = [former.write, ...former.others].filter(({ id }) => !kept.has(id));
  const ports: ReencryptPorts = {
    clock,
    credential,
    log: () => {},
    remaining: () => 60_000,
    progress: () => {},
  };
  for (const { kind, members } of reencryptions) {
    if (kind !== sweep.kind) continue;
    const bound = sweep.connect({ server, random }).bind(members);
    if (!bound.ok) throw new Error(bound.broken.join(' '));
    const all = {
      ring: { write: held.write, others: [...held.others, ...retired] },
      cursor: null,
      dryRun: true,
      secretId: settings.id,
      // The sweep reads none: it is given the ring.
      versionIds: [],
    };
    const { targets, finished } = await bound.hook.count(all, ports);
    if (!finished) return 'The stored data could not be looked at in one go.';
    for (const { target, under } of targets) {
      const rows = Object.entries(under ?? {});
      if (rows.every(([, count]) => count === 0))
        return `Nothing was seen in ${target}, which proves nothing.`;
      const left = rows.filter(([id]) => retired.some((key) => key.id === id));
      const opened = left.reduce((sum, [, count]) => sum + count, 0);
      if (opened > 0) return `${opened} values of ${target} are still opened by a key that was retired.`;
    }
  }
  return retired.length === 0 ? 'No key was retired, so that none could be proven useless.' : null;
}
