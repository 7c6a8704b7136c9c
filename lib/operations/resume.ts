import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { startAttempt as startNumbered } from '../../lambdas/rollout/start.ts';
import { lookAt, type Sighting } from './look.ts';
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
function continued({ rollout, overview, currentId, previousId, subject, now }: Sighting) {
  if (rollout.is === 'stalled') {
    const { failure: _failure, attempt: _attempt, oldValueRefused: _proof, ...state } = rollout.state;
    return state;
  }
  const since = rollout.is === 'missing' ? rollout.since : null;
  return {
    schema: 1 as const,
    secretId: overview.arn,
    versionId: currentId ?? '',
    previousVersionId: previousId,
    plan: subject.secret.plan,
    publishedAt: (since ?? now).toISOString(),
  };
}
