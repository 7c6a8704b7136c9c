import type { Phase } from '../../lambdas/contract/document.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { goesBackByItself, type Plan, type PlanId, plans } from '../../lambdas/contract/plan.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { startAttempt as startNumbered } from '../../lambdas/rollout/start.ts';
import { lookAt, type Sighting } from './look.ts';
import { phaseOf } from './phase.ts';
import { refusal } from './refusal.ts';
import { latestAttempt } from './rollout-standing.ts';
import { moment } from './spans.ts';
import { machineArn, type Subject } from './subject.ts';

export interface StartedRollout {
  readonly state: RolloutState;
  /** False when the very attempt existed already: somebody else was faster. */
  readonly started: boolean;
}

/**
 * Starts the next attempt of the current version's rollout.
 *
 * Running it twice starts one: the attempt's number is in the execution's name.
 *
 * @throws KeyturnError OperationRefused when one runs, or when there is nothing to go on with.
 */
export async function resume(subject: Subject, ports: OperatorPorts): Promise<StartedRollout> {
  const sighting = await lookAt(subject, ports);
  demandUnfinished(sighting);
  return startAttempt(subject, continued(sighting), ports);
}

/** Starts this state's rollout under the first number that is free. */
export async function startAttempt(
  subject: Subject,
  state: Omit<RolloutState, 'attempt'>,
  { rollouts }: OperatorPorts,
): Promise<StartedRollout> {
  const latest = await latestAttempt(subject, state.secretId, state.versionId, rollouts);
  const numbered: RolloutState = { ...state, attempt: (latest?.number ?? 0) + 1 };
  const machine = machineArn(subject, state.secretId);
  const started = await startNumbered(rollouts, machine, subject.secret.key, numbered);
  return { state: numbered, started };
}

function demandUnfinished({ rollout, subject, currentId, overview }: Sighting): void {
  const { key } = subject.secret;
  const rotate = `To begin a rotation: keyturn rotate ${key}.`;
  switch (rollout.is) {
    case 'stalled':
    case 'missing':
      return;
    case 'running':
      throw refusal(
        `The rollout of ${key} is running: it is at ${rollout.trying.stage} since ${moment(rollout.trying.since)}.`,
        `See how it gets on: keyturn status ${key}.`,
      );
    case 'starting':
      throw refusal(
        `The rotation of ${key} has just ended; its rollout is about to start by itself.`,
        `See how it gets on: keyturn status ${key}.`,
      );
    case 'none':
      throw refusal(
        overview.lastRotatedAt === null
          ? `${key} has not been rotated by Keyturn yet: there is no rollout to go on with.`
          : `${key} has no current version.`,
        rotate,
      );
    case 'completed':
    case 'rolled-back':
      throw refusal(`The rollout of ${key} is over: version ${currentId} runs everywhere.`, rotate);
  }
}

/**
 * The state from which the rollout goes on: what the stopped execution knew, else what labels and dates tell.
 *
 * The time of publication decides which consumers count as renewed. Where it is not known it is now, which
 * restarts every consumer once more and can leave none with an old value.
 */
export function continued(sighting: Sighting): Omit<RolloutState, 'attempt'> {
  const { rollout, overview, currentId, previousId, subject, now } = sighting;
  const phase = phaseOf(sighting);
  if (rollout.is === 'stalled') return takenUp(rollout.state, currentId ?? '', phase, now);
  const since = rollout.is === 'missing' ? rollout.since : null;
  return {
    schema: 1 as const,
    secretId: overview.arn,
    versionId: currentId ?? '',
    previousVersionId: previousId,
    plan: subject.secret.plan,
    ...(phase === null ? {} : { phase }),
    publishedAt: (since ?? now).toISOString(),
  };
}

/**
 * What a stopped execution knew, put right by what is current now: it may have been ended between a move of
 * AWSCURRENT and the answer to it. One that was on its way back goes on going back, where its plan has such a way.
 *
 * @param phase of the current version; null: not known, or its class has none.
 */
export function takenUp(
  stopped: RolloutState,
  currentId: string,
  phase: Phase | null,
  now: Date,
): Omit<RolloutState, 'attempt'> {
  const { failure: _failure, attempt: _attempt, oldValueRefused: _proof, ...state } = stopped;
  const moved = state.versionId !== currentId;
  const target = state.lastProvenVersionId ?? state.previousVersionId;
  if (moved && state.rolledBackFrom === undefined && currentId === target) {
    const {
      reencryption: _forward,
      keys: _theirs,
      phase: _given,
      lastProvenVersionId: _reached,
      ...kept
    } = state;
    const back = {
      versionId: currentId,
      previousVersionId: state.versionId,
      rolledBackFrom: state.versionId,
    };
    return goingOn({ ...kept, ...back, publishedAt: now.toISOString() });
  }
  if (!moved) return goingOn(state);
  const { keys: _former, ...rest } = state;
  return goingOn({
    ...rest,
    versionId: currentId,
    lastProvenVersionId: state.versionId,
    ...(phase === null ? {} : { phase }),
    publishedAt: now.toISOString(),
  });
}

function goingOn(state: Omit<RolloutState, 'attempt'>): Omit<RolloutState, 'attempt'> {
  const plan: Plan | undefined = plans[state.plan as PlanId];
  const back = state.rolledBackFrom !== undefined && plan !== undefined && goesBackByItself(plan);
  return back ? { ...state, goBack: true } : state;
}
