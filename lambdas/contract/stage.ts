import type { ConnectedFleetKind } from './fleet-hooks.ts';
import type { ConnectedKind } from './hooks.ts';
import type { Clock, Events, Http, Log, Metrics, Secrets } from './ports.ts';
import type { ConnectedReencryptKind } from './reencryption.ts';
import type { InstanceResult, RangeItem, RolloutState } from './rollout-state.ts';
import type { ClassDefinition, SecretAction } from './secret-class.ts';
import type { Sensitive } from './sensitive.ts';
import type { Settings } from './settings.ts';
import type { StageId } from './stages.ts';
import type { Target } from './target.ts';

/** What a stage may touch. */
export interface StagePorts {
  /**
   * Classes of the deployment's secrets, by id: all for stages that ask them, those with a target for stages that log
   * in there, else none.
   */
  readonly classes: ReadonlyMap<string, ClassDefinition>;
  readonly secrets: Secrets;
  readonly events: Events;
  /** The kinds of consumers in use, by kind; empty in the functions of stages that restart nothing. */
  readonly consumers: ReadonlyMap<string, ConnectedKind>;
  /** The kinds of instance lists in use, by kind; empty in the functions of stages that need none. */
  readonly fleets: ReadonlyMap<string, ConnectedFleetKind>;
  /** The kinds of re-encryption in use, by kind; empty in the functions of stages that move and count no data. */
  readonly reencryption: ReadonlyMap<string, ConnectedReencryptKind>;
  /**
   * A member of the current value of another secret: what a hook logs in with. Read at use, never kept.
   * @throws KeyturnError AwsNotFound, or DocumentInvalid where the secret has no such member.
   */
  credential(secretArn: string, member: string): Promise<Sensitive>;
  /** The way to the servers that keep a password; for stages that do not declare it, to none. */
  readonly target: Target;
  readonly http: Http;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface StageContext {
  readonly settings: Settings;
  /** The stage function's own ARN: tells account and Region. */
  readonly self: string;
  readonly ports: StagePorts;
  /** Milliseconds until Lambda ends this invocation. */
  remaining(): number;
}

/** One stage of a rollout: what a file in `lambdas/rollout` exports. */
export interface StageDefinition {
  /** Equal to the name of its file. */
  readonly id: StageId;
  /** IAM actions on the deployment's secrets. */
  readonly secretActions: readonly SecretAction[];
  /** Whether it reads secret values, and so needs `kms:Decrypt` on their keys. */
  readonly readsValues: boolean;
  readonly putsEvents: boolean;
  /** Whether it asks the class of every secret: the classes in use, and no others, are in its bundle. Default: no. */
  readonly asksClass?: boolean;
  /** Whether it restarts consumers, and so needs their statements. */
  readonly redeploys: boolean;
  /** Whether it moves or counts stored data, and so needs the statements of the re-encryption hooks. Default: no. */
  readonly reencrypts?: boolean;
  /** Whether it logs in to the servers that keep a password, by way of the classes that have one. Default: no. */
  readonly usesTarget?: boolean;
  /** Whether it changes a password there, and so needs what keeps the passwords beside the server. Default: no. */
  readonly changesTarget?: boolean;
  /** Whether it works with the platform's instances, and so needs the statements of their list. Default: no. */
  readonly usesFleet?: boolean;
  /**
   * May run twice, and late. What it returns is the next state's input; of a stage that runs for each id, the
   * item's result; of one that runs over ranges, the range for its next slice.
   * @throws KeyturnError whose code the plan retries or catches.
   */
  run(input: unknown, context: StageContext): Promise<RolloutState | InstanceResult | RangeItem>;
}
