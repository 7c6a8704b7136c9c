/** How an event reaches a target, and how often it is tried. */

import type { TargetInput } from './event-input.ts';

export interface EventTarget extends TargetInput {
  readonly arn: string;
  /** The role that EventBridge takes for a state machine or another bus. */
  readonly roleArn?: string;
  /** The role decides, not the target's own policy: the way of EventBridge Scheduler. Default false. */
  readonly inRole?: boolean;
  readonly deadLetterArn?: string;
  /** 0–185. */
  readonly maximumRetryAttempts?: number;
}

export interface DeliveryContext {
  readonly ruleArn: string;
  readonly roleArn: string | null;
  /** As EventTarget.inRole. */
  readonly inRole: boolean;
  /** JSON text. */
  readonly payload: string;
}

/** @throws DeliveryFailure */
export type Deliver = (targetArn: string, context: DeliveryContext) => Promise<void>;

/** Why a target did not take an event. */
export class DeliveryFailure extends Error {
  /** How often this kind of failure is tried again at most; 0 for a missing permission. */
  readonly retries: number;

  constructor(message: string, retries = Number.POSITIVE_INFINITY) {
    super(message);
    this.name = 'DeliveryFailure';
    this.retries = retries;
  }
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html */
const defaultRetries = 185;
const longestPause = 15 * 60_000;

/** The pause before each attempt, in milliseconds: none, then growing from one second. AWS publishes no numbers. */
export function deliveryAttempts({ maximumRetryAttempts = defaultRetries }: EventTarget): number[] {
  const retries = Array.from({ length: maximumRetryAttempts }, (_, n) =>
    Math.min(1000 * 2 ** n, longestPause),
  );
  return [0, ...retries];
}
