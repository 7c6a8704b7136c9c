import { KeyturnError } from '../contract/errors.ts';
import type { BoundFleet } from '../contract/fleet-hooks.ts';
import type { Renewing } from '../contract/hooks.ts';
import { supersededError } from '../contract/plan.ts';
import {
  type InstanceResult,
  parseRolloutState,
  type RolloutState,
  resultsOf,
} from '../contract/rollout-state.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { fleetOf } from './fleet-of.ts';
import { sentenceOf, tallyOf } from './instance-tally.ts';
import { secretOf } from './secret-of.ts';

/**
 * Judges how it went. The platform's list is read once more: an instance that appeared meanwhile, or that moved
 * between two pages while the list was read, is looked at here. It holds a token of the new key in most cases, since
 * the platform itself was restarted before; else it counts as failed, and the next attempt renews it.
 *
 * Changes nothing; may run twice.
 */
export const stage: StageDefinition = {
  id: 'count-instances',
  secretActions: [],
  readsValues: false,
  putsEvents: false,
  redeploys: false,
  usesFleet: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const results = resultsOf(state);
    if (results.some(({ code }) => code === supersededError)) {
      throw new KeyturnError({
        code: supersededError,
        message: `The version ${state.versionId} of ${secret.key} is not current any more.`,
        hint: 'The rollout of the later version renews the instances.',
      });
    }
    const all = await completed(results, fleetOf(secret, context), state, context);
    const tally = tallyOf(all);
    context.ports.log({
      message: 'counted the instances that are confirmed',
      secret: secret.key,
      stage: 'count-instances',
      count: tally.confirmed,
    });
    if (tally.failed > 0) {
      throw new KeyturnError({
        code: 'InstancesFailed',
        message: sentenceOf(tally),
        hint: 'The others are confirmed. Heal these, then resume the rollout: it renews only what is not confirmed.',
      });
    }
    const { instances: _counted, ...rest } = state;
    return { ...rest, instancesConfirmed: tally.confirmed };
  },
};

/** The results, with one for each active instance that has none; without those whose instance is gone. */
async function completed(
  results: readonly InstanceResult[],
  fleet: BoundFleet,
  state: RolloutState,
  { ports }: StageContext,
): Promise<InstanceResult[]> {
  const active = new Set(await fleet.list(ports.clock));
  const known = new Set(results.map(({ id }) => id));
  const renewing: Renewing = {
    secretId: state.secretId,
    versionId: state.versionId,
    since: new Date(state.publishedAt),
  };
  const late: InstanceResult[] = [];
  for (const id of active) {
    if (known.has(id)) continue;
    const { is } = await fleet.look(id, renewing, ports.clock);
    if (is !== 'gone') late.push(is === 'renewed' ? { id, outcome: 'found' } : { id, outcome: 'failed' });
  }
  // An instance that failed and is not in the list any more was taken down: nobody waits for it.
  return [...results.filter(({ id, outcome }) => outcome !== 'failed' || active.has(id)), ...late];
}
