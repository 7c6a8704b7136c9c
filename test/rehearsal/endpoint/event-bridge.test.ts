import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { afterEach, describe, expect, it } from 'vitest';
import { EventBridge } from '../../../lib/rehearsal/endpoint/event-bridge.ts';
import type { Deliver, EventTarget } from '../../../lib/rehearsal/endpoint/event-delivery.ts';
import { DeliveryFailure } from '../../../lib/rehearsal/endpoint/event-delivery.ts';
import { targetPayload } from '../../../lib/rehearsal/endpoint/event-input.ts';
import { checkPattern, matchesPattern } from '../../../lib/rehearsal/endpoint/event-pattern.ts';
import type { JsonObject } from '../../../lib/rehearsal/endpoint/wire.ts';
import { realClock, serve, until } from './loopback.ts';

const event = {
  source: 'keyturn',
  'detail-type': 'Rotation Finished',
  resources: ['arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf'],
  detail: { name: 'app/key', attempt: 3, guarded: false, owner: null, class: { id: 'opaque-token' } },
};

const patterns: [sentence: string, pattern: JsonObject, matches: boolean][] = [
  ['an exact value', { source: ['keyturn'] }, true],
  ['one of several values', { source: ['other', 'keyturn'] }, true],
  ['no other value', { source: ['other'] }, false],
  ['every field at once', { source: ['keyturn'], 'detail-type': ['Other'] }, false],
  ['one element of a list', { resources: [{ suffix: '-AbCdEf' }] }, true],
  ['a nested field', { detail: { class: { id: ['opaque-token'] } } }, true],
  ['a prefix', { detail: { name: [{ prefix: 'app/' }] } }, true],
  ['no other prefix', { detail: { name: [{ prefix: 'app2/' }] } }, false],
  ['a prefix in any case', { detail: { name: [{ prefix: { 'equals-ignore-case': 'APP' } }] } }, true],
  ['anything but a value', { detail: { name: [{ 'anything-but': ['db', 'cache'] }] } }, true],
  ['not the value that is excepted', { detail: { name: [{ 'anything-but': 'app/key' }] } }, false],
  ['not a prefix that is excepted', { detail: { name: [{ 'anything-but': { prefix: 'app' } }] } }, false],
  ['no anything-but on a field that is missing', { detail: { missing: [{ 'anything-but': 'x' }] } }, false],
  ['a field that exists', { detail: { name: [{ exists: true }] } }, true],
  ['a field that does not exist', { detail: { missing: [{ exists: false }] } }, true],
  ['no missing field', { detail: { missing: [{ exists: true }] } }, false],
  ['a number in a range', { detail: { attempt: [{ numeric: ['>', 2, '<=', 3] }] } }, true],
  ['no number outside', { detail: { attempt: [{ numeric: ['<', 3] }] } }, false],
  ['null', { detail: { owner: [null] } }, true],
  ['false, which is not null', { detail: { guarded: [null] } }, false],
  ['a wildcard', { detail: { name: [{ wildcard: 'a*/*y' }] } }, true],
  ['one of two alternatives', { $or: [{ source: ['x'] }, { detail: { attempt: [3] } }] }, true],
];

describe('a pattern matches', () => {
  for (const [sentence, pattern, matches] of patterns) {
    it(sentence, () => expect(matchesPattern(pattern, event)).toBe(matches));
  }
  it('nothing, and is refused, when it holds an operator that is not known', () => {
    expect(() => checkPattern({ source: [{ regex: '.*' }] }, 'rule r')).toThrow(
      'rule r, source: unknown operator regex',
    );
    expect(() => checkPattern({ source: 'keyturn' }, 'rule r')).toThrow(/objects and arrays/);
  });
});

const onBus = {
  id: '1',
  account: '111122223333',
  region: 'eu-central-1',
  time: '2026-11-21T00:00:00Z',
  ...event,
};
const rule = { ruleArn: 'arn:rule', ruleName: 'finished' };
const template = (inputTemplate: string, inputPathsMap: Record<string, string>): object => ({
  inputTransformer: { inputTemplate, inputPathsMap },
});

const inputs: [sentence: string, input: object, payload: unknown][] = [
  ['the whole event', {}, onBus],
  ['a constant', { input: '{"sweep":true}' }, { sweep: true }],
  ['a part', { inputPath: '$.detail.class' }, { id: 'opaque-token' }],
  [
    'an object from a template',
    template('{"secret":<name>,"n":<n>}', { name: '$.detail.name', n: '$.detail.attempt' }),
    { secret: 'app/key', n: 3 },
  ],
  [
    'a text from a template',
    template('"<name> by <aws.events.rule-name>"', { name: '$.resources[0]' }),
    `${event.resources[0]} by finished`,
  ],
  [
    'null and nothing where the path is empty',
    template('{"a":<x>,"b":"<x>"}', { x: '$.detail.missing' }),
    { a: null, b: '' },
  ],
];

