import { ArnFormat, RemovalPolicy, Stack, Tags, Token, Validations } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { DeploymentSecret } from '../lambdas/contract/deployment.ts';
import { KeyturnError } from '../lambdas/contract/errors.ts';
import type { Window } from '../lambdas/contract/schedule.ts';
import type { SecretAccess } from './access.ts';
import type { RotationFunction } from './rotation-function.ts';

export interface RotatedSecretProps {
  /** The secret's key in the deployment: the variable that the platform reads, for instance. */
  readonly key: string;
  /**
   * Created here, or imported by name or by full ARN. An ARN must be of the stack's account and Region, where
   * the stack knows them: a rotation function cannot be elsewhere.
   * @throws KeyturnError DeploymentInvalid otherwise.
   */
  readonly source: DeploymentSecret['source'];
  /** Encrypts the values of a secret that is created here. An imported secret keeps its own key. */
  readonly encryptionKey: kms.IKey;
  /**
   * When Secrets Manager rotates it, UTC: a `cron()` expression whose windows start on the hour, and 1–24
   * hours that end by midnight (lambdas/contract/schedule.ts checks it).
   * @default null: on demand only.
   */
  readonly window?: Window | null;
  /** Tags of a secret that is created here; Security Hub wants some (SecretsManager.5). */
  readonly tags?: Readonly<Record<string, string>>;
}

/**
 * A secret that Keyturn rotates. There is no property for a value: a secret that is created here starts
 * empty, and its first rotation gives it its first value.
 */
export class RotatedSecret extends Construct implements SecretAccess {
  readonly arn: string;
  readonly keyArn: string | null;
  /** What Secrets Manager knows it by: full ARN or name. */
  readonly secretId: string;
  private readonly window: Window | null;
  private readonly created: secretsmanager.CfnSecret | null;

  constructor(scope: Construct, id: string, props: RotatedSecretProps) {
    super(scope, id);
    this.window = props.window ?? null;
    if ('create' in props.source) {
      this.created = this.create(props.source.create.name, props);
      this.arn = this.created.ref;
      this.secretId = this.created.ref;
      this.keyArn = props.encryptionKey.keyArn;
    } else {
      const imported = props.source.import;
      if ('arn' in imported) refuseElsewhere(this, props.key, imported.arn);
      this.created = null;
      this.keyArn = imported.kmsKey ?? null;
      this.secretId = 'arn' in imported ? imported.arn : imported.name;
      this.arn = 'arn' in imported ? imported.arn : this.arnOfName(imported.name);
    }
  }

  /** Hands the secret to its rotation function. A secret has one schedule, so this is done once. */
  rotateWith(rotation: RotationFunction): void {
    const schedule = new secretsmanager.CfnRotationSchedule(this, 'Rotation', {
      secretId: this.secretId,
      rotationLambdaArn: rotation.function.functionArn,
      // Nothing rotates because something was deployed. Left out, it would be true (CloudFormation reference).
      rotateImmediatelyOnUpdate: false,
      ...(this.window === null
        ? {}
        : {
            rotationRules: {
              scheduleExpression: this.window.cron,
              duration: `${this.window.hours}h`,
            },
          }),
    });
    // Secrets Manager invokes the function while the schedule is saved, and refuses where it may not.
    schedule.node.addDependency(rotation.permission);
    if (this.created !== null && this.window === null) {
      Validations.of(this.created).acknowledge({
        id: 'AwsSolutions-SMG4',
        reason:
          'Rotates on demand only: its class waits for a person, or the deployment gives it no schedule. Its rotation function is attached.',
      });
    }
  }

  /**
   * The L1: the L2 writes GenerateSecretString even when nothing asks for it, and a change of that would
   * publish a new value at deploy.
   */
  private create(name: string, props: RotatedSecretProps): secretsmanager.CfnSecret {
    const secret = new secretsmanager.CfnSecret(this, 'Secret', {
      name,
      description: `${props.key}, rotated by Keyturn. Its values never pass through CloudFormation.`,
      kmsKeyId: props.encryptionKey.keyArn,
    });
    // CloudFormation deletes secrets without a recovery window.
    secret.applyRemovalPolicy(RemovalPolicy.RETAIN);
    for (const [key, value] of Object.entries(props.tags ?? {})) Tags.of(secret).add(key, value);
    return secret;
  }

  /** Secrets Manager ends an ARN in a hyphen and six characters of its own (user guide, "What's in a secret?"). */
  private arnOfName(name: string): string {
    return Stack.of(this).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: `${name}-??????`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}

function refuseElsewhere(scope: Construct, key: string, arn: string): void {
  const [, , , region = '', account = ''] = arn.split(':');
  const here = Stack.of(scope);
  for (const [what, wanted, received] of [
    ['Region', here.region, region],
    ['account', here.account, account],
  ] as const) {
    if (Token.isUnresolved(wanted) || wanted === received) continue;
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `secrets.${key}.source.import.arn must be of the stack's ${what} ${wanted}; received ${received}.`,
    });
  }
}
