import aslValidator from 'asl-validator';
import { Stack } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { describe, expect, it } from 'vitest';
import {
  goesBackByItself,
  handOver,
  isStoppedAt,
  type Plan,
  type PlanId,
  plans,
  wayBackOf,
  waysOut,
} from '../../lambdas/contract/plan.ts';
import type { StageDescription } from '../../lambdas/contract/stage-description.ts';
import { type StageId, stages } from '../../lambdas/contract/stages.ts';
import { RolloutMachine } from '../../lib/rollout-machine.ts';
import { newApp } from './synth.ts';
import { object, Synthesised } from './template.ts';

let counter = 0;
const region = { account: '111122223333', region: 'eu-west-1' };
const functionArn = (stage: string) => `arn:aws:lambda:eu-west-1:111122223333:function:${stage}`;

const template = synthesised();
const planIds = Object.keys(plans) as PlanId[];

describe.each(planIds)('the state machine of %s', (id) => {
  const plan: Plan = plans[id];
  const machine = template.one('AWS::StepFunctions::StateMachine', ({ StateMachineName }) =>
    String(StateMachineName).endsWith(id),
  );
  const definition = object(JSON.parse(String(machine.properties.DefinitionString)));
  const states = object(definition.States);

  it('is a valid definition', () => {
    expect(aslValidator(definition)).toMatchObject({ isValid: true, errors: [] });
  });

  it('goes through the stages of the plan in their order, within 20 transitions', () => {
    const way: string[] = [];
    // Where a stage may have more to do, the way goes on when it has not.
    for (
      let name = String(definition.StartAt);
      ;
      name = String(object(states[name]).Next ?? object(states[name]).Default)
    ) {
      way.push(name);
      if (object(states[name]).Type === 'Succeed') break;
    }
    expect(
      way
        .filter((name) => !/^wait (before|after) |: more\?$/.test(name))
        .map((name) => name.replace(/ [0-9]+$/, '')),
    ).toEqual([...plan.stages, 'done']);
    // Step Functions counts the start too.
    expect(way.length + 1).toBeLessThan(20);
  });

  it('has the stages of the plan and of its ways out, their waits and its ends, and no other state', () => {
    const named: readonly StageId[] = [
      ...plan.stages,
      ...waysOut.stall.stages,
      ...waysOut[wayBackOf(plan)].stages,
      ...handOver,
    ];
    const known = named.flatMap((stage) => [stage, (stages[stage] as StageDescription).over ?? stage]);
    for (const name of Object.keys(states)) {
      const plain = name.replace(/^wait (before|after) |: more\?$/g, '').replace(/ [0-9]+$/, '');
      expect([...known, 'done', 'superseded', 'stalled', 'rolled back']).toContain(plain);
    }
  });

  it.each(Object.entries(states).filter(([, state]) => object(state).Type === 'Task'))(
    'tries %s as the table says, and never for ever',
    (name, state) => {
      const stage = name.replace(/ [0-9]+$/, '') as keyof typeof stages;
      expect(state).toMatchObject({
        Resource: functionArn(stage),
        Comment: stages[stage].does,
        TimeoutSeconds: stages[stage].timeoutSeconds + 30,
        Retry: stages[stage].retry.map((retry) => ({
          ErrorEquals: retry.errors,
          IntervalSeconds: retry.intervalSeconds,
          MaxAttempts: retry.maxAttempts,
          BackoffRate: retry.backoffRate,
          MaxDelaySeconds: retry.maxDelaySeconds,
        })),
      });
      expect(state).not.toHaveProperty('Parameters');
    },
  );

  it('leads from every stage that fails for good to a way out, with the failure beside the state', () => {
    for (const [index, stage] of plan.stages.entries()) {
      const caught = (object(states[stage]).Catch ?? []) as unknown[];
      const asked = stage === plan.stages[0] && goesBackByItself(plan) ? caught.slice(0, 1) : [];
      const [first, last] = caught.slice(asked.length);
      // A way back that an operator asked for begins with the first stage, before anything else is done.
      for (const one of asked) {
        const next = waysOut[wayBackOf(plan)].stages[0];
        const { Next, ...rest } = object(one);
        expect(rest).toEqual({ ErrorEquals: ['RollBackAsked'], ResultPath: '$.failure' });
        expect(
          String(Next)
            .replace(/^wait before /, '')
            .replace(/ [0-9]+$/, ''),
        ).toBe(next);
      }
      // What is stopped must be started, whoever made another value current.
      const Next = isStoppedAt(plan.stages, index) ? 'hand-over' : 'superseded';
      expect(first).toEqual({ ErrorEquals: ['Superseded'], ResultPath: '$.failure', Next });
      expect(last).toMatchObject({ ErrorEquals: ['States.ALL'], ResultPath: '$.failure' });
    }
    expect(states.superseded).toMatchObject({ Type: 'Succeed' });
    // What reports a stall has no other way: it ends the execution.
    expect(states.stall).toMatchObject({ Next: 'stalled' });
    expect(states.stall).not.toHaveProperty('Catch');
    expect(states.stalled).toMatchObject({ Type: 'Fail', Error: 'RolloutStalled' });
  });

  it('logs its way without its data to an encrypted group, and is traced', () => {
    expect(machine.properties).toMatchObject({
      StateMachineType: 'STANDARD',
      LoggingConfiguration: { Level: 'ALL', IncludeExecutionData: false },
      TracingConfiguration: { Enabled: true },
    });
    const group = template.one('AWS::Logs::LogGroup', ({ LogGroupName }) =>
      String(LogGroupName).endsWith(id),
    );
    expect(group.properties).toMatchObject({
      LogGroupName: `/aws/vendedlogs/states/keyturn-test-${id}`,
      RetentionInDays: 7,
      KmsKeyId: '<Key>.Arn',
    });
  });
});

