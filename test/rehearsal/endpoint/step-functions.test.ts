import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EventBridge } from '../../../lib/rehearsal/endpoint/event-bridge.ts';
import { Functions } from '../../../lib/rehearsal/endpoint/functions.ts';
import { Iam } from '../../../lib/rehearsal/endpoint/iam.ts';
import { Destinations } from '../../../lib/rehearsal/endpoint/messaging.ts';
import { StepFunctions } from '../../../lib/rehearsal/endpoint/step-functions.ts';
import type { Json } from '../../../lib/rehearsal/endpoint/wire.ts';
import { realClock, serve, until } from './loopback.ts';

const role = 'arn:aws:iam::111122223333:role/machine';
const machine = 'arn:aws:states:eu-central-1:111122223333:stateMachine:rollout';
const stage = 'arn:aws:lambda:eu-central-1:111122223333:function:stage';
const forbidden = 'arn:aws:lambda:eu-central-1:111122223333:function:forbidden';

/** Fails as often as its input says, under the name that its input says. */
const stageCode = `
  const seen = {};
  export const handler = async ({ id, failures = 0, error = 'NotYet', size = 0, ...rest }) => {
    seen[id] = (seen[id] ?? 0) + 1;
    if (seen[id] <= failures) throw Object.assign(new Error('attempt ' + seen[id]), { name: error });
    return { ...rest, attempts: seen[id], pad: 'x'.repeat(size) };
  };`;

