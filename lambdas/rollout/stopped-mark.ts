/** The mark on a secret while its consumers are stopped: it outlasts the rollout, whatever ends that. */
import { stoppedTag } from '../contract/marks.ts';
import { type Plan, type PlanId, plans } from '../contract/plan.ts';
import type { RolloutState } from '../contract/rollout-state.ts';

type Tag = readonly [name: string, value: string];

/** From now on they may be stopped. */
export function standStill({ versionId }: RolloutState, now: Date): Tag {
  return [stoppedTag, `${versionId} ${now.toISOString()}`];
}

/** With what a rollout ends that has seen them run again; nothing where the plan does not stop them. */
export function runsAgain({ plan: id }: RolloutState): readonly Tag[] {
  const plan: Plan | undefined = plans[id as PlanId];
  return plan?.stages.includes('quiesce') === true ? [[stoppedTag, 'none']] : [];
}
