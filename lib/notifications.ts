import { Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type EventDetail, eventSource, typesToTell } from '../lambdas/contract/events.ts';
import { nameOf } from './pipeline-function.ts';

export interface NotificationsProps {
  /** Names the topic. */
  readonly deployment: string;
  readonly bus: events.EventBus;
  /** Addresses that get each message, once they have confirmed their subscription. May be empty. */
  readonly emails: readonly string[];
  /** Encrypts the messages while SNS keeps them; `admitTopic` must have let EventBridge use it. */
  readonly encryptionKey: kms.IKey;
  /** Gets events that EventBridge could not hand to the topic. */
  readonly undelivered: sqs.IQueue;
}

const detail = (member: keyof EventDetail) => events.EventField.fromPath(`$.detail.${member}`);
const about = () => `${events.EventField.detailType}: ${detail('secret')} of ${detail('deployment')}.`;

/**
 * What a person reads, most likely on a phone: what happened, what still works, the one command to go on. The
 * texts are the event's own, and hold names and ids only. E-mail shows the message between quotation marks,
 * since a template is JSON; with more than one line, each would have its own (aws-cdk issues 5924 and 38121).
 */
const messages = [
  {
    severity: 'failure',
    id: 'Failures',
    text: () =>
      `${about()} ${detail('reason')} What still works: ${detail('works')} To go on: ${detail('next')} (${detail('code')} at ${detail('at')}, version ${detail('versionId')})`,
  },
  {
    severity: 'success',
    id: 'Successes',
    text: () => `${about()} ${detail('reason')} (version ${detail('versionId')})`,
  },
] as const;

/** Tells people how rotations end, over a topic that a team may also subscribe its own tools to. */
export class Notifications extends Construct {
  readonly topic: sns.Topic;

  constructor(scope: Construct, id: string, props: NotificationsProps) {
    super(scope, id);
    this.topic = new sns.Topic(this, 'Topic', {
      topicName: topicName(props.deployment),
      displayName: `Keyturn ${props.deployment}`,
      // Named by its ARN only: CDK would let EventBridge use the key for any topic of any account.
      masterKey: kms.Key.fromKeyArn(this, 'Key', props.encryptionKey.keyArn),
      enforceSSL: true,
    });
    for (const address of props.emails) {
      this.topic.addSubscription(new subscriptions.EmailSubscription(address));
    }
    for (const { severity, id: ruleId, text } of messages) {
      new events.Rule(this, ruleId, {
        eventBus: props.bus,
        description: `Keyturn, ${props.deployment}: tells people of every ${severity}.`,
        eventPattern: { source: [eventSource], detailType: typesToTell(severity) },
        targets: [
          new targets.SnsTopic(this.topic, {
            message: events.RuleTargetInput.fromText(text()),
            deadLetterQueue: props.undelivered,
          }),
        ],
      });
    }
  }
}

/**
 * Lets EventBridge and CloudWatch's alarms publish to the deployment's topic through the key (alarms need a
 * customer key for it: AWS re:Post, "How do I configure a CloudWatch alarm with an encrypted SNS topic"). They
 * are held to the topic by SNS's encryption context: source conditions are not supported for EventBridge and
 * encrypted topics (SNS developer guide, "Managing Amazon SNS encryption keys").
 */
export function admitTopic(key: kms.Key, deployment: string): void {
  const arn = Stack.of(key).formatArn({ service: 'sns', resource: topicName(deployment) });
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'EventsAndAlarmsArePublishedToTheTopic',
      principals: [
        new iam.ServicePrincipal('events.amazonaws.com'),
        new iam.ServicePrincipal('cloudwatch.amazonaws.com'),
      ],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: { StringEquals: { 'kms:EncryptionContext:aws:sns:topicArn': arn } },
    }),
  );
}

function topicName(deployment: string): string {
  return nameOf(deployment, 'notifications');
}
