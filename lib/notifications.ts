import { Stack } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import * as targets from 'aws-cdk-lib/aws-events-targets';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import * as sns from 'aws-cdk-lib/aws-sns';
import * as subscriptions from 'aws-cdk-lib/aws-sns-subscriptions';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type DetailType, eventSource } from '../lambdas/contract/events.ts';
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

const detail = (member: string) => events.EventField.fromPath(`$.detail.${member}`);
const what = () =>
  `${detail('secret')} of ${detail('deployment')} (${detail('secretId')}, version ${detail('versionId')})`;

/** What a person is told, and in which words: names, ids and the reason, which holds no value. */
const messages: readonly { readonly on: DetailType; readonly id: string; readonly text: () => string }[] = [
  {
    on: 'Rotation Failed',
    id: 'RotationFailed',
    text: () =>
      `Keyturn could not rotate ${what()}. It failed at ${detail('at')} with ${detail('code')}: ${detail('reason')} The current value has not changed.`,
  },
  {
    on: 'Rollout Stalled',
    id: 'RolloutStalled',
    text: () =>
      `Keyturn published a new value of ${what()}, but its rollout has stopped safely at ${detail('at')} with ${detail('code')}: ${detail('reason')}`,
  },
  {
    on: 'Rollout Completed',
    id: 'RolloutCompleted',
    text: () => `Keyturn has rotated ${what()} all the way: plan ${detail('plan')} is complete.`,
  },
];

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
    for (const { on, id: ruleId, text } of messages) {
      new events.Rule(this, ruleId, {
        eventBus: props.bus,
        description: `Keyturn, ${props.deployment}: tells of "${on}".`,
        eventPattern: { source: [eventSource], detailType: [on] },
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
 * Lets EventBridge publish to the deployment's topic through the key. It is held to the topic by SNS's
 * encryption context: source conditions are not supported for EventBridge and encrypted topics (SNS developer
 * guide, "Managing Amazon SNS encryption keys").
 */
export function admitTopic(key: kms.Key, deployment: string): void {
  const arn = Stack.of(key).formatArn({ service: 'sns', resource: topicName(deployment) });
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'EventBridgePublishesToTheTopic',
      principals: [new iam.ServicePrincipal('events.amazonaws.com')],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
      resources: ['*'],
      conditions: { StringEquals: { 'kms:EncryptionContext:aws:sns:topicArn': arn } },
    }),
  );
}

function topicName(deployment: string): string {
  return nameOf(deployment, 'notifications');
}
