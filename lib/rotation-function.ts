import { Duration, Stack } from 'aws-cdk-lib';
import type * as events from 'aws-cdk-lib/aws-events';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { IamStatement } from '../lambdas/contract/hooks.ts';
import type { ClassDefinition } from '../lambdas/contract/secret-class.ts';
import type { Settings } from '../lambdas/contract/settings.ts';
import type { Engine } from '../lambdas/contract/target.ts';
import { declared, onKeys, onSecrets, type SecretAccess } from './access.ts';
import type { Network } from './network.ts';
import { nameOf, PipelineFunction } from './pipeline-function.ts';
import type { RotatedSecret } from './rotated-secret.ts';

export interface RotationFunctionProps {
  /** The class whose four steps it runs. */
  readonly class: ClassDefinition;
  /** The secrets of this class, at least one; it may touch no others. */
  readonly secrets: readonly RotatedSecret[];
  /** The kinds of server that these secrets log in to. */
  readonly engines: readonly Engine[];
  /** The secrets that they log in with beside their own. */
  readonly credentials: readonly SecretAccess[];
  /** Use of the customer keys of those that are not of this deployment. */
  readonly credentialStatements: readonly IamStatement[];
  /** What changing their passwords takes of AWS, where a service keeps them beside the server. */
  readonly targetStatements: readonly IamStatement[];
  /** The deployment as this function sees it: only the secrets above. */
  readonly settings: Settings;
  /** Gets the events of finished and failed rotations. */
  readonly bus: events.EventBus;
  /** Encrypts the log lines. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
  /** Where it runs. @default none: in no VPC of the team's. */
  readonly network?: Network | undefined;
}

/** What every rotation does to its secret (user guide, "Lambda rotation function execution role permissions"). */
const stepActions = [
  'secretsmanager:DescribeSecret',
  'secretsmanager:GetSecretValue',
  'secretsmanager:PutSecretValue',
  'secretsmanager:UpdateSecretVersionStage',
];

/**
 * The rotation function of one class, and the schedules of its secrets.
 *
 * It reserves no concurrency: below ten, rotations can be throttled and loop between their steps (user guide,
 * "Troubleshoot AWS Secrets Manager rotation").
 */
export class RotationFunction extends Construct {
  readonly function: lambda.Function;
  /** A class that reaches a target needs more: a team may add it here. */
  readonly role: iam.Role;
  /** Lets Secrets Manager invoke it, for secrets of this account only. */
  readonly permission: lambda.CfnPermission;

  constructor(scope: Construct, id: string, props: RotationFunctionProps) {
    super(scope, id);
    const { secrets, settings, bus } = props;
    const { function: made, role } = new PipelineFunction(this, 'Default', {
      functionName: nameOf(settings.deployment, props.class.id),
      description: `Keyturn, ${settings.deployment}: rotates its secrets of class ${props.class.id}.`,
      entry: { kind: 'rotation', classId: props.class.id, engines: props.engines },
      settings,
      environment: { KEYTURN_BUS: bus.eventBusName },
      // Four short steps: AWS's own templates have 30 s, and a probe of a slow target needs some of it.
      timeout: Duration.seconds(60),
      encryptionKey: props.encryptionKey,
      logRetention: props.logRetention,
      network: props.network,
      statements: [
        onSecrets([...new Set([...stepActions, ...props.class.actions])], secrets),
        ...onKeys(this, ['kms:Decrypt', 'kms:GenerateDataKey'], secrets),
        ...(props.credentials.length > 0
          ? [onSecrets(['secretsmanager:GetSecretValue'], props.credentials)]
          : []),
        ...onKeys(this, ['kms:Decrypt'], props.credentials),
        ...[...props.credentialStatements, ...props.targetStatements].map((statement) =>
          declared(this, statement),
        ),
        new iam.PolicyStatement({ actions: ['events:PutEvents'], resources: [bus.eventBusArn] }),
      ],
    });
    this.function = made;
    this.role = role;
    // The L1: schedules must depend on it, and the L2 does not give it back.
    this.permission = new lambda.CfnPermission(this, 'SecretsManager', {
      functionName: this.function.functionArn,
      action: 'lambda:InvokeFunction',
      principal: 'secretsmanager.amazonaws.com',
      // Without it, a secret of any account could name this function (user guide, "Turn on rotation with the CLI").
      sourceAccount: Stack.of(this).account,
    });
    for (const secret of secrets) secret.rotateWith(this);
  }
}