it('redeploy-and-prove, state by state', () => {
  const machine = template.one('AWS::StepFunctions::StateMachine', ({ StateMachineName }) =>
    String(StateMachineName).endsWith('redeploy-and-prove'),
  );
  const { States } = object(JSON.parse(String(machine.properties.DefinitionString)));
  const failsTo = (state: unknown) => {
    const caught = object(state).Catch;
    return Array.isArray(caught) ? object(caught[1]).Next : null;
  };
  const graph = Object.entries(object(States)).map(([name, state]) => [
    name,
    object(state).Next ?? null,
    failsTo(state),
  ]);
  expect(new Set(graph.map((edge) => edge.join(' -> ')))).toEqual(
    new Set([
      'settle -> wait before redeploy -> stall',
      'wait before redeploy -> redeploy -> ',
      'redeploy -> prove -> roll-back',
      'prove -> complete -> stall',
      'complete -> done -> stall',
      'done ->  -> ',
      'superseded ->  -> ',
      'roll-back -> wait before redeploy 2 -> stall',
      'wait before redeploy 2 -> redeploy 2 -> ',
      'redeploy 2 -> rolled-back -> stall',
      'rolled-back -> rolled back -> stall',
      'rolled back ->  -> ',
      'stall -> stalled -> ',
      'stalled ->  -> ',
    ]),
  );
});

