import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import * as tasks from 'aws-cdk-lib/aws-stepfunctions-tasks';
import { Construct } from 'constructs';
import { type Plan, type PlanId, plans, type StageId, stages } from '../lambdas/contract/plan.ts';
import { nameOf } from './pipeline-function.ts';

export interface RolloutMachineProps {
  /** Names the state machine, together with the plan. */
  readonly deployment: string;
  /** The plan that is drawn. */
  readonly plan: PlanId;
  /** The function of a stage; asked for each stage of the plan. */
  readonly functionOf: (stage: StageId) => lambda.IFunction;
  /** Encrypts the log lines; its policy must let CloudWatch Logs use it for `/aws/vendedlogs/states/keyturn-*`. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
}

/**
 * Seconds between the end of a function's own time and the end of its task's, for the call and a cold start:
 * the function's timeout is what Step Functions should see, because that one is retried.
 */
const marginSeconds = 30;

/** The rollout of one plan as a state machine: the graph in the console is the plan. */
export class RolloutMachine extends Construct {
  readonly stateMachine: sfn.StateMachine;

  constructor(scope: Construct, id: string, props: RolloutMachineProps) {
    super(scope, id);
    const plan: Plan = plans[props.plan];
    const stateMachineName = nameOf(props.deployment, props.plan);
    const logGroup = new logs.LogGroup(this, 'Log', {
      // The prefix that CloudWatch Logs knows: other names each take room in a resource policy, which is full
      // after a few (Step Functions developer guide, "Logging to CloudWatch Logs").
      logGroupName: `/aws/vendedlogs/states/${stateMachineName}`,
      retention: props.logRetention,
      encryptionKey: props.encryptionKey,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const used = new Set<StageId>([...plan.stages, plan.otherwise]);
    const role = machineRole(
      this,
      [...used].map((stage) => props.functionOf(stage).functionArn),
    );
    this.stateMachine = new sfn.StateMachine(this, 'Default', {
      stateMachineName,
      comment: `${props.plan}: ${plan.does}`,
      stateMachineType: sfn.StateMachineType.STANDARD,
      definitionBody: sfn.DefinitionBody.fromChainable(draw(this, plan, props.functionOf)),
      role: role.withoutPolicyUpdates(),
      // Level ALL tells the way of every rollout; the data stays out of the log, as it is in the history.
      logs: { destination: logGroup, level: sfn.LogLevel.ALL, includeExecutionData: false },
      tracingEnabled: true,
    });
  }
}

function draw(scope: Construct, plan: Plan, functionOf: (stage: StageId) => lambda.IFunction): sfn.Chain {
  const otherwise = task(scope, plan.otherwise, plan.otherwise, functionOf);
  otherwise.next(
    new sfn.Fail(scope, 'stopped', {
      comment: 'The rollout could not go on and has stopped safely.',
      error: 'RolloutStopped',
      cause: `The stage ${plan.otherwise} reported why; the execution's history has the error that led there.`,
    }),
  );
  const superseded = new sfn.Succeed(scope, 'superseded', {
    comment: 'A later version is current: its rollout takes over what this one has not proven.',
  });
  const forward = plan.stages.map((stage, index) => {
    // A plan may have a stage twice, a state machine no name.
    const before = plan.stages.slice(0, index).filter((earlier) => earlier === stage).length;
    const state = task(scope, before === 0 ? stage : `${stage} ${before + 1}`, stage, functionOf);
    return state
      .addCatch(superseded, { errors: [plan.superseded], resultPath: '$.failure' })
      .addCatch(otherwise, { errors: ['States.ALL'], resultPath: '$.failure' });
  });
  const [first, ...rest] = [
    ...forward,
    new sfn.Succeed(scope, 'done', {
      comment: 'The new value is in use everywhere, and the old one is dead.',
    }),
  ];
  if (first === undefined) throw new Error('A plan has at least one stage.');
  return rest.reduce((chain, next) => chain.next(next), sfn.Chain.start(first));
}

function task(
  scope: Construct,
  name: string,
  stage: StageId,
  functionOf: (stage: StageId) => lambda.IFunction,
): tasks.LambdaInvoke {
  const { does, timeoutSeconds, retry } = stages[stage];
  const state = new tasks.LambdaInvoke(scope, name, {
    comment: does,
    lambdaFunction: functionOf(stage),
    // State in, state out, without the envelope of the Invoke API.
    payloadResponseOnly: true,
    // The table has these errors too, with our numbers.
    retryOnServiceExceptions: false,
    taskTimeout: sfn.Timeout.duration(Duration.seconds(timeoutSeconds + marginSeconds)),
  });
  for (const { errors, intervalSeconds, maxAttempts, backoffRate, maxDelaySeconds } of retry) {
    state.addRetry({
      errors: [...errors],
      interval: Duration.seconds(intervalSeconds),
      maxAttempts,
      backoffRate,
      maxDelay: Duration.seconds(maxDelaySeconds),
    });
  }
  return state;
}

/** CDK would also allow every version and alias of each function. */
function machineRole(scope: Construct, functionArns: readonly string[]): iam.Role {
  const role = new iam.Role(scope, 'Role', {
    assumedBy: new iam.ServicePrincipal('states.amazonaws.com', {
      // Step Functions developer guide, "Prevent cross-service confused deputy issue".
      conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(scope).account } },
    }),
    inlinePolicies: {
      Stages: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [...functionArns] }),
        ],
      }),
      Observability: new iam.PolicyDocument({
        statements: [
          new iam.PolicyStatement({
            actions: [
              'logs:CreateLogDelivery',
              'logs:DeleteLogDelivery',
              'logs:DescribeLogGroups',
              'logs:DescribeResourcePolicies',
              'logs:GetLogDelivery',
              'logs:ListLogDeliveries',
              'logs:PutResourcePolicy',
              'logs:UpdateLogDelivery',
              'xray:GetSamplingRules',
              'xray:GetSamplingTargets',
              'xray:PutTelemetryRecords',
              'xray:PutTraceSegments',
            ],
            resources: ['*'],
          }),
        ],
      }),
    },
  });
  Validations.of(role).acknowledge({
    id: 'AwsSolutions-IAM5[Resource::*]',
    reason:
      'Log delivery and X-Ray have no resource-level permissions for these actions (Step Functions developer guide, "IAM policies for logging" and "for X-Ray").',
  });
  return role;
}