describe('a target receives', () => {
  for (const [sentence, input, payload] of inputs) {
    it(sentence, () => expect(JSON.parse(targetPayload(input, onBus, rule))).toEqual(payload));
  }
});

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function start(deliver: Deliver, target: Partial<EventTarget> = {}) {
  const bridge = new EventBridge({ clock: realClock, compression: 1000, deliver });
  bridge.createBus('keyturn');
  bridge.createRule({
    arn: 'arn:rule',
    name: 'finished',
    busName: 'keyturn',
    pattern: { source: ['keyturn'] },
    scheduleExpression: null,
    targets: [{ arn: 'arn:target', ...target }],
  });
  const { config, stop } = await serve(bridge);
  const client = new EventBridgeClient(config);
  stops.push(
    () => client.destroy(),
    () => bridge.stop(),
    stop,
  );
  const put = (...entries: object[]) =>
    client.send(
      new PutEventsCommand({
        Entries: entries.map((entry) => ({
          EventBusName: 'keyturn',
          Source: 'keyturn',
          DetailType: 'Rotation Finished',
          Detail: '{"n":1}',
          ...entry,
        })),
      }),
    );
  return { bridge, put };
}

describe('EventBridge', () => {
  it('delivers to the target of a rule that matches', async () => {
    const got: string[] = [];
    const { put } = await start(async (_, { payload }) => void got.push(payload));
    const answer = await put({}, { Source: 'other' });
    expect(answer.FailedEntryCount).toBe(0);
    const [payload = ''] = await until(() => (got.length > 0 ? got : undefined));
    expect(JSON.parse(payload)).toMatchObject({
      id: answer.Entries?.[0]?.EventId,
      detail: { n: 1 },
      account: '111122223333',
    });
    expect(got).toHaveLength(1);
  });

  it('refuses single entries and takes the others', async () => {
    const { put } = await start(async () => {});
    const answer = await put(
      {},
      { Detail: 'no json' },
      { Source: 'aws.ecs' },
      { DetailType: '' },
      { EventBusName: 'nowhere' },
    );
    expect(answer.FailedEntryCount).toBe(4);
    expect(answer.Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      undefined,
      'MalformedDetail',
      'NotAuthorizedForSourceException',
      'InvalidArgument',
      'ResourceNotFoundException',
    ]);
  });

  it('refuses more than ten entries and none', async () => {
    const { put } = await start(async () => {});
    await expect(put(...Array.from({ length: 11 }, () => ({})))).rejects.toThrow(/less than or equal to 10/);
    await expect(put()).rejects.toThrow(/greater than or equal to 1/);
  });

  it('tries again until the target takes the event', async () => {
    let calls = 0;
    const { bridge, put } = await start(async () => {
      calls += 1;
      if (calls < 3) throw new DeliveryFailure('not yet');
    });
    await put({});
    const delivery = await until(() =>
      bridge.records[0]?.deliveries.find(({ outcome }) => outcome === 'delivered'),
    );
    expect(delivery).toMatchObject({ attempts: 3, error: 'not yet' });
  });

  it('puts what cannot be delivered into the dead letter queue, with the retries that the rule allows', async () => {
    const dead: string[] = [];
    const { bridge, put } = await start(
      async (target, { payload }) => {
        if (target === 'arn:queue') dead.push(payload);
        else throw new DeliveryFailure('never');
      },
      { deadLetterArn: 'arn:queue', maximumRetryAttempts: 2 },
    );
    await put({});
    const delivery = await until(() =>
      bridge.records[0]?.deliveries.find(({ outcome }) => outcome === 'dead letter'),
    );
    expect(delivery.attempts).toBe(3);
    expect(dead).toHaveLength(1);
  });

  it('does not repeat what a missing permission forbids', async () => {
    const { bridge, put } = await start(async () => {
      throw new DeliveryFailure('not permitted', 0);
    });
    await put({});
    const delivery = await until(() =>
      bridge.records[0]?.deliveries.find(({ outcome }) => outcome === 'failed'),
    );
    expect(delivery).toMatchObject({ attempts: 1, error: 'not permitted' });
  });

  it('loses, doubles and delays what a fault names, as often as it says', async () => {
    const got: string[] = [];
    const { bridge, put } = await start(async (_, { payload }) => void got.push(payload));
    bridge.addFault({ kind: 'drop', pattern: { detail: { n: [1] } }, times: 1 });
    bridge.addFault({ kind: 'duplicate', pattern: { detail: { n: [2] } } });
    bridge.addFault({ kind: 'delay', pattern: { detail: { n: [3] } }, milliseconds: 60 });
    await put({}, { Detail: '{"n":3}' }, { Detail: '{"n":2}' }, { Detail: '{"n":1}' });
    await until(() => (got.length === 4 ? got : undefined));
    expect(got.map((payload) => JSON.parse(payload).detail.n)).toEqual([2, 2, 1, 3]);
    expect(bridge.records.map(({ fault }) => fault)).toEqual(['drop', 'delay', 'duplicate', null]);
  });

  it('runs a rate() rule by the clock, compressed, and any rule by hand', async () => {
    const got: string[] = [];
    const { bridge } = await start(async (_, { payload }) => void got.push(payload));
    const schedule = { busName: 'default', pattern: null, targets: [{ arn: 'arn:target' }] };
    bridge.createRule({ ...schedule, arn: 'arn:often', name: 'often', scheduleExpression: 'rate(1 minute)' });
    bridge.createRule({
      ...schedule,
      arn: 'arn:daily',
      name: 'daily',
      scheduleExpression: 'cron(0 8 * * ? *)',
    });
    void bridge.fire('daily');
    await until(() => (got.length >= 3 ? got : undefined));
    expect(JSON.parse(got[0] ?? '')).toMatchObject({ source: 'aws.events', resources: ['arn:daily'] });
    expect(JSON.parse(got[1] ?? '')).toMatchObject({
      'detail-type': 'Scheduled Event',
      resources: ['arn:often'],
    });
  });
});