describe('a stage over ranges', () => {
  const machine = template.one('AWS::StepFunctions::StateMachine', ({ StateMachineName }) =>
    String(StateMachineName).endsWith('overlap-and-reencrypt'),
  );
  const states = object(object(JSON.parse(String(machine.properties.DefinitionString))).States);

  it('is come to only where the stage before left ranges, and leads back to it', () => {
    expect(states['reencrypt: more?']).toEqual({
      Type: 'Choice',
      Choices: [
        {
          And: [
            { Variable: '$.reencryption.finished', BooleanEquals: false },
            { Variable: '$.ranges', IsPresent: true },
          ],
          Next: 'sweep-range',
        },
        { Variable: '$.reencryption.finished', BooleanEquals: false, Next: 'reencrypt' },
      ],
      Default: 'verify',
    });
    expect(states['sweep-range']).toMatchObject({ Next: 'reencrypt' });
    expect(states['sweep-range 2']).toMatchObject({ Next: 'reencrypt 2' });
  });

  it('is a distributed map that never fails: a range runs slice after slice, and is recorded when it fails for good', () => {
    const { Type, ItemsPath, MaxConcurrencyPath, ResultPath, ToleratedFailurePercentage, ItemProcessor } =
      object(states['sweep-range']);
    expect({ Type, ItemsPath, MaxConcurrencyPath, ResultPath, ToleratedFailurePercentage }).toEqual({
      Type: 'Map',
      ItemsPath: '$.ranges',
      MaxConcurrencyPath: '$.rangesAtOnce',
      ResultPath: '$.ranges',
      ToleratedFailurePercentage: 100,
    });
    expect(ItemProcessor).toMatchObject({
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      StartAt: 'sweep-range: one',
      States: {
        'sweep-range: one': {
          Resource: functionArn('sweep-range'),
          Next: 'sweep-range: more?',
          Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'sweep-range: failed' }],
        },
        'sweep-range: more?': {
          Choices: [{ Variable: '$.finished', BooleanEquals: false, Next: 'sweep-range: one' }],
          Default: 'sweep-range: swept',
        },
        'sweep-range: swept': {
          Parameters: { 'target.$': '$.range.target', outcome: 'swept', 'moved.$': '$.moved' },
        },
        'sweep-range: failed': {
          Parameters: {
            'target.$': '$.range.target',
            outcome: 'failed',
            'moved.$': '$.moved',
            'code.$': '$.failure.Error',
          },
        },
      },
    });
  });

  it('needs a role that may start executions of its own machine only', () => {
    const role = template
      .all('AWS::IAM::Role')
      .filter(({ properties }) => JSON.stringify(properties).includes('states:StartExecution'))
      .filter(({ properties }) => JSON.stringify(properties).includes('overlap-and-reencrypt'));
    expect(role).toHaveLength(1);
    const arn = 'arn:aws:states:eu-west-1:111122223333:stateMachine:keyturn-test-overlap-and-reencrypt';
    expect(JSON.stringify(role[0]?.properties)).toContain(
      JSON.stringify({ Action: 'states:StartExecution', Effect: 'Allow', Resource: arn }),
    );
  });
});

describe('a stage over a list', () => {
  const retry = stages['renew-instances'].retry.map((one) => ({
    ErrorEquals: [...one.errors],
    IntervalSeconds: one.intervalSeconds,
    MaxAttempts: one.maxAttempts,
    BackoffRate: one.backoffRate,
    MaxDelaySeconds: one.maxDelaySeconds,
  }));
  const processor = (config: object) => ({
    ProcessorConfig: config,
    StartAt: 'renew-instances: one',
    States: {
      'renew-instances: one': {
        Type: 'Task',
        QueryLanguage: 'JSONPath',
        Comment: stages['renew-instances'].does,
        Resource: functionArn('renew-instances'),
        TimeoutSeconds: 630,
        Parameters: { 'id.$': '$.id', 'rollout.$': '$.rollout', 'retries.$': '$$.State.RetryCount' },
        Retry: retry,
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'renew-instances: failed' }],
        End: true,
      },
      'renew-instances: failed': {
        Type: 'Pass',
        QueryLanguage: 'JSONPath',
        Comment: 'Recorded by its id; the next stage judges.',
        Parameters: { 'id.$': '$.id', outcome: 'failed', 'code.$': '$.failure.Error' },
        End: true,
      },
    },
  });
  const around = {
    Type: 'Map',
    QueryLanguage: 'JSONPath',
    Comment: stages['renew-instances'].does,
    ItemsPath: '$.instances',
    ItemSelector: {
      'id.$': '$$.Map.Item.Value',
      rollout: {
        'schema.$': '$.schema',
        'secretId.$': '$.secretId',
        'versionId.$': '$.versionId',
        'previousVersionId.$': '$.previousVersionId',
        'plan.$': '$.plan',
        'publishedAt.$': '$.publishedAt',
        'attempt.$': '$.attempt',
      },
    },
    ResultPath: '$.instances',
    Next: 'count-instances',
    Catch: [
      { ErrorEquals: ['Superseded'], ResultPath: '$.failure', Next: 'superseded' },
      { ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'stall' },
    ],
  };
  const stateOf = (from: Synthesised) => {
    const machine = from.one('AWS::StepFunctions::StateMachine', ({ StateMachineName }) =>
      String(StateMachineName).endsWith('redeploy-instances'),
    );
    const definition = object(JSON.parse(String(machine.properties.DefinitionString)));
    expect(aslValidator(definition)).toMatchObject({ isValid: true, errors: [] });
    return object(definition.States)['renew-instances'];
  };

  it('is a map that never fails: each item is retried, and recorded when it fails for good', () => {
    expect(stateOf(template)).toEqual({
      ...around,
      MaxConcurrency: 20,
      ItemProcessor: processor({ Mode: 'INLINE' }),
    });
  });

  it('runs as many at once as the deployment asks for, inline up to 40', () => {
    expect(stateOf(synthesised(40))).toMatchObject({
      MaxConcurrency: 40,
      ItemProcessor: { ProcessorConfig: { Mode: 'INLINE' } },
    });
  });

  it('is a distributed map above 40, whose role may start executions of its own machine only', () => {
    const distributed = synthesised(41);
    expect(stateOf(distributed)).toEqual({
      ...around,
      MaxConcurrency: 41,
      ToleratedFailurePercentage: 100,
      ItemProcessor: processor({ Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }),
    });
    const arn = (resource: string) =>
      `arn:aws:states:eu-west-1:111122223333:${resource}:keyturn-test-redeploy-instances`;
    const items = distributed
      .all('AWS::IAM::Role')
      .map(({ properties }) => properties.Policies)
      .filter((policies) => JSON.stringify(policies).includes('states:StartExecution'))
      .filter((policies) => JSON.stringify(policies).includes('redeploy-instances'));
    expect(items).toHaveLength(1);
    expect(items[0]).toContainEqual({
      PolicyName: 'Items',
      PolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          { Action: 'states:StartExecution', Effect: 'Allow', Resource: arn('stateMachine') },
          {
            Action: ['states:DescribeExecution', 'states:StopExecution'],
            Effect: 'Allow',
            Resource: `${arn('execution')}:*`,
          },
        ],
      },
    });
  });
});

