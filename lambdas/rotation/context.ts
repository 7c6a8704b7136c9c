import type { SecretDocument } from '../contract/document.ts';
import type { Clock, Events, Log, Metrics, Random, Secrets } from '../contract/ports.ts';
import type { RotationEvent } from '../contract/rotation-event.ts';
import type { BoundClass } from '../contract/secret-class.ts';
import type { SecretSettings, Settings } from '../contract/settings.ts';
import type { TargetPorts } from '../contract/target.ts';
import { Kept } from './kept.ts';
import type { Pending } from './pending-version.ts';

export interface RotationPorts extends TargetPorts {
  readonly secrets: Secrets;
  readonly events: Events;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Shortcuts only: each step reads what is not here. */
export interface KeptBetweenSteps {
  /** The current value that create made the pending one from; for set. By the current version. */
  readonly base: Kept<SecretDocument>;
  /** Before set changed a target that knows one value only: from then on what is current does not work. For finish. */
  readonly changing: Kept<Date>;
  /** The value that test has tested, and when: where that was a moment ago, finish needs neither read nor login. */
  readonly tested: Kept<Pick<Pending, 'document' | 'createdAt'> & { readonly testedAt: Date }>;
}

/** For a new process. */
export function nothingKept(): KeptBetweenSteps {
  return { base: new Kept(), changing: new Kept(), tested: new Kept() };
}

/** What one step works with. */
export interface StepContext {
  readonly event: RotationEvent;
  readonly secret: SecretSettings;
  readonly settings: Settings;
  /** The class with this secret's options. */
  readonly class: BoundClass;
  /** ARN of the function that runs the step. */
  readonly self: string;
  readonly ports: RotationPorts;
  /** What this process keeps from one step to the next. */
  readonly kept: KeptBetweenSteps;
}

/** What a step did, for the log. */
export interface StepOutcome {
  readonly did: string;
}
