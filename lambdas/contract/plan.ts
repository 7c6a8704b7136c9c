/**
 * Plans as data. CDK draws a state machine from each plan, the rehearsal runs that state machine, and the README
 * shows the same table.
 */
import type { ErrorCode } from './errors.ts';
import type { Failing, StageDescription } from './stage-description.ts';
import { type StageId, stages } from './stages.ts';

export interface Plan {
  /** What the plan is for, in one line. */
  readonly does: string;
  /** The way forward, in order. */
  readonly stages: readonly [StageId, ...StageId[]];
  /** Where a stage leads that fails for good, where this plan needs another way than the stage says. */
  readonly onFailure?: Readonly<Partial<Record<StageId, Failing>>>;
  /** How this plan goes back. Default: `roll-back`. */
  readonly wayBack?: WayBackId;
}

export const plans = {
  'redeploy-and-prove': {
    does: 'the new value is current; restart what reads it, then prove that the old one is dead',
    stages: ['settle', 'redeploy', 'prove', 'complete'],
  },
  overlap: {
    does: 'the new value is accepted beside the old one; promote it, hold until the old one is unused, retire that',
    stages: [
      'settle',
      'redeploy',
      'promote',
      'redeploy',
      'hold',
      'verify',
      'retire',
      'redeploy',
      'prove',
      'complete',
    ],
  },
  'overlap-and-reencrypt': {
    does: 'as `overlap`; the stored data is moved to the new key, and the old one goes when a count says that nothing needs it',
    stages: [
      'settle',
      'redeploy',
      'promote',
      'redeploy',
      'reencrypt',
      'verify',
      'count-left',
      'retire',
      'redeploy',
      'prove',
      'complete',
    ],
    wayBack: 'reencrypt-back',
  },
  rewrap: {
    does: 'the wrapped keys are wrapped anew while the consumers hold them unwrapped; then the new root key is used',
    stages: [
      'settle',
      'reencrypt',
      'promote',
      'redeploy',
      'verify',
      'count-left',
      'retire',
      'prove',
      'complete',
    ],
    onFailure: { reencrypt: 'roll-back' },
    wayBack: 'rewrap-back',
  },
  'quiesce-and-sweep': {
    does: 'for platforms that hold one key: stop the consumers, move the data to the new key, start them with it',
    stages: [
      'settle',
      'quiesce',
      'reencrypt',
      'promote',
      'redeploy',
      'verify',
      'count-left',
      'retire',
      'prove',
      'complete',
    ],
    onFailure: { quiesce: 'roll-back', reencrypt: 'roll-back' },
    wayBack: 'sweep-back',
  },
  'second-credential': {
    does: 'old and new work side by side at the target; restart what reads it, wait until the old one is unused, disable it',
    stages: ['settle', 'mark-sessions', 'redeploy', 'verify', 'drain', 'disable', 'prove', 'complete'],
  },
  'redeploy-instances': {
    does: 'the new key is current; restart the platform, then redeploy every instance that holds a token of the old key',
    stages: [
      'settle',
      'redeploy',
      'list-instances',
      'renew-instances',
      'count-instances',
      'prove',
      'complete',
    ],
  },
} as const satisfies Record<string, Plan>;

export type PlanId = keyof typeof plans;

/** Where a stage leads that fails for good. */
export interface WayOut {
  /** What is done there, in order. When one of these fails, the rollout stalls. */
  readonly stages: readonly [StageId, ...StageId[]];
  /** The error with which the execution ends, and what it tells the reader of the console. */
  readonly error: string;
  readonly cause: string;
}

/** The error of an execution that went back: whichever way. */
export const rolledBackError = 'RolloutRolledBack';

