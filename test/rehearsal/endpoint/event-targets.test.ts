import { describe, expect, it } from 'vitest';
import { targetDelivery } from '../../../lib/rehearsal/endpoint/event-targets.ts';
import { Functions } from '../../../lib/rehearsal/endpoint/functions.ts';
import { Iam } from '../../../lib/rehearsal/endpoint/iam.ts';
import { Destinations } from '../../../lib/rehearsal/endpoint/messaging.ts';
import { parsePolicy } from '../../../lib/rehearsal/endpoint/policy.ts';

const rule = 'arn:aws:events:eu-central-1:111122223333:rule/pipeline/started';
const topic = 'arn:aws:sns:eu-central-1:111122223333:people';
const queue = 'arn:aws:sqs:eu-central-1:111122223333:undelivered';
const machine = 'arn:aws:states:eu-central-1:111122223333:stateMachine:rollout';
const lambda = 'arn:aws:lambda:eu-central-1:111122223333:function:reconcile';
const role = 'arn:aws:iam::111122223333:role/scheduler';

const statement = (Action: string, extra: object = {}) => ({
  Statement: [
    { Effect: 'Allow', Action, Resource: '*', Principal: { Service: 'events.amazonaws.com' }, ...extra },
  ],
});

function start({ key = false } = {}) {
  const iam = new Iam({});
  iam.defineRole(role);
  iam.attach(
    role,
    { Statement: { Effect: 'Allow', Action: 'states:StartExecution', Resource: machine } },
    'test',
  );
  const topics = new Destinations('sns', () => 0);
  const queues = new Destinations('sqs', () => 0);
  topics.define(topic, key ? parsePolicy({ Statement: [] }, 'key') : null);
  queues.define(queue);
  const started: string[] = [];
  const functions = new Functions({ endpoint: () => '', onLog: () => {} });
  functions.define({
    arn: lambda,
    name: 'reconcile',
    handler: 'index.handler',
    codeDirectory: '/',
    environment: {},
    timeoutSeconds: 3,
    memoryMb: 128,
    roleArn: null,
  });
  const deliver = targetDelivery({
    functions,
    topics,
    queues,
    iam,
    startExecution: (_, input) => void started.push(input),
  });
  const send = (target: string, context: object = {}) =>
    deliver(target, { ruleArn: rule, roleArn: null, inRole: false, payload: '{"n":1}', ...context }).then(
      () => 'delivered',
      (error: Error & { retries?: number }) => `${error.message} (${error.retries} retries)`,
    );
  return { topics, queues, started, send };
}

describe('a rule reaches', () => {
  it('a topic whose policy lets EventBridge in for this rule, and no other', async () => {
    const { topics, send } = start();
    expect(await send(topic)).toMatch(
      /^AuthorizationError: events\.amazonaws\.com may not send to .*people.*\(0 retries\)$/,
    );
    topics.attachPolicy(
      topic,
      statement('sns:Publish', { Condition: { ArnEquals: { 'aws:SourceArn': `${rule}2` } } }),
      'p',
    );
    expect(await send(topic)).toMatch(/^AuthorizationError/);
    topics.attachPolicy(
      topic,
      statement('sns:Publish', { Condition: { ArnEquals: { 'aws:SourceArn': rule } } }),
      'p',
    );
    expect(await send(topic, { payload: '"in words"' })).toBe('delivered');
    expect(topics.notifications.map(({ message }) => message)).toEqual(['in words']);
  });

  it('no topic under a key that EventBridge may not use', async () => {
    const { topics, send } = start({ key: true });
    topics.attachPolicy(topic, statement('sns:Publish'), 'p');
    expect(await send(topic)).toMatch(/^KMSAccessDenied/);
  });

  it('a queue, as JSON', async () => {
    const { queues, send } = start();
    queues.attachPolicy(queue, statement('sqs:SendMessage'), 'p');
    expect(await send(queue)).toBe('delivered');
    expect(queues.notifications.map(({ message }) => message)).toEqual(['{"n":1}']);
  });

  it('a state machine in a role that may start it', async () => {
    const { started, send } = start();
    expect(await send(machine)).toMatch(/a rule needs a role/);
    expect(await send(machine, { roleArn: 'arn:aws:iam::111122223333:role/other' })).toMatch(
      /^AccessDeniedException/,
    );
    expect(await send(machine, { roleArn: role })).toBe('delivered');
    expect(started).toEqual(['{"n":1}']);
  });

  it('no function without its permission, and no service that is not here', async () => {
    const { send } = start();
    expect(await send(lambda)).toMatch(
      /events\.amazonaws\.com may not invoke .*reconcile for .*started \(0 retries\)/,
    );
    expect(await send('arn:aws:kinesis:eu-central-1:111122223333:stream/x')).toMatch(/delivers no events to/);
  });
});

describe('a schedule', () => {
  it('asks its role, not the policy of its target', async () => {
    const { send } = start();
    expect(await send(machine, { roleArn: role, inRole: true })).toBe('delivered');
    expect(await send(lambda, { roleArn: role, inRole: true })).toMatch(
      /not authorized to perform: lambda:InvokeFunction/,
    );
    expect(await send(topic, { roleArn: role, inRole: true })).toMatch(
      /not authorized to perform: sns:Publish/,
    );
  });
});
