import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { IamStatement } from '../lambdas/contract/hooks.ts';
import {
  goesBackByItself,
  handOver,
  isStoppedAt,
  type Plan,
  type PlanId,
  plans,
  rollBackAskedError,
  stagesOfPlan,
  supersededError,
  type WayOut,
  wayBackOf,
  wayOutOf,
  waysOut,
} from '../lambdas/contract/plan.ts';
import { inlineConcurrency, type StageDescription } from '../lambdas/contract/stage-description.ts';
import { type StageId, stages } from '../lambdas/contract/stages.ts';
import { acknowledgeWildcards, declared } from './access.ts';
import { nameOf } from './pipeline-function.ts';
import { type Drawing, type Drawn, map, rangeMap, task } from './rollout-states.ts';

export interface RolloutMachineProps extends Drawing {
  /** Names the state machine, together with the plan. */
  readonly deployment: string;
  /** The plan that is drawn. */
  readonly plan: PlanId;
  /** Encrypts the log lines; its policy must let CloudWatch Logs use it for `/aws/vendedlogs/states/keyturn-*`. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
}

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
    const role = machineRole(
      this,
      stagesOfPlan(plan).map((stage) => props.functionOf(stage).functionArn),
      isDistributed(plan, props) ? itemExecutions(stateMachineName) : [],
    );
    this.stateMachine = new sfn.StateMachine(this, 'Default', {
      stateMachineName,
      comment: `${props.plan}: ${plan.does}`,
      stateMachineType: sfn.StateMachineType.STANDARD,
      definitionBody: sfn.DefinitionBody.fromChainable(draw(this, plan, props)),
      role: role.withoutPolicyUpdates(),
      // Level ALL tells the way of every rollout; the data stays out of the log, as it is in the history.
      logs: { destination: logGroup, level: sfn.LogLevel.ALL, includeExecutionData: false },
      tracingEnabled: true,
    });
  }
}

/** A stage's place in the graph: where it is entered, and the state that other states follow. */
interface Place {
  readonly stage: StageId;
  readonly first: sfn.IChainable;
  readonly task: Drawn;
  /** The map over ranges that it may leave in the state. Default: it leaves none. */
  readonly over?: sfn.DistributedMap;
  /** What the next place follows: the task, or the wait behind it. */
  readonly last: { next(next: sfn.IChainable): unknown };
}

function draw(scope: Construct, plan: Plan, drawing: Drawing): sfn.IChainable {
  const names = new Set<string>();
  const superseded = new sfn.Succeed(scope, 'superseded', {
    comment: 'A later version is current: its rollout takes over what this one has not proven.',
  });
  const placed = (stage: StageId) => place(scope, stage, names, drawing);

  const forward = plan.stages.map(placed);
  const stall = chained(waysOut.stall.stages.map(placed), fail(scope, 'stalled', waysOut.stall));
  const wayBack = waysOut[wayBackOf(plan)];
  const backward = usesRollBack(plan) ? wayBack.stages.map(placed) : [];
  const back = backward.length === 0 ? stall : chained(backward, fail(scope, 'rolled back', wayBack));

  const stops = plan.stages.includes('quiesce');
  const handedOver = stops ? handOver.map(placed) : [];
  for (const { task } of handedOver) leave(task, superseded, stall);
  const started = chained(handedOver, superseded);
  const supersededAt = (way: readonly StageId[], index: number) =>
    isStoppedAt(way, index) ? started : superseded;

  for (const [index, { stage, task, over }] of forward.entries()) {
    const otherwise = wayOutOf(plan, stage) === 'stall' ? stall : back;
    if (stage === plan.stages[0] && goesBackByItself(plan)) {
      task.addCatch(back, { errors: [rollBackAskedError], resultPath: '$.failure' });
    }
    leave(task, supersededAt(plan.stages, index), otherwise);
    if (over !== undefined) leave(over, supersededAt(plan.stages, index), otherwise);
  }
  for (const [index, { task, over }] of backward.entries()) {
    leave(task, supersededAt(wayBack.stages, index), stall);
    if (over !== undefined) leave(over, supersededAt(wayBack.stages, index), stall);
  }
  const done = new sfn.Succeed(scope, 'done', {
    comment: 'The new value is in use everywhere, and the old one is dead.',
  });
  return chained(forward, done);
}

function usesRollBack(plan: Plan): boolean {
  return stagesOfPlan(plan).includes('roll-back');
}

/** Where a stage leads that fails for good. The first Catch that fits decides. */
function leave(task: Drawn, superseded: sfn.IChainable, otherwise: sfn.IChainable): void {
  task
    .addCatch(superseded, { errors: [supersededError], resultPath: '$.failure' })
    .addCatch(otherwise, { errors: ['States.ALL'], resultPath: '$.failure' });
}

function fail(scope: Construct, name: string, { error, cause }: WayOut): sfn.Fail {
  return new sfn.Fail(scope, name, { error, cause });
}

/** Puts places one after the other, with an end behind them. @returns where the whole is entered. */
function chained(places: readonly Place[], end: sfn.IChainable): sfn.IChainable {
  const [first] = places;
  places.forEach(({ last }, index) => {
    last.next(places[index + 1]?.first ?? end);
  });
  return first?.first ?? end;
}

/** A plan may have a stage twice, a state machine no name. */
function place(scope: Construct, stage: StageId, names: Set<string>, drawing: Drawing): Place {
  const name = named(stage, names);
  const { waitSeconds, waitAfter, each, repeats, over }: StageDescription = stages[stage];
  const made =
    each === undefined
      ? task(scope, name, stage, drawing.functionOf)
      : map(scope, name, stage, each, drawing);
  if (repeats !== undefined) {
    const unfinished = sfn.Condition.booleanEquals(`$.${repeats}.finished`, false);
    const again = new sfn.Choice(scope, `${name}: more?`);
    const ranges = over === undefined ? undefined : rangeMap(scope, named(over, names), over, drawing);
    if (ranges !== undefined) {
      again.when(sfn.Condition.and(unfinished, sfn.Condition.isPresent('$.ranges')), ranges);
      ranges.next(made);
    }
    again.when(unfinished, made);
    made.next(again);
    const last = { next: (next: sfn.IChainable) => again.otherwise(next) };
    return { stage, first: made, task: made, last, ...(ranges === undefined ? {} : { over: ranges }) };
  }
  if (waitAfter !== undefined) {
    const wait = new sfn.Wait(scope, `wait after ${name}`, {
      time: sfn.WaitTime.secondsPath(`$.${waitAfter}`),
    });
    made.next(wait);
    return { stage, first: made, task: made, last: wait };
  }
  if (waitSeconds === undefined) return { stage, first: made, task: made, last: made };
  const wait = new sfn.Wait(scope, `wait before ${name}`, {
    time: sfn.WaitTime.duration(Duration.seconds(waitSeconds)),
  });
  wait.next(made);
  return { stage, first: wait, task: made, last: made };
}

function named(stage: StageId, names: Set<string>): string {
  let name: string = stage;
  for (let times = 2; names.has(name); times += 1) name = `${stage} ${times}`;
  names.add(name);
  return name;
}

function isDistributed(plan: Plan, { concurrency }: Drawing): boolean {
  const described = stagesOfPlan(plan).map((stage): StageDescription => stages[stage]);
  return (
    described.some(({ over }) => over !== undefined) ||
    ((concurrency ?? 0) > inlineConcurrency && described.some(({ each }) => each !== undefined))
  );
}

/** CDK would also allow every version and alias of each function. */
function machineRole(
  scope: Construct,
  functionArns: readonly string[],
  items: readonly IamStatement[],
): iam.Role {
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
      ...(items.length === 0
        ? {}
        : {
            Items: new iam.PolicyDocument({
              statements: items.map((statement) => declared(scope, statement)),
            }),
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
  acknowledgeWildcards(role, items);
  return role;
}

/** A distributed map starts its items as executions (Step Functions developer guide, "IAM policies for Distributed Map"). */
function itemExecutions(stateMachineName: string): IamStatement[] {
  const arnOf = (resource: string) =>
    `arn:{partition}:states:{region}:{account}:${resource}:${stateMachineName}`;
  return [
    { actions: ['states:StartExecution'], resources: [arnOf('stateMachine')] },
    {
      actions: ['states:DescribeExecution', 'states:StopExecution'],
      resources: [`${arnOf('execution')}:*`],
      wildcardReason: 'Step Functions makes the names of the executions of a map’s items.',
    },
  ];
}
