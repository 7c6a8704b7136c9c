import { Duration } from 'aws-cdk-lib';
import type * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { eachSecret, type IamStatement } from '../lambdas/contract/hooks.ts';
import type { Settings } from '../lambdas/contract/settings.ts';
import type { StageDefinition } from '../lambdas/contract/stage.ts';
import { stages } from '../lambdas/contract/stages.ts';
import type { Engine } from '../lambdas/contract/target.ts';
import { acknowledgeWildcards, declared, onKeys, onSecrets, type SecretAccess } from './access.ts';
import type { Network } from './network.ts';
import { nameOf, PipelineFunction } from './pipeline-function.ts';
import type { RotatedSecret } from './rotated-secret.ts';

export interface StageFunctionProps {
  readonly stage: StageDefinition;
  /** The secrets whose plans have this stage. */
  readonly secrets: readonly RotatedSecret[];
  /** The deployment as this function sees it: only the secrets above. */
  readonly settings: Settings;
  /** What restarting the consumers of these secrets takes; used by stages that redeploy. */
  readonly consumers: readonly IamStatement[];
  /** The secrets whose values a consumer's hook hands on: what `eachSecret` stands for. */
  readonly handedOn: readonly RotatedSecret[];
  /** The kinds of these consumers, each once. */
  readonly consumerKinds: readonly string[];
  /** What working with the instances of these secrets takes; used by stages that do. */
  readonly fleets: readonly IamStatement[];
  /** The kinds of these lists of instances, each once. */
  readonly fleetKinds: readonly string[];
  /** What moving the data under these secrets takes; used by stages that do. */
  readonly reencryptions: readonly IamStatement[];
  /** The kinds of these re-encryptions, each once. */
  readonly reencryptKinds: readonly string[];
  /** The secrets that their hooks log in with. */
  readonly credentials: readonly SecretAccess[];
  /** The kinds of server that keep the passwords of these secrets; used by stages that log in there. */
  readonly engines: readonly Engine[];
  /** Their classes that log in there. */
  readonly targetClassIds: readonly string[];
  /** The secrets that their classes log in with. */
  readonly administrators: readonly SecretAccess[];
  /** Use of the customer keys of those that are not of this deployment. */
  readonly administratorStatements: readonly IamStatement[];
  /** What changing their passwords takes of AWS, where a service keeps them; used by stages that do. */
  readonly targetStatements: readonly IamStatement[];
  /** Gets the events of rollouts. */
  readonly bus: events.EventBus;
  /** Encrypts the log lines. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
  /** Where it runs. @default none: in no VPC of the team's. */
  readonly network?: Network | undefined;
}

/** Secrets Manager encrypts a new version with a data key (user guide, "Secret encryption and decryption"). */
const writingActions: readonly string[] = ['secretsmanager:PutSecretValue', 'secretsmanager:UpdateSecret'];

/** The function of one stage, with the permissions that the stage declares. */
export class StageFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: StageFunctionProps) {
    super(scope, id);
    const { stage, settings, secrets, bus } = props;
    const consumers = stage.redeploys ? props.consumers.filter((statement) => !onEachSecret(statement)) : [];
    const handedOn = stage.redeploys ? props.handedOn : [];
    const fleets = stage.usesFleet === true ? props.fleets : [];
    const reencryptions = stage.reencrypts === true ? props.reencryptions : [];
    const engines = stage.usesTarget === true ? props.engines : [];
    const administrators = stage.usesTarget === true ? props.administratorStatements : [];
    const target = stage.changesTarget === true ? props.targetStatements : [];
    const credentials = [
      ...(stage.reencrypts === true ? props.credentials : []),
      ...(stage.usesTarget === true ? props.administrators : []),
    ];
    const { function: made, role } = new PipelineFunction(this, 'Default', {
      functionName: nameOf(settings.deployment, stage.id),
      description: `Keyturn, ${settings.deployment}: ${stages[stage.id].does}.`,
      entry: {
        kind: 'stage',
        stageId: stage.id,
        consumerKinds: stage.redeploys ? props.consumerKinds : [],
        ...(stage.usesFleet === true ? { fleetKinds: props.fleetKinds } : {}),
        ...(stage.reencrypts === true ? { reencryptKinds: props.reencryptKinds } : {}),
        ...(engines.length > 0 ? { engines } : {}),
        classIds:
          stage.asksClass === true ? classIdsOf(settings) : engines.length > 0 ? props.targetClassIds : [],
      },
      settings,
      environment: { KEYTURN_BUS: bus.eventBusName },
      timeout: Duration.seconds(stages[stage.id].timeoutSeconds),
      encryptionKey: props.encryptionKey,
      logRetention: props.logRetention,
      network: props.network,
      statements: [
        ...(stage.secretActions.length > 0 ? [onSecrets(stage.secretActions, secrets)] : []),
        ...onKeys(this, keyActions(stage), stage.readsValues || writes(stage) ? secrets : []),
        ...(stage.putsEvents
          ? [new iam.PolicyStatement({ actions: ['events:PutEvents'], resources: [bus.eventBusArn] })]
          : []),
        ...consumers.map((statement) => declared(this, statement, secrets)),
        ...(handedOn.length > 0 ? [onSecrets(['secretsmanager:GetSecretValue'], handedOn)] : []),
        ...onKeys(this, ['kms:Decrypt'], handedOn),
        ...[...fleets, ...reencryptions, ...administrators, ...target].map((statement) =>
          declared(this, statement),
        ),
        ...(credentials.length > 0 ? [onSecrets(['secretsmanager:GetSecretValue'], credentials)] : []),
        ...onKeys(this, ['kms:Decrypt'], credentials),
      ],
    });
    this.function = made;
    this.role = role;
    acknowledgeWildcards(role, [...consumers, ...fleets, ...reencryptions]);
  }
}

/** Whether a statement is about the values that a hook hands on. */
export function onEachSecret({ resources }: IamStatement): boolean {
  return resources.includes(eachSecret);
}

function classIdsOf({ secrets }: Settings): string[] {
  return [...new Set(secrets.map((secret) => secret.class))];
}

function keyActions(stage: StageDefinition): `kms:${string}`[] {
  return writes(stage) ? ['kms:Decrypt', 'kms:GenerateDataKey'] : ['kms:Decrypt'];
}

function writes(stage: StageDefinition): boolean {
  return stage.secretActions.some((action) => writingActions.includes(action));
}