it('a role invokes the functions of its plan and nothing else', () => {
  // The plans differ in their stages, and so do their roles: the plain plan's has neither hold, nor instances, nor data.
  const role = template.one('AWS::IAM::Role', ({ Policies }) =>
    /^(?=.*function:stall)(?!.*function:hold)(?!.*function:drain)(?!.*instances)(?!.*function:reencrypt).*$/.test(
      JSON.stringify(Policies),
    ),
  );
  expect(role.properties).toMatchObject({
    AssumeRolePolicyDocument: {
      Statement: [
        {
          Action: 'sts:AssumeRole',
          Effect: 'Allow',
          Principal: { Service: 'states.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': '111122223333' } },
        },
      ],
    },
    Policies: [
      {
        PolicyName: 'Stages',
        PolicyDocument: {
          Statement: [
            {
              Action: 'lambda:InvokeFunction',
              Effect: 'Allow',
              Resource: ['complete', 'prove', 'redeploy', 'roll-back', 'rolled-back', 'settle', 'stall'].map(
                functionArn,
              ),
            },
          ],
        },
      },
      {
        PolicyName: 'Observability',
        PolicyDocument: {
          Statement: [
            {
              Action: [
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
              Effect: 'Allow',
              Resource: '*',
            },
          ],
        },
      },
    ],
  });
  expect(template.all('AWS::IAM::Policy')).toEqual([]);
});

function synthesised(concurrency: number | null = null): Synthesised {
  const app = newApp();
  const stack = new Stack(app, 'Test', { env: region });
  const key = new kms.Key(stack, 'Key');
  for (const plan of Object.keys(plans) as PlanId[]) {
    new RolloutMachine(stack, plan, {
      deployment: 'test',
      plan,
      concurrency,
      functionOf: (stage) =>
        lambda.Function.fromFunctionArn(stack, `${plan}-${stage}-${counter++}`, functionArn(stage)),
      encryptionKey: key,
      logRetention: logs.RetentionDays.ONE_WEEK,
    });
  }
  return new Synthesised(app.synth().getStackByName('Test').template);
}
