import { ArnFormat, Duration, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as sns from 'aws-cdk-lib/aws-sns';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { type MetricName, metricNamespace } from '../lambdas/contract/metrics.ts';
import { nameOf } from './pipeline-function.ts';

export interface AlarmsProps {
  /** Names the alarms. */
  readonly deployment: string;
  /** Gets the alarms; its key must let CloudWatch publish to it (`admitTopic`). */
  readonly topic: sns.Topic;
  /** Events that could not be delivered. */
  readonly undelivered: sqs.IQueue;
  /**
   * By the part that names them: functions whose every error means that something was not done and perhaps not reported either. The other
   * stages do not belong here: they fail as a matter of course while they wait, and a state machine tries again.
   */
  readonly functions: ReadonlyMap<string, lambda.IFunction>;
  /**
   * The time between two sweeps of the reconciler: 1 min – 8 h, whole minutes.
   * @default none: there is no reconciler.
   */
  readonly sweepEvery?: Duration;
}

interface Watched {
  readonly name: string;
  /** What has happened and what to do, as the message shows it. */
  readonly says: string;
  readonly metric: cloudwatch.IMetric;
  /**
   * What a period without data means.
   * @default NOT_BREACHING: nothing happened.
   */
  readonly silence?: cloudwatch.TreatMissingData;
}

/** Sums are taken over it; an e-mail a few minutes after the fact is soon enough. */
const period = Duration.minutes(5);

/** Sweeps that may be missing in a row. */
const missedSweeps = 3;

/** An alarm looks back over one day; over more only where its periods are hours (API reference, PutMetricAlarm). */
const longestMinutes = (24 * 60) / missedSweeps;

/**
 * The way by which a failure is heard of when its event was lost, and by which silence is.
 *
 * @throws Error when `sweepEvery` is out of its range.
 */
export class Alarms extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    const { deployment, topic, sweepEvery } = props;
    if (sweepEvery !== undefined) demandPeriod(sweepEvery);
    for (const watched of [...failures(deployment), ...remains(props)]) {
      alarm(this, props, watched, {
        threshold: 0,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        // A line of the log becomes a metric some time later: a late one counts too (CloudWatch user guide,
        // "Setting alarms on metrics created with the embedded metric format").
        evaluationPeriods: 2,
        datapointsToAlarm: 1,
      });
    }
    if (sweepEvery !== undefined) {
      alarm(this, props, silent(deployment, sweepEvery), {
        threshold: 1,
        comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        evaluationPeriods: missedSweeps,
      });
    }
    admitAlarms(topic, deployment);
  }
}

function demandPeriod(every: Duration): void {
  const minutes = every.toMinutes({ integral: false });
  if (Number.isInteger(minutes) && minutes >= 1 && minutes <= longestMinutes) return;
  throw new Error(`sweepEvery must be 1–${longestMinutes} whole minutes; received ${minutes}.`);
}

/** What the functions of the pipeline count. */
function failures(deployment: string): Watched[] {
  const counted = (metric: MetricName) => measured(deployment, metric, period, cloudwatch.Stats.SUM);
  return [
    {
      name: 'rotation-failed',
      says: 'A rotation failed; its secret has the value that it had. To go on: npx keyturn status',
      metric: counted('RotationFailed'),
    },
    {
      name: 'rollout-stalled',
      says: 'A rollout cannot go on; the new and the old version of its secret are kept. To go on: npx keyturn status',
      metric: counted('RolloutStalled'),
    },
    {
      name: 'rollout-rolled-back',
      says: 'A rollout was rolled back; its consumers run with the previous value. To go on: npx keyturn status',
      metric: counted('RolloutRolledBack'),
    },
  ];
}

/** What stays until somebody does something about it, and what nothing else reports. */
function remains({ deployment, undelivered, functions, sweepEvery }: AlarmsProps): Watched[] {
  const found = (metric: MetricName, every: Duration) => ({
    metric: measured(deployment, metric, every, cloudwatch.Stats.MAXIMUM),
    // Each sweep says it anew; between two of them nothing has changed.
    silence: cloudwatch.TreatMissingData.IGNORE,
  });
  return [
    ...(sweepEvery === undefined
      ? []
      : [
          {
            name: 'rotation-overdue',
            says: 'A secret should have rotated and has not; its value works. To go on: npx keyturn status',
            ...found('RotationOverdue', sweepEvery),
          },
          {
            name: 'rotation-stuck',
            says: 'A pending version keeps a secret from rotating; its current value works. To go on: npx keyturn status',
            ...found('RotationStuck', sweepEvery),
          },
        ]),
    {
      name: 'undelivered',
      says: 'An event could not be delivered and waits in the queue for 14 days; no value is lost. To go on: npx keyturn status',
      metric: undelivered.metricApproximateNumberOfMessagesVisible({
        period,
        statistic: cloudwatch.Stats.MAXIMUM,
      }),
      // A queue that nobody touches for six hours sends no metrics, though the message is still there (SQS
      // developer guide, "Monitoring Amazon SQS with CloudWatch").
      silence: cloudwatch.TreatMissingData.IGNORE,
    },
    ...[...functions].map(([part, made]) => ({
      name: `${part}-errors`,
      says: `The function ${nameOf(deployment, part)} ended with an error; its log tells which. To go on: npx keyturn status`,
      metric: made.metricErrors({ period, statistic: cloudwatch.Stats.SUM }),
    })),
  ];
}

function silent(deployment: string, every: Duration): Watched {
  return {
    name: 'reconciler-silent',
    says: `The reconciler has not gone through for ${missedSweeps} sweeps: lost events are not made good. Rotations go on. To go on: npx keyturn status`,
    metric: measured(deployment, 'SweepCompleted', every, cloudwatch.Stats.SUM),
    silence: cloudwatch.TreatMissingData.BREACHING,
  };
}

function measured(
  deployment: string,
  metricName: MetricName,
  every: Duration,
  statistic: string,
): cloudwatch.Metric {
  return new cloudwatch.Metric({
    namespace: metricNamespace,
    metricName,
    dimensionsMap: { Deployment: deployment },
    period: every,
    statistic,
  });
}

function alarm(
  scope: Construct,
  { deployment, topic }: AlarmsProps,
  { name, says, metric, silence }: Watched,
  when: Pick<
    cloudwatch.AlarmProps,
    'threshold' | 'comparisonOperator' | 'evaluationPeriods' | 'datapointsToAlarm'
  >,
): void {
  new cloudwatch.Alarm(scope, name, {
    ...when,
    metric,
    alarmName: nameOf(deployment, name),
    alarmDescription: says,
    treatMissingData: silence ?? cloudwatch.TreatMissingData.NOT_BREACHING,
  }).addAlarmAction(new actions.SnsAction(topic));
}

/**
 * A topic with a policy of its own lets nobody in whom that does not name (AWS re:Post, "Why didn't I receive an
 * SNS notification for my CloudWatch alarm trigger"; the conditions are theirs too).
 */
function admitAlarms(topic: sns.Topic, deployment: string): void {
  const stack = Stack.of(topic);
  topic.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'AlarmsArePublished',
      principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: {
        ArnLike: {
          'aws:SourceArn': stack.formatArn({
            service: 'cloudwatch',
            resource: 'alarm',
            resourceName: nameOf(deployment, '*'),
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        },
        StringEquals: { 'aws:SourceAccount': stack.account },
      },
    }),
  );
}
