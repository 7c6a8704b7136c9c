import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { IamStatement } from '../lambdas/contract/hooks.ts';
import { type PlanId, plans, stagesOfPlan } from '../lambdas/contract/plan.ts';
import type { Settings } from '../lambdas/contract/settings.ts';
import type { StageId } from '../lambdas/contract/stages.ts';
import type { Engine } from '../lambdas/contract/target.ts';
import { stageDefinitions } from '../lambdas/rollout/stages.ts';
import { type SecretAccess, secretArnOf } from './access.ts';
import { Alarms } from './alarms.ts';
import { customerKey } from './customer-key.ts';
import { rotationLogsIn, stageLogsIn } from './deployment/network.ts';
import type { ResolvedConsumer, ResolvedDeployment, ResolvedSecret } from './deployment/resolve.ts';
import { Network } from './network.ts';
import { Notifications } from './notifications.ts';
import { nameOf } from './pipeline-function.ts';
import { Reconciler } from './reconciler.ts';
import { RolloutMachine } from './rollout-machine.ts';
import { RolloutStart } from './rollout-start.ts';
import { RotatedSecret } from './rotated-secret.ts';
import { RotationFunction } from './rotation-function.ts';
import { onEachSecret, StageFunction } from './stage-function.ts';

export interface KeyturnPipelineProps {
  /** A deployment file, parsed by `parseDeployment` and checked by `resolveDeployment`. */
  readonly deployment: ResolvedDeployment;
}

/**
 * Everything that rotates the secrets of one deployment. One per deployment name in an account and Region:
 * functions, state machines, bus and topic are named after it.
 */
export class KeyturnPipeline extends Construct {
  /** Encrypts the created secrets, the logs and the notifications. Kept when the stack goes, as the secrets are. */
  readonly encryptionKey: kms.Key;
  /** Carries every event of ours; a team may put its own rules on it. */
  readonly bus: events.EventBus;
  /** By the secret's key in the deployment. */
  readonly secrets: ReadonlyMap<string, RotatedSecret>;
  /** The place of the functions that log in to servers; null: none is declared. */
  readonly network: Network | null;
  /** By class id: one for each class in use. */
  readonly rotationFunctions: ReadonlyMap<string, RotationFunction>;
  /** By stage: one for each stage of a plan in use. */
  readonly stageFunctions: ReadonlyMap<StageId, StageFunction>;
  /** By plan: one for each plan in use. */
  readonly rolloutMachines: ReadonlyMap<PlanId, RolloutMachine>;
  /** Events that could not be delivered, for 14 days. Anything in it wants a look. */
  readonly undelivered: sqs.Queue;
  readonly notifications: Notifications;
  /** Sweeps over the secrets and finishes what events missed. */
  readonly reconciler: Reconciler;
  readonly alarms: Alarms;