export const waysOut = {
  stall: {
    stages: ['stall'],
    error: 'RolloutStalled',
    cause:
      'The rollout could not go on and has stopped safely: the stage stall reported why, and how to go on.',
  },
  'roll-back': {
    stages: ['roll-back', 'redeploy', 'rolled-back'],
    error: rolledBackError,
    cause: 'The consumers did not become healthy with the new value and run with the previous one again.',
  },
  'reencrypt-back': {
    stages: ['roll-back', 'redeploy', 'reencrypt', 'count-left', 'withdraw', 'redeploy', 'rolled-back'],
    error: rolledBackError,
    cause:
      'The old key is in use again, the data is under it again, and the new key is gone: nothing needed it any more.',
  },
  'rewrap-back': {
    stages: ['roll-back', 'reencrypt', 'redeploy', 'count-left', 'withdraw', 'rolled-back'],
    error: rolledBackError,
    cause: 'The old root key is in use again, and every wrapped key is wrapped with it again.',
  },
  'sweep-back': {
    stages: ['quiesce', 'roll-back', 'reencrypt', 'redeploy', 'count-left', 'withdraw', 'rolled-back'],
    error: rolledBackError,
    cause: 'The data is under the old key again, and the consumers were started with it.',
  },
} as const satisfies Record<'stall' | WayBackId, WayOut>;

/** How a plan goes back. */
type WayBackId = 'roll-back' | 'reencrypt-back' | 'rewrap-back' | 'sweep-back';

export type WayOutId = keyof typeof waysOut;

/**
 * The error by which a stage says that a later version has become current. The rollout then ends well: the
 * rollout of that version takes over, with what this one has not proven.
 */
export const supersededError = 'Superseded' satisfies ErrorCode;

/** The error with which a rollout's first stage obeys an operator who asked it to go back. */
export const rollBackAskedError = 'RollBackAsked' satisfies ErrorCode;

/** Where a stage of a plan leads that fails for good. */
export function wayOutOf(plan: Plan, stage: StageId): WayOutId {
  const described: StageDescription = stages[stage];
  const failing = plan.onFailure?.[stage] ?? described.onFailure ?? 'stall';
  return failing === 'stall' ? 'stall' : wayBackOf(plan);
}

/**
 * Whether the old value works at its target until a stage takes it away there. Until then no other rotation may begin:
 * the target holds two values, and the one that it would replace is what consumers may still run with.
 */
export function keepsOldValue(plan: string): boolean {
  const { stages: all }: Plan = Object.hasOwn(plans, plan)
    ? plans[plan as PlanId]
    : plans['redeploy-and-prove'];
  return all.includes('disable');
}

/** How a plan goes back. */
export function wayBackOf({ wayBack = 'roll-back' }: Plan): WayOutId {
  return wayBack;
}

/** Whether an operator may ask a rollout of this plan to go back, instead of moving a label. */
export function goesBackByItself({ wayBack }: Plan): boolean {
  return wayBack !== undefined;
}

/**
 * What is done when a value was made current by hand while a rollout has stopped the consumers: no other rollout
 * would start them. When one of these fails, the rollout stalls; else it ends as one that was superseded.
 */
export const handOver = ['hand-over', 'redeploy', 'complete'] as const satisfies readonly StageId[];

/** Whether the consumers are stopped while this stage of a way runs. */
export function isStoppedAt(way: readonly StageId[], index: number): boolean {
  const before = way.slice(0, index);
  return before.lastIndexOf('quiesce') > before.lastIndexOf('redeploy');
}

/** Every stage that an execution of a plan may run: its own, and those of the ways out. */
export function stagesOfPlan(plan: Plan): readonly StageId[] {
  const ways = new Set<WayOutId>(['stall', ...plan.stages.map((stage) => wayOutOf(plan, stage))]);
  const over = plan.stages.includes('quiesce') ? handOver : [];
  const named: readonly StageId[] = [
    ...plan.stages,
    ...[...ways].flatMap((way) => waysOut[way].stages),
    ...over,
  ];
  return [...new Set(named.flatMap((stage) => [stage, ...overOf(stage)]))];
}

function overOf(stage: StageId): readonly StageId[] {
  const { over }: StageDescription = stages[stage];
  return over === undefined ? [] : [over];
}
