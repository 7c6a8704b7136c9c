import { Duration, Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type DetailType, eventSource } from '../lambdas/contract/events.ts';
import type { PlanId } from '../lambdas/contract/plan.ts';
import type { Settings } from '../lambdas/contract/settings.ts';
import { nameOf, PipelineFunction } from './pipeline-function.ts';
import type { RolloutMachine } from './rollout-machine.ts';

export interface RolloutStartProps {
  /** Carries the events of finished rotations. */
  readonly bus: events.EventBus;
  /** The state machine of every plan in use. */
  readonly machines: ReadonlyMap<PlanId, RolloutMachine>;
  /** The whole deployment: an event may tell of any of its secrets. */
  readonly settings: Settings;
  /** Gets events that could not be handed over, or not be handled. */
  readonly undelivered: sqs.IQueue;
  /** Encrypts the log lines. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
}

const starts: DetailType = 'Rotation Finished';

/** Starts a rollout when a rotation has finished. */
export class RolloutStart extends Construct {
  readonly function: lambda.Function;

  constructor(scope: Construct, id: string, props: RolloutStartProps) {
    super(scope, id);
    const { settings, bus, undelivered } = props;
    const machineArns = [...props.machines].map(
      ([plan, { stateMachine }]) => [plan, stateMachine.stateMachineArn] as const,
    );
    this.function = new PipelineFunction(this, 'Default', {
      functionName: nameOf(settings.deployment, 'start'),
      description: `Keyturn, ${settings.deployment}: starts the rollout of a version that a rotation published.`,
      entry: { kind: 'start' },
      settings,
      environment: {
        KEYTURN_BUS: bus.eventBusName,
        KEYTURN_STATE_MACHINES: Stack.of(this).toJsonString(Object.fromEntries(machineArns)),
      },
      timeout: Duration.seconds(30),
      encryptionKey: props.encryptionKey,
      logRetention: props.logRetention,
      statements: [
        new iam.PolicyStatement({
          actions: ['states:StartExecution'],
          resources: machineArns.map(([, arn]) => arn),
        }),
      ],
      undelivered,
    }).function;
    new events.Rule(this, 'Rule', {
      eventBus: bus,
      description: `Keyturn, ${settings.deployment}: a finished rotation starts its rollout.`,
      eventPattern: { source: [eventSource], detailType: [starts] },
      targets: [
        new targets.LambdaFunction(this.function, {
          deadLetterQueue: undelivered,
          // A day of tries, EventBridge's own limit; an execution is named after its version, so late does no harm.
          maxEventAge: Duration.hours(24),
          retryAttempts: 185,
        }),
      ],
    });
  }
}
