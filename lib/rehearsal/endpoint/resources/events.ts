/** Buses, rules, topics and queues. */

import { arn, lastPart } from '../arn.ts';
import type { EventTarget } from '../event-delivery.ts';
import { isObject, number, object, objects, text, texts } from '../json-shape.ts';
import type { JsonObject } from '../wire.ts';
import { account, region } from '../wire.ts';
import type { Creator } from './plane.ts';
import { physicalName, required } from './plane.ts';

export const eventResources: Readonly<Record<string, Creator>> = {
  'AWS::Events::EventBus': ({ properties }, { events }) => {
    const name = required(text(properties.Name), 'Name');
    return { ref: name, attributes: { Arn: events.createBus(name), Name: name } };
  },

  'AWS::Events::Rule': (resource, { events }) => {
    const { Name, EventBusName, EventPattern, ScheduleExpression, State, Targets } = resource.properties;
    const name = physicalName(resource, Name, 64);
    const busName = lastPart(text(EventBusName) ?? 'default');
    const ruleArn = arn('events', busName === 'default' ? `rule/${name}` : `rule/${busName}/${name}`);
    if (State !== 'DISABLED') {
      events.createRule({
        arn: ruleArn,
        name,
        busName,
        pattern: isObject(EventPattern) ? EventPattern : null,
        scheduleExpression: text(ScheduleExpression) ?? null,
        targets: objects(Targets).map(targetOf),
      });
    }
    return { ref: busName === 'default' ? name : `${busName}|${name}`, attributes: { Arn: ruleArn } };
  },

  // A schedule of the Scheduler is a rule without a pattern, whose target is called in its role.
  'AWS::Scheduler::Schedule': (resource, { events }) => {
    const { Name, GroupName, ScheduleExpression, ScheduleExpressionTimezone, State, Target } =
      resource.properties;
    const zone = text(ScheduleExpressionTimezone) ?? 'UTC';
    if (zone !== 'UTC') throw new Error(`the rehearsal's schedules run in UTC, not in ${zone}`);
    const name = physicalName(resource, Name, 64);
    const scheduleArn = arn('scheduler', `schedule/${text(GroupName) ?? 'default'}/${name}`);
    const target = targetOf(object(Target));
    if (target.roleArn === undefined) throw new Error('Target.RoleArn is missing');
    if (State !== 'DISABLED') {
      events.createRule({
        arn: scheduleArn,
        name,
        busName: 'default',
        pattern: null,
        scheduleExpression: required(text(ScheduleExpression), 'ScheduleExpression'),
        targets: [{ ...target, inRole: true }],
      });
    }
    return { ref: name, attributes: { Arn: scheduleArn } };
  },

  'AWS::Scheduler::ScheduleGroup': (resource) => ({
    ref: physicalName(resource, resource.properties.Name, 64),
  }),

  'AWS::SNS::Topic': (resource, { topics, keys }) => {
    const name = physicalName(resource, resource.properties.TopicName, 256);
    const topicArn = arn('sns', name);
    const key = text(resource.properties.KmsMasterKeyId);
    const policy = [...keys].find(
      ([keyArn]) => key !== undefined && (keyArn === key || lastPart(keyArn) === key),
    );
    topics.define(topicArn, policy?.[1] ?? null);
    for (const subscription of objects(resource.properties.Subscription)) checkProtocol(subscription);
    return { ref: topicArn, attributes: { TopicArn: topicArn, TopicName: name } };
  },

  'AWS::SNS::Subscription': ({ logicalId, properties }, { topics, functions, queues }) => {
    const topicArn = required(text(properties.TopicArn), 'TopicArn');
    if (!topics.has(topicArn)) throw new Error(`there is no topic ${topicArn}`);
    const endpoint = text(properties.Endpoint) ?? '';
    const sender = { principal: 'sns.amazonaws.com', sourceArn: topicArn };
    checkProtocol(properties);
    if (properties.Protocol === 'sqs')
      topics.subscribe(topicArn, (message) => queues.send(endpoint, message, sender));
    if (properties.Protocol === 'lambda') {
      topics.subscribe(topicArn, (message) => {
        const event = {
          Records: [{ EventSource: 'aws:sns', Sns: { TopicArn: topicArn, Message: message } }],
        };
        if (functions.permits(endpoint, sender.principal, topicArn)) void functions.invoke(endpoint, event);
      });
    }
    return { ref: `${topicArn}:${logicalId}` };
  },

  'AWS::SNS::TopicPolicy': ({ logicalId, properties }, { topics }) => {
    for (const topic of texts(properties.Topics)) {
      topics.attachPolicy(topic, properties.PolicyDocument ?? null, logicalId);
    }
    return { ref: logicalId };
  },

  'AWS::SQS::Queue': (resource, { queues }) => {
    const name = physicalName(resource, resource.properties.QueueName, 80);
    const queueArn = arn('sqs', name);
    queues.define(queueArn);
    return { ref: queueUrl(name), attributes: { Arn: queueArn, QueueName: name, QueueUrl: queueUrl(name) } };
  },

  'AWS::SQS::QueuePolicy': ({ logicalId, properties }, { queues }) => {
    for (const url of texts(properties.Queues)) {
      queues.attachPolicy(arn('sqs', lastPart(url)), properties.PolicyDocument ?? null, logicalId);
    }
    return { ref: logicalId };
  },
};

const queueUrl = (name: string): string => `https://sqs.${region}.amazonaws.com/${account}/${name}`;

/** A message to a person or a web page ends in the record of the topic. */
function checkProtocol({ Protocol }: JsonObject): void {
  const known = ['email', 'email-json', 'sms', 'https', 'sqs', 'lambda'];
  if (!known.includes(String(Protocol)))
    throw new Error(`the rehearsal has no subscriptions by ${String(Protocol)}`);
}

function targetOf(target: JsonObject): EventTarget {
  const transformer = object(target.InputTransformer);
  const input = text(target.Input);
  const inputPath = text(target.InputPath);
  const roleArn = text(target.RoleArn);
  const deadLetterArn = text(object(target.DeadLetterConfig).Arn);
  const maximumRetryAttempts = number(object(target.RetryPolicy).MaximumRetryAttempts);
  const inputTemplate = text(transformer.InputTemplate);
  return {
    arn: required(text(target.Arn), 'Targets.Arn'),
    ...(input === undefined ? {} : { input }),
    ...(inputPath === undefined ? {} : { inputPath }),
    ...(roleArn === undefined ? {} : { roleArn }),
    ...(deadLetterArn === undefined ? {} : { deadLetterArn }),
    ...(maximumRetryAttempts === undefined ? {} : { maximumRetryAttempts }),
    ...(inputTemplate === undefined
      ? {}
      : { inputTransformer: { inputTemplate, inputPathsMap: textMap(object(transformer.InputPathsMap)) } }),
  };
}

const textMap = (map: JsonObject): Record<string, string> =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)]));