let functions: Functions;
let directory: string;
const stops: (() => Promise<void> | void)[] = [];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-sfn-'));
  await writeFile(path.join(directory, 'index.mjs'), stageCode);
  functions = new Functions({ endpoint: () => 'http://127.0.0.1:9', onLog: () => {} });
  for (const arn of [stage, forbidden]) {
    const spec = { name: 'stage', handler: 'index.handler', codeDirectory: directory, environment: {} };
    functions.define({ ...spec, arn, timeoutSeconds: 5, memoryMb: 128, roleArn: null });
  }
});
afterAll(async () => {
  await functions.stop();
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

interface Starting {
  readonly compression?: number;
  readonly TimeoutSeconds?: number;
  /** What else the machine's role may do with the machine. Default: nothing. */
  readonly grants?: readonly string[];
}

async function start(
  states: Record<string, Json>,
  { compression = 1000, grants = [], ...rest }: Starting = {},
) {
  const events = new EventBridge({ clock: realClock, compression, deliver: async () => {} });
  events.createBus('keyturn');
  const iam = new Iam({});
  iam.defineRole(role);
  const Action = ['lambda:InvokeFunction', 'events:PutEvents'];
  const bus = 'arn:aws:events:eu-central-1:111122223333:event-bus/keyturn';
  iam.attach(role, { Statement: { Effect: 'Allow', Action, Resource: [stage, bus] } }, 'test');
  for (const action of grants) {
    iam.attach(role, { Statement: { Effect: 'Allow', Action: action, Resource: machine } }, action);
  }
  const topics = new Destinations('sns', () => Date.now());
  const service = new StepFunctions({
    clock: realClock,
    compression,
    reach: { functions, iam, events, topics },
  });
  const [StartAt] = Object.keys(states);
  const definition = JSON.stringify({ StartAt, States: states, ...rest });
  const stateMachineArn = service.createStateMachine({ name: 'rollout', roleArn: role, definition });
  const { config, stop } = await serve(service);
  const client = new SFNClient(config);
  stops.push(
    () => client.destroy(),
    () => service.stop(),
    () => events.stop(),
    stop,
  );
  const run = async (input: object) => {
    const { executionArn } = await client.send(
      new StartExecutionCommand({ stateMachineArn, input: JSON.stringify(input) }),
    );
    return until(async () => {
      const execution = await client.send(new DescribeExecutionCommand({ executionArn }));
      return execution.status === 'RUNNING' ? undefined : execution;
    });
  };
  return { service, events, client, stateMachineArn, run };
}

const invoke = (extra: object = {}): Json => ({ Type: 'Task', Resource: stage, End: true, ...extra });

describe('a state machine', () => {
  it('passes the output of one state to the next, directly and through lambda:invoke', async () => {
    const { run } = await start({
      Settle: { Type: 'Task', Resource: stage, ResultPath: '$.settled', Next: 'Prove' },
      Prove: {
        Type: 'Task',
        Resource: 'arn:aws:states:::lambda:invoke',
        Parameters: {
          FunctionName: stage,
          Payload: { id: 'prove', 'from.$': '$.settled.stage', 'by.$': '$$.Execution.Name' },
        },
        ResultSelector: { 'from.$': '$.Payload.from', 'by.$': '$.Payload.by', 'status.$': '$.StatusCode' },
        End: true,
      },
    });
    const execution = await run({ id: 'settle', stage: 'settle' });
    expect(execution.status).toBe('SUCCEEDED');
    expect(JSON.parse(execution.output ?? '')).toEqual({ from: 'settle', by: execution.name, status: 200 });
  });

  it('retries by the name of the error, in compressed time, and counts every retry as a transition', async () => {
    const { service, run } = await start({
      Redeploy: invoke({
        Retry: [{ ErrorEquals: ['NotYet'], IntervalSeconds: 60, MaxAttempts: 3, BackoffRate: 2 }],
      }),
    });
    const started = Date.now();
    const execution = await run({ id: 'retry', failures: 2 });
    expect(JSON.parse(execution.output ?? '')).toMatchObject({ attempts: 3 });
    const took = Date.now() - started;
    expect(took).toBeGreaterThanOrEqual(180);
    expect(took).toBeLessThan(3000);
    expect(service.executions()[0]?.stateTransitions).toBe(3);
  });

  it('does not retry another error, and catches it with its name and cause', async () => {
    const { run } = await start({
      Redeploy: invoke({
        Retry: [{ ErrorEquals: ['NotYet'], IntervalSeconds: 1 }],
        Catch: [{ ErrorEquals: ['States.TaskFailed'], ResultPath: '$.failure', Next: 'Stalled' }],
      }),
      Stalled: { Type: 'Pass', End: true },
    });
    const execution = await run({ id: 'catch', failures: 1, error: 'TargetRejected' });
    const { failure } = JSON.parse(execution.output ?? '');
    expect(failure.Error).toBe('TargetRejected');
    expect(JSON.parse(failure.Cause)).toMatchObject({
      errorType: 'TargetRejected',
      errorMessage: 'attempt 1',
    });
  });

  it('fails with the error of the task, and with that of a Fail state', async () => {
    const task = await start({ Prove: invoke() });
    expect(await task.run({ id: 'fail', failures: 1, error: 'OldValueAlive' })).toMatchObject({
      status: 'FAILED',
      error: 'OldValueAlive',
    });
    const fail = await start({ Stop: { Type: 'Fail', Error: 'Stalled', Cause: 'by the test' } });
    const ended = await fail.run({});
    expect(ended).toMatchObject({ status: 'FAILED', error: 'Stalled', cause: 'by the test' });
    const { events } = await fail.client.send(
      new GetExecutionHistoryCommand({ executionArn: ended.executionArn }),
    );
    // Nothing was a task.
    expect(events?.map(({ type }) => type)).toEqual([
      'ExecutionStarted',
      'FailStateEntered',
      'ExecutionFailed',
    ]);
  });

  it('may invoke only what its role allows', async () => {
    const { run } = await start({ Prove: invoke({ Resource: forbidden }) });
    const execution = await run({});
    expect(execution.error).toBe('Lambda.AWSLambdaException');
    expect(execution.cause).toMatch(
      /role\/machine\/rehearsal is not authorized to perform: lambda:InvokeFunction on resource: .*:forbidden/,
    );
  });

  it('waits for seconds, for a path, and until a moment, in compressed time', async () => {
    const { run } = await start({
      Hour: { Type: 'Wait', Seconds: 100, Next: 'Path' },
      Path: { Type: 'Wait', SecondsPath: '$.hold', Next: 'Moment' },
      Moment: { Type: 'Wait', TimestampPath: '$.until', End: true },
    });
    const started = Date.now();
    const input = { hold: 100, until: new Date(Date.now() + 100_000).toISOString() };
    const execution = await run(input);
    expect(JSON.parse(execution.output ?? '')).toEqual(input);
    expect(Date.now() - started).toBeGreaterThanOrEqual(295);
    expect(Date.now() - started).toBeLessThan(3000);
  });

  it('puts events', async () => {
    const { events, run } = await start({
      Announce: {
        Type: 'Task',
        Resource: 'arn:aws:states:::events:putEvents',
        Parameters: {
          Entries: [
            { EventBusName: 'keyturn', Source: 'keyturn', DetailType: 'Done', Detail: { 'n.$': '$.n' } },
          ],
        },
        End: true,
      },
    });
    expect((await run({ n: 4 })).status).toBe('SUCCEEDED');
    expect(events.records[0]?.event.detail).toEqual({ n: 4 });
  });

  it('maps over a list', async () => {
    const { run } = await start({
      Each: {
        Type: 'Map',
        ItemsPath: '$.instances',
        MaxConcurrency: 2,
        ItemProcessor: { StartAt: 'One', States: { One: invoke() } },
        End: true,
      },
    });
    const execution = await run({
      instances: [
        { id: 'a', n: 1 },
        { id: 'b', n: 2 },
      ],
    });
    expect(JSON.parse(execution.output ?? '').map(({ n }: { n: number }) => n)).toEqual([1, 2]);
  });

  /** As `sweep-range` is drawn: an item runs as often as it takes, and is recorded when it fails for good. */
  const overRanges: Record<string, Json> = {
    Sweep: {
      Type: 'Map',
      ItemsPath: '$.ranges',
      ResultPath: '$.ranges',
      MaxConcurrencyPath: '$.atOnce',
      ToleratedFailurePercentage: 100,
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        StartAt: 'Sweep: one',
        States: {
          'Sweep: one': {
            Type: 'Task',
            Resource: stage,
            Next: 'Sweep: more?',
            ResultPath: '$.slice',
            Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'Sweep: failed' }],
          },
          'Sweep: more?': {
            Type: 'Choice',
            Choices: [{ Variable: '$.slice.attempts', NumericLessThan: 3, Next: 'Sweep: one' }],
            Default: 'Sweep: swept',
          },
          'Sweep: swept': { Type: 'Pass', Parameters: { 'slices.$': '$.slice.attempts' }, End: true },
          'Sweep: failed': { Type: 'Pass', Parameters: { 'code.$': '$.failure.Error' }, End: true },
        },
      },
      Next: 'More?',
    },
    'More?': {
      Type: 'Choice',
      Choices: [
        {
          And: [
            { Variable: '$.more', BooleanEquals: true },
            { Variable: '$.missing', IsPresent: true },
          ],
          Next: 'Sweep',
        },
      ],
      Default: 'Done',
    },
    Done: { Type: 'Succeed' },
  };

  it('maps over ranges, each as often as it takes, as a distributed map does', async () => {
    const { run, service } = await start(overRanges, { grants: ['states:StartExecution'] });
    const ranges = [{ id: 'r1' }, { id: 'r2', failures: 9, error: 'TargetUnreachable' }, { id: 'r3' }];
    const execution = await run({ ranges, atOnce: 2, more: true });
    expect(JSON.parse(execution.output ?? '').ranges).toEqual([
      { slices: 3 },
      { code: 'TargetUnreachable' },
      { slices: 3 },
    ]);
    // The map, the choice and the end: the items' own are not the execution's.
    expect(service.executions()[0]?.stateTransitions).toBe(3);
  });

  it('starts no items of a distributed map that its role may not start', async () => {
    await expect(start(overRanges)).rejects.toThrow(
      /not authorized to perform: states:StartExecution on resource: .*stateMachine:rollout/,
    );
  });

  it('fails on a result above 256 KiB, which States.ALL does not catch', async () => {
    const { run } = await start({
      Big: invoke({ Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Saved' }] }),
      Saved: { Type: 'Pass', End: true },
    });
    expect((await run({ id: 'big', size: 262_144 })).error).toBe('States.DataLimitExceeded');
  });

  it('times out as a whole', async () => {
    const { run } = await start(
      { Wait: { Type: 'Wait', Seconds: 999_000, End: true } },
      { TimeoutSeconds: 1 },
    );
    expect((await run({})).status).toBe('TIMED_OUT');
  });
});

describe('StartExecution', () => {
  it('answers alike to the same name and input while it runs, and refuses everything else of that name', async () => {
    const { client, stateMachineArn } = await start({ Wait: { Type: 'Wait', Seconds: 300_000, End: true } });
    const begin = (input: string) =>
      client.send(new StartExecutionCommand({ stateMachineArn, name: 'app-key_v1', input }));
    const first = await begin('{"a":1}');
    expect(await begin('{"a":1}')).toMatchObject({
      executionArn: first.executionArn,
      startDate: first.startDate,
    });
    await expect(begin('{"a":2}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    await client.send(new StopExecutionCommand({ executionArn: first.executionArn, cause: 'by hand' }));
    await expect(begin('{"a":1}')).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    const list = await client.send(new ListExecutionsCommand({ stateMachineArn, statusFilter: 'ABORTED' }));
    expect(list.executions?.map(({ name }) => name)).toEqual(['app-key_v1']);
  });

  it('refuses a wrong name, input that is no JSON, and an unknown machine', async () => {
    const { client, stateMachineArn } = await start({ Done: { Type: 'Succeed' } });
    const refused = async (command: object) =>
      client.send(new StartExecutionCommand({ stateMachineArn, ...command })).then(
        () => 'accepted',
        (error: Error) => error.name,
      );
    expect(await refused({ name: 'has space' })).toBe('InvalidName');
    expect(await refused({ name: 'x'.repeat(81) })).toBe('InvalidName');
    expect(await refused({ input: 'no json' })).toBe('InvalidExecutionInput');
    expect(await refused({ input: JSON.stringify('x'.repeat(262_144)) })).toBe('InvalidExecutionInput');
    expect(await refused({ stateMachineArn: `${stateMachineArn}2` })).toBe('StateMachineDoesNotExist');
  });
});

describe('GetExecutionHistory', () => {
  it('shows the states with their inputs and outputs, waits as waits', async () => {
    const { client, run } = await start({
      Hold: { Type: 'Wait', Seconds: 1, Next: 'Prove' },
      Prove: invoke(),
    });
    const { executionArn } = await run({ id: 'history', note: 'seen' });
    const { events = [] } = await client.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events.map(({ type }) => type)).toEqual([
      'ExecutionStarted',
      'WaitStateEntered',
      'WaitStateExited',
      'TaskStateEntered',
      'TaskStateExited',
      'ExecutionSucceeded',
    ]);
    expect(events[3]?.stateEnteredEventDetails).toEqual({
      name: 'Prove',
      input: '{"id":"history","note":"seen"}',
    });
    expect(events[5]?.executionSucceededEventDetails?.output).toContain('"attempts":1');
  });
});

const unsupported: [sentence: string, states: Record<string, Json>, message: RegExp][] = [
  ['JSONata', { A: { Type: 'Pass', QueryLanguage: 'JSONata', End: true } }, /not JSONata/],
  [
    'the state in the context object',
    { A: { Type: 'Pass', Parameters: { 'n.$': '$$.State.Name' }, End: true } },
    /\$\$\.State/,
  ],
  [
    'a retry count where nothing is retried',
    { A: { Type: 'Pass', Parameters: { 'n.$': '$$.State.RetryCount' }, End: true } },
    /\$\$\.State/,
  ],
  ['a task token', { A: { Type: 'Pass', Parameters: { 't.$': '$$.Task.Token' }, End: true } }, /\$\$\.Task/],
  [
    'an integration that is not there',
    { A: { Type: 'Task', Resource: 'arn:aws:states:::batch:submitJob', End: true } },
    /state A: the rehearsal has no task resource/,
  ],
  [
    'a reader of items',
    {
      A: {
        Type: 'Map',
        ItemReader: { Resource: 'arn:aws:states:::s3:getObject' },
        ItemProcessor: { StartAt: 'B', States: { B: { Type: 'Succeed' } } },
        End: true,
      },
    },
    /state A: the rehearsal has no ItemReader/,
  ],
  ['a name above 80 characters', { [`A${'a'.repeat(80)}`]: { Type: 'Succeed' } }, /at most 80 characters/],
  ['a state that nothing reaches', { A: { Type: 'Succeed' }, B: { Type: 'Succeed' } }, /invalid/],
];

describe('a definition is refused with', () => {
  for (const [sentence, states, message] of unsupported) {
    it(sentence, async () => {
      await expect(start(states)).rejects.toThrow(message);
    });
  }
});
