import type { InstanceResult } from '../contract/rollout-state.ts';

/** Ids that a sentence or an event names; the rest are in the execution's history. */
const mostNamed = 20;

export interface InstanceTally {
  readonly confirmed: number;
  readonly failed: number;
  /** The first ones. */
  readonly failedIds: string[];
}

export function tallyOf(results: readonly InstanceResult[]): InstanceTally {
  const failed = results.filter(({ outcome }) => outcome === 'failed');
  return {
    confirmed: results.filter(({ outcome }) => outcome === 'renewed' || outcome === 'found').length,
    failed: failed.length,
    failedIds: failed.slice(0, mostNamed).map(({ id }) => id),
  };
}

/** "2 of 500 instances do not hold a token of the new key: a, b." */
export function sentenceOf({ confirmed, failed, failedIds }: InstanceTally): string {
  const more = failed > failedIds.length ? ` and ${failed - failedIds.length} more` : '';
  return `${failed} of ${confirmed + failed} instances do not hold a token of the new key: ${failedIds.join(', ')}${more}.`;
}