  constructor(scope: Construct, id: string, props: KeyturnPipelineProps) {
    super(scope, id);
    const { deployment } = props;
    this.encryptionKey = customerKey(this, deployment.name);
    this.bus = new events.EventBus(this, 'Bus', {
      eventBusName: nameOf(deployment.name, 'events'),
      description: `Keyturn, ${deployment.name}: how its rotations and rollouts go.`,
    });
    this.undelivered = new sqs.Queue(this, 'Undelivered', {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.secrets = new Map(
      deployment.secrets.map((secret) => [secret.key, this.rotatedSecret(deployment, secret)]),
    );
    this.network =
      deployment.network === null
        ? null
        : new Network(this, 'Network', { deployment: deployment.name, network: deployment.network });
    const inside = (logsIn: boolean) => (logsIn ? (this.network ?? undefined) : undefined);
    const shared = {
      bus: this.bus,
      encryptionKey: this.encryptionKey,
      logRetention: deployment.logRetentionDays,
    };
    this.rotationFunctions = keyed(
      distinct(deployment.secrets.filter(isRotatedHere).map((secret) => secret.class)),
      (secretClass) => {
        const secrets = deployment.secrets.filter((secret) => secret.class === secretClass);
        return [
          secretClass.id,
          new RotationFunction(this, `Rotation-${secretClass.id}`, {
            ...shared,
            class: secretClass,
            secrets: this.rotated(secrets),
            engines: enginesOf(secrets),
            credentials: this.accessTo(
              deployment,
              secrets.flatMap(({ credentials }) => credentials),
            ),
            credentialStatements: statementsOf(secrets),
            targetStatements: secrets.flatMap(({ targetStatements }) => targetStatements),
            settings: settingsOf(deployment, secrets),
            network: inside(rotationLogsIn(secrets)),
          }),
        ];
      },
    );
    const plansInUse = distinct(deployment.secrets.map((secret) => secret.plan));
    this.stageFunctions = keyed(distinct(plansInUse.flatMap(stagesOf)), (stage) => {
      const secrets = deployment.secrets.filter((secret) => stagesOf(secret.plan).includes(stage));
      return [
        stage,
        new StageFunction(this, `Stage-${stage}`, {
          ...shared,
          stage: stageDefinitions[stage],
          secrets: this.rotated(secrets),
          settings: settingsOf(deployment, secrets),
          consumers: consumersOf(deployment, secrets).flatMap(({ statements }) => statements),
          handedOn: this.rotated(secrets.filter((secret) => isHandedOn(deployment, secret))),
          consumerKinds: distinct(consumersOf(deployment, secrets).map(({ kind }) => kind)),
          fleets: secrets.flatMap(({ fleet }) => fleet?.statements ?? []),
          fleetKinds: distinct(secrets.flatMap(({ fleet }) => fleet?.kind ?? [])),
          reencryptions: secrets.flatMap(({ reencryptions }) =>
            reencryptions.flatMap((one) => one.statements),
          ),
          reencryptKinds: distinct(
            secrets.flatMap(({ reencryptions }) => reencryptions.map(({ kind }) => kind)),
          ),
          credentials: this.accessTo(
            deployment,
            secrets.flatMap(({ reencryptions }) => reencryptions.flatMap(({ credentials }) => credentials)),
          ),
          engines: enginesOf(secrets),
          targetClassIds: distinct(
            secrets.flatMap((secret) => (secret.engine === null ? [] : secret.class.id)),
          ),
          administrators: this.accessTo(
            deployment,
            secrets.flatMap(({ credentials }) => credentials),
          ),
          administratorStatements: statementsOf(secrets),
          targetStatements: secrets.flatMap(({ targetStatements }) => targetStatements),
          network: inside(stageLogsIn(stage, secrets)),
        }),
      ];
    });
    this.rolloutMachines = keyed(plansInUse, (plan) => [
      plan,
      new RolloutMachine(this, `Rollout-${plan}`, {
        ...shared,
        deployment: deployment.name,
        plan,
        concurrency: concurrencyOf(deployment, plan),
        functionOf: (stage) => present(this.stageFunctions.get(stage), stage).function,
      }),
    ]);
    const start = new RolloutStart(this, 'Start', {
      ...shared,
      machines: this.rolloutMachines,
      settings: settingsOf(deployment, deployment.secrets),
      undelivered: this.undelivered,
    });
    const every = Duration.minutes(deployment.reconcileEveryMinutes);
    this.reconciler = new Reconciler(this, 'Reconciler', {
      ...shared,
      machines: this.rolloutMachines,
      secrets: [...this.secrets.values()],
      observed: this.rotated(deployment.secrets.filter((secret) => !isRotatedHere(secret))),
      settings: settingsOf(deployment, deployment.secrets),
      every,
      undelivered: this.undelivered,
    });
    this.notifications = new Notifications(this, 'Notifications', {
      ...shared,
      deployment: deployment.name,
      emails: deployment.emails,
      undelivered: this.undelivered,
    });
    this.alarms = new Alarms(this, 'Alarms', {
      deployment: deployment.name,
      topic: this.notifications.topic,
      undelivered: this.undelivered,
      functions: new Map([
        ['start', start.function],
        ['reconcile', this.reconciler.function],
        ['stall', present(this.stageFunctions.get('stall'), 'stall').function],
        ...[...this.rotationFunctions].map(([id, rotation]) => [id, rotation.function] as const),
      ]),
      sweepEvery: every,
    });
  }

  private rotatedSecret(deployment: ResolvedDeployment, secret: ResolvedSecret): RotatedSecret {
    return new RotatedSecret(this, `Secret-${secret.key}`, {
      key: secret.key,
      source: secret.source,
      encryptionKey: this.encryptionKey,
      window: secret.window,
      tags: {
        'keyturn:deployment': deployment.name,
        'keyturn:platform': deployment.platform,
        'keyturn:class': secret.class.id,
      },
    });
  }

  /** Secrets that something logs in with: this deployment's own with their keys, others by name or ARN. */
  private accessTo(deployment: ResolvedDeployment, ids: readonly string[]): SecretAccess[] {
    return distinct(ids).map((id) => {
      const own = deployment.secrets.find(({ settings }) => settings.id === id);
      return own === undefined
        ? { arn: secretArnOf(this, id), keyArn: null }
        : present(this.secrets.get(own.key), own.key);
    });
  }

  private rotated(secrets: readonly ResolvedSecret[]): RotatedSecret[] {
    return secrets.map(({ key }) => present(this.secrets.get(key), key));
  }
}

function isRotatedHere({ class: { admission } }: ResolvedSecret): boolean {
  return admission !== 'elsewhere';
}

function enginesOf(secrets: readonly ResolvedSecret[]): Engine[] {
  return distinct(secrets.flatMap(({ engine }) => engine ?? []));
}

/** Each once: several secrets may have the same administrator. */
function statementsOf(secrets: readonly ResolvedSecret[]): IamStatement[] {
  const all = secrets.flatMap(({ credentialStatements }) => credentialStatements);
  return [...new Map(all.map((statement) => [JSON.stringify(statement), statement])).values()];
}

function stagesOf(plan: PlanId): StageId[] {
  return [...stagesOfPlan(plans[plan])];
}

/** How many instances are redeployed at once: of the plan's secrets, the one that asks for the fewest decides. */
function concurrencyOf(deployment: ResolvedDeployment, plan: PlanId): number | null {
  const asked = deployment.secrets.flatMap((secret) =>
    secret.plan === plan ? (secret.fleet?.concurrency ?? []) : [],
  );
  return asked.length === 0 ? null : Math.min(...asked);
}

function settingsOf(deployment: ResolvedDeployment, secrets: readonly ResolvedSecret[]): Settings {
  return {
    schema: 1,
    deployment: deployment.name,
    platform: deployment.platform,
    secrets: secrets.map(({ settings }) => settings),
  };
}

/** The consumers of these secrets. */
function consumersOf(deployment: ResolvedDeployment, secrets: readonly ResolvedSecret[]): ResolvedConsumer[] {
  const names = new Set(secrets.flatMap(({ settings }) => settings.consumers.map(({ name }) => name)));
  return deployment.consumers.filter(({ name }) => names.has(name));
}

/** Whether the hook of one of its consumers reads the secret's value. */
function isHandedOn(deployment: ResolvedDeployment, secret: ResolvedSecret): boolean {
  return consumersOf(deployment, [secret]).some(({ statements }) => statements.some(onEachSecret));
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

function keyed<Item, Key, Value>(
  items: readonly Item[],
  entry: (item: Item) => readonly [Key, Value],
): ReadonlyMap<Key, Value> {
  return new Map(items.map(entry));
}

function present<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`The pipeline has no ${name}.`);
  return value;
}
