import type { Clock, Events, Log, Metrics, Random, Secrets } from '../contract/ports.ts';
import type { RotationEvent } from '../contract/rotation-event.ts';
import type { BoundClass } from '../contract/secret-class.ts';
import type { SecretSettings, Settings } from '../contract/settings.ts';
import type { TargetPorts } from '../contract/target.ts';
import type { Gaps } from './gaps.ts';
import type { TestedValues } from './tested-values.ts';

export interface RotationPorts extends TargetPorts {
  readonly secrets: Secrets;
  readonly events: Events;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
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
  readonly tested: TestedValues;
  readonly gaps: Gaps;
}

/** What a step did, for the log. */
export interface StepOutcome {
  readonly did: string;
}
