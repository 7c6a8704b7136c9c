/** Where the rollout of a secret's current version stands: gathered from executions, then decided. */

import { completedTag, rolledBackTag } from '../../lambdas/contract/marks.ts';
import type {
  EnteredState,
  ExecutionSummary,
  OperatorRollouts,
  SecretOverview,
} from '../../lambdas/contract/operator-ports.ts';
import { rolledBackError } from '../../lambdas/contract/plan.ts';
import { parseRolloutState, type RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { derivedToken, publishedPhases } from '../../lambdas/contract/tokens.ts';
import { reasonOf } from '../../lambdas/rollout/failure-reason.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { rootOf } from './phase.ts';
import { executionArn, type Subject } from './subject.ts';

/** What is being tried at this moment, and what went wrong with it so far. */
export interface Trying {
  /** The state's name: a stage, or the wait before one. */
  readonly stage: string;
  readonly since: Date;
  /** Failed tries of this stage. */
  readonly failures: number;
  /** Why the last try failed; null: none did. */
  readonly reason: string | null;
}

export type RolloutStanding =
  /** The version is not of a rotation: there is nothing to roll out. */
  | { readonly is: 'none' }
  /** The rotation has just ended, and its event is on the way. */
  | { readonly is: 'starting' }
  | {
      readonly is: 'running';
      readonly attempt: number;
      readonly trying: Trying;
      /** True when it brings back the version that was current before. */
      readonly goingBack: boolean;
    }
  | { readonly is: 'completed' }
  /** The current version was made current again, and runs everywhere. */
  | { readonly is: 'rolled-back'; readonly from: string }
  | {
      readonly is: 'stalled';
      readonly attempt: number;
      /** The stage that failed for good. */
      readonly at: string;
      readonly code: string;
      readonly reason: string;
      readonly when: Date;
      /** What the execution knew when it stopped. */
      readonly state: RolloutState;
    }
  /** The version is current, and no rollout has brought it to the consumers. */
  | {
      readonly is: 'missing';
      readonly why: string;
      /** When AWSCURRENT moved to it; null: not known. */
      readonly since: Date | null;
    };

/** The newest execution of a version's rollout. */
export interface Attempt {
  readonly number: number;
  readonly execution: ExecutionSummary;
}

/** An attempt with its way so far. */
export interface Walked extends Attempt {
  readonly states: readonly EnteredState[];
}

export interface Evidence {
  readonly overview: SecretOverview;
  readonly now: Date;
  /** The attempt that is in charge of the current version; null: none is known. */
  readonly walked: Walked | null;
  /** True when the version before has been brought to the consumers later than the current one. */
  readonly overtaken: boolean;
}

/** Milliseconds in which the event of a finished rotation usually has started its rollout. */
const eventTravels = 120_000;

/** @returns null where the version has no execution, or none any more. */
export async function latestAttempt(
  subject: Subject,
  secretId: string,
  versionId: string,
  rollouts: OperatorRollouts,
): Promise<Attempt | null> {
  let latest: Attempt | null = null;
  for (let number = 1; ; number += 1) {
    const arn = executionArn(subject, { secretId, versionId, attempt: number });
    const execution = await rollouts.describe(arn);
    if (execution === null) return latest;
    latest = { number, execution };
  }
}

/**
 * The attempt that is in charge of the current version. It is not always one of this version's own: an
 * execution that rolls back makes the version before current, and brings that one to the consumers; one that
 * publishes the phases of an overlap is named after the first of them.
 */
export async function attemptInCharge(
  subject: Subject,
  overview: SecretOverview,
  rollouts: OperatorRollouts,
): Promise<Pick<Evidence, 'walked' | 'overtaken'>> {
  const currentId = holderOf(overview, 'AWSCURRENT');
  const previousId = holderOf(overview, 'AWSPREVIOUS');
  if (currentId === null) return { walked: null, overtaken: false };
  const family = familyOf(currentId, overview);
  const others = previousId === null || family.includes(previousId) ? [] : familyOf(previousId, overview);
  const [own, other] = await Promise.all(
    [family, others].map((ids) => latestOf(subject, overview.arn, ids, rollouts)),
  );
  const laterThan = own?.execution.startedAt.getTime() ?? 0;
  const later = other !== undefined && other.execution.startedAt.getTime() > laterThan ? other : null;
  if (later !== null && later.execution.status !== 'SUCCEEDED') {
    const walked = { ...later, states: await rollouts.states(later.execution.arn) };
    // While it runs, the label may have been moved by the stage that is at work.
    const inCharge =
      later.execution.status === 'RUNNING' ||
      family.includes(stateOf(walked).versionId) ||
      wentBackTo(family, walked);
    if (inCharge) return { walked, overtaken: false };
  }
  const overtaken = later !== null;
  if (own === undefined) return { walked: null, overtaken };
  // The way of what ended well is of no interest, and it is another call for every secret of a fleet.
  const states = own.execution.status === 'SUCCEEDED' ? [] : await rollouts.states(own.execution.arn);
  return { walked: { ...own, states }, overtaken };
}

/** The versions of one rotation: one, or the phases of an overlap, whose ids follow from the first one's. */
function familyOf(versionId: string, overview: SecretOverview): string[] {
  const root = rootOf(versionId, overview);
  const later = publishedPhases.map((phase) => derivedToken(root, phase));
  return [root, ...later.filter((id) => overview.versions.has(id))];
}

/** Whether an execution was ended while it made this version current again: it does not know yet that it did. */
function wentBackTo(family: readonly string[], walked: Walked): boolean {
  const { lastProvenVersionId, previousVersionId } = stateOf(walked);
  const target = lastProvenVersionId ?? previousVersionId;
  return walked.states.at(-1)?.name === 'roll-back' && target !== null && family.includes(target);
}

async function latestOf(
  subject: Subject,
  secretId: string,
  versionIds: readonly string[],
  rollouts: OperatorRollouts,
): Promise<Attempt | undefined> {
  const attempts = await Promise.all(
    versionIds.map((versionId) => latestAttempt(subject, secretId, versionId, rollouts)),
  );
  return attempts
    .filter((attempt) => attempt !== null)
    .sort((a, b) => b.execution.startedAt.getTime() - a.execution.startedAt.getTime())[0];
}

/** Decides; changes and asks nothing. */
export function standingOf({ overview, now, walked, overtaken }: Evidence): RolloutStanding {
  const currentId = holderOf(overview, 'AWSCURRENT');
  if (currentId === null) return { is: 'none' };
  if (walked?.execution.status === 'RUNNING') return running(walked);
  const ended = walked === null ? null : endOf(walked);
  const goneBack = walked !== null && stateOf(walked).rolledBackFrom !== undefined;
  // A rollout that stalled on its way back leaves the mark of the completion that the version once had.
  if (ended !== null && goneBack) return ended;
  if (overview.tags.get(completedTag) === currentId) {
    if (overtaken) {
      return {
        is: 'missing',
        why: 'AWSCURRENT was moved back to it by hand, after the rollout of another version had begun',
        since: null,
      };
    }
    const from = overview.tags.get(rolledBackTag);
    return from !== undefined && from === holderOf(overview, 'AWSPREVIOUS')
      ? { is: 'rolled-back', from }
      : { is: 'completed' };
  }
  if (ended !== null) return ended;
  if (walked !== null) {
    return {
      is: 'missing',
      why: 'it was made current again after its own rollout was over',
      since: null,
    };
  }
  return withoutExecution(overview, currentId, now);
}

function withoutExecution(overview: SecretOverview, currentId: string, now: Date): RolloutStanding {
  const { lastRotatedAt } = overview;
  const pendingToo = overview.labels.get(currentId)?.includes('AWSPENDING') ?? false;
  const createdAt = overview.versions.get(currentId)?.createdAt ?? new Date(0);
  if (lastRotatedAt === null && !overview.tags.has(completedTag)) {
    return pendingToo ? { is: 'starting' } : { is: 'none' };
  }
  const moved = lastRotatedAt !== null && lastRotatedAt >= createdAt ? lastRotatedAt : createdAt;
  if (moved === createdAt && !pendingToo) {
    return { is: 'missing', why: 'it was put in by hand, not by a rotation', since: createdAt };
  }
  return now.getTime() - moved.getTime() < eventTravels
    ? { is: 'starting' }
    : { is: 'missing', why: 'the event of its rotation started nothing', since: moved };
}

function running(walked: Walked): RolloutStanding {
  const last = walked.states.at(-1);
  const failure = last?.lastFailure ?? null;
  return {
    is: 'running',
    attempt: walked.number,
    goingBack: stateOf(walked).rolledBackFrom !== undefined,
    trying: {
      stage: last?.name ?? 'start',
      since: last?.enteredAt ?? walked.execution.startedAt,
      failures: last?.failures ?? 0,
      reason:
        failure === null
          ? null
          : reasonOf({ ...stateOf(walked), failure: { Error: failure.error, Cause: failure.cause } }),
    },
  };
}

/** How an execution ended, where it ended badly for the version that is current now; else null. */
function endOf(walked: Walked): RolloutStanding | null {
  const { execution, states, number } = walked;
  if (execution.status === 'SUCCEEDED' || execution.error === rolledBackError) return null;
  const state = stateOf(walked);
  const stalled = states.findLastIndex(({ name }) => name === 'stall');
  const stopped = stalled < 0;
  const at = states[stopped ? states.length - 1 : stalled - 1]?.name ?? 'start';
  return {
    is: 'stalled',
    attempt: number,
    at,
    code: stopped ? (execution.error ?? execution.status) : (state.failure?.Error ?? 'Internal'),
    reason: stopped
      ? `The execution was ended from outside (${execution.status}) at ${at}.`
      : reasonOf(state),
    when: execution.stoppedAt ?? execution.startedAt,
    state,
  };
}

/** The youngest state of an execution that tells which version it brings to the consumers. */
export function stateOf({ execution, states }: Walked): RolloutState {
  return parseRolloutState(JSON.parse(states.at(-1)?.input ?? execution.input));
}
