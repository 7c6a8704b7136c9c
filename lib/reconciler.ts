import { Duration, Stack, Validations } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type DetailType, eventSource } from '../lambdas/contract/events.ts';
import type { PlanId } from '../lambdas/contract/plan.ts';
import type { Settings } from '../lambdas/contract/settings.ts';
import { sweepInput } from '../lambdas/reconcile/reconcile.ts';
import { onSecrets } from './access.ts';
import { nameOf, PipelineFunction } from './pipeline-function.ts';
import type { RolloutMachine } from './rollout-machine.ts';
import type { RotatedSecret } from './rotated-secret.ts';

export interface ReconcilerProps {
  /** Carries what it finds, and the rejections that it counts. */
  readonly bus: events.EventBus;
  /** The state machine of every plan in use. */
  readonly machines: ReadonlyMap<PlanId, RolloutMachine>;
  /** Every secret of the deployment. */
  readonly secrets: readonly RotatedSecret[];
  /** Those of them that other services rotate. */
  readonly observed: readonly RotatedSecret[];
  /** The whole deployment. */
  readonly settings: Settings;
  /**
   * Time between two sweeps, 1–60 minutes. Five find a lost event sooner than a person finds the outage, and a
   * sweep of a fleet in order costs a few calls.
   */
  readonly every: Duration;
  /** Gets sweeps that could not be started, and events that could not be handled. */
  readonly undelivered: sqs.IQueue;
  /** Encrypts the log lines. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
}

const counted: DetailType = 'Rotation Failed';

/**
 * Sweeps over the deployment's secrets on a schedule and finishes what events missed. It can read no value, and
 * of all labels it can move AWSPENDING only.
 */
export class Reconciler extends Construct {
  readonly function: lambda.Function;

  constructor(scope: Construct, id: string, props: ReconcilerProps) {
    super(scope, id);
    const { settings, bus, undelivered, secrets } = props;
    const machineArns = [...props.machines].map(
      ([plan, { stateMachine }]) => [plan, stateMachine.stateMachineArn] as const,
    );
    const { function: made, role } = new PipelineFunction(this, 'Default', {
      functionName: nameOf(settings.deployment, 'reconcile'),
      description: `Keyturn, ${settings.deployment}: finds rotations and rollouts that nobody finishes.`,
      entry: { kind: 'reconcile' },
      settings,
      environment: {
        KEYTURN_BUS: bus.eventBusName,
        KEYTURN_STATE_MACHINES: Stack.of(this).toJsonString(Object.fromEntries(machineArns)),
      },
      // Lambda's limit: a sweep after an outage looks at every secret, at the pace that Secrets Manager allows.
      timeout: Duration.minutes(15),
      encryptionKey: props.encryptionKey,
      logRetention: props.logRetention,
      statements: [
        new iam.PolicyStatement({ actions: ['secretsmanager:ListSecrets'], resources: ['*'] }),
        onSecrets(
          [
            'secretsmanager:DescribeSecret',
            'secretsmanager:ListSecretVersionIds',
            'secretsmanager:TagResource',
            'secretsmanager:UpdateSecretVersionStage',
          ],
          secrets,
        ),
        movesPendingOnly(),
        new iam.PolicyStatement({
          actions: ['states:ListExecutions', 'states:StartExecution'],
          resources: machineArns.map(([, arn]) => arn),
        }),
        new iam.PolicyStatement({ actions: ['events:PutEvents'], resources: [bus.eventBusArn] }),
      ],
      undelivered,
    });
    this.function = made;
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'ListSecrets has no resource-level permissions (Service Authorization Reference, AWS Secrets Manager); it tells names, labels and tags, never a value.',
    });
    this.schedule(props);
    if (props.observed.length > 0) this.observe(props);
    new events.Rule(this, 'Rejections', {
      eventBus: bus,
      description: `Keyturn, ${settings.deployment}: rejected values are counted.`,
      eventPattern: {
        source: [eventSource],
        detailType: [counted],
        detail: { code: ['ValueRejected'] },
      },
      targets: [
        new targets.LambdaFunction(made, {
          deadLetterQueue: undelivered,
          maxEventAge: Duration.hours(1),
          retryAttempts: 10,
        }),
      ],
    });
  }

  /**
   * Secrets Manager tells of rotations that it or another service made, by way of CloudTrail and as well as it can:
   * a sweep then comes at once instead of within minutes. Their events are on the default bus only.
   */
  private observe({ observed, settings, undelivered }: ReconcilerProps): void {
    const rule = (id: string, eventName: string, event?: events.RuleTargetInput) =>
      new events.Rule(this, id, {
        description: `Keyturn, ${settings.deployment}: ${eventName} of secrets that other services rotate.`,
        eventPattern: {
          source: ['aws.secretsmanager'],
          detailType: ['AWS Service Event via CloudTrail'],
          detail: {
            eventName: [eventName],
            // Both places were seen (captured events; for RDS the second).
            $or: [
              { additionalEventData: { SecretId: observed.map(({ arn }) => arn) } },
              { serviceEventDetails: { secretId: observed.map(({ arn }) => arn) } },
            ],
          },
        },
        targets: [
          new targets.LambdaFunction(this.function, {
            deadLetterQueue: undelivered,
            maxEventAge: Duration.hours(1),
            retryAttempts: 10,
            ...(event === undefined ? {} : { event }),
          }),
        ],
      });
    rule('Observed', 'RotationSucceeded', events.RuleTargetInput.fromObject(sweepInput));
    rule('ObservedFailures', 'RotationFailed');
  }

  /** With a role that may invoke this function and keep what failed, and nothing else. */
  private schedule({ settings, every, undelivered }: ReconcilerProps): void {
    const role = new iam.Role(this, 'ScheduleRole', {
      description: `Lets the schedule of ${settings.deployment} invoke the reconciler.`,
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        // EventBridge Scheduler user guide, "Confused deputy prevention".
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
      inlinePolicies: {
        Sweep: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({
              actions: ['lambda:InvokeFunction'],
              resources: [this.function.functionArn],
            }),
            new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: [undelivered.queueArn] }),
          ],
        }),
      },
    });
    const minutes = every.toMinutes();
    new scheduler.CfnSchedule(this, 'Schedule', {
      name: nameOf(settings.deployment, 'reconcile'),
      description: `Keyturn, ${settings.deployment}: sweeps over its secrets.`,
      scheduleExpression: `rate(${minutes} ${minutes === 1 ? 'minute' : 'minutes'})`,
      flexibleTimeWindow: { mode: 'OFF' },
      target: {
        arn: this.function.functionArn,
        roleArn: role.roleArn,
        input: JSON.stringify(sweepInput),
        deadLetterConfig: { arn: undelivered.queueArn },
        // The next sweep makes up for one that could not be started.
        retryPolicy: { maximumEventAgeInSeconds: 60, maximumRetryAttempts: 2 },
      },
    });
  }
}

/** UpdateSecretVersionStage moves AWSCURRENT as well; only the label that may be dropped is left. */
function movesPendingOnly(): iam.PolicyStatement {
  return new iam.PolicyStatement({
    effect: iam.Effect.DENY,
    actions: ['secretsmanager:UpdateSecretVersionStage'],
    resources: ['*'],
    // Service Authorization Reference, "Condition keys for AWS Secrets Manager".
    conditions: { StringNotEquals: { 'secretsmanager:VersionStage': 'AWSPENDING' } },
  });
}
