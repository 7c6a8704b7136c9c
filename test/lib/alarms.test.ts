import { Stack } from 'aws-cdk-lib';
import { describe, expect, it, vi } from 'vitest';
import { metrics } from '../../lambdas/contract/metrics.ts';
import { KeyturnPipeline } from '../../lib/index.ts';
import { example, newApp } from './synth.ts';
import { list, object, Synthesised } from './template.ts';

// The alarms do not depend on the code.
vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const topic = '<Topic keyturn-exo-production-notifications>';

/** Each alarm by its name without the deployment's. */
function alarms(reconcileEveryMinutes: number): Record<string, object> {
  const app = newApp();
  const stack = new Stack(app, 'Test', { env: { account: '111122223333', region: 'eu-west-1' } });
  new KeyturnPipeline(stack, 'Keyturn', { deployment: { ...example('exo'), reconcileEveryMinutes } });
  const template = new Synthesised(app.synth().getStackByName('Test').template);
  return Object.fromEntries(
    template.all('AWS::CloudWatch::Alarm').map(({ properties }) => {
      const { AlarmName, AlarmDescription, AlarmActions, ...rest } = properties;
      expect(AlarmActions).toEqual([topic]);
      expect(AlarmDescription).toMatch(/ To go on: npx keyturn status$/);
      return [String(AlarmName).replace('keyturn-exo-production-', ''), rest];
    }),
  );
}

const ofKeyturn = (MetricName: string, Period: number) => ({
  Namespace: 'Keyturn',
  MetricName,
  Dimensions: [{ Name: 'Deployment', Value: 'exo-production' }],
  Period,
});
const any = {
  ComparisonOperator: 'GreaterThanThreshold',
  Threshold: 0,
  EvaluationPeriods: 2,
  DatapointsToAlarm: 1,
};
const counted = (metric: string) => ({
  ...ofKeyturn(metric, 300),
  ...any,
  Statistic: 'Sum',
  TreatMissingData: 'notBreaching',
});
const errors = (part: string) => ({
  Namespace: 'AWS/Lambda',
  MetricName: 'Errors',
  Dimensions: [{ Name: 'FunctionName', Value: `<Function keyturn-exo-production-${part}>` }],
  Period: 300,
  ...any,
  Statistic: 'Sum',
  TreatMissingData: 'notBreaching',
});
const always = {
  'rotation-failed': counted('RotationFailed'),
  'rollout-stalled': counted('RolloutStalled'),
  'rollout-rolled-back': counted('RolloutRolledBack'),
  undelivered: {
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [{ Name: 'QueueName', Value: '<Queue>.QueueName' }],
    Period: 300,
    ...any,
    Statistic: 'Maximum',
    TreatMissingData: 'ignore',
  },
  'start-errors': errors('start'),
  'stall-errors': errors('stall'),
  'reconcile-errors': errors('reconcile'),
  'signing-key-cutover-errors': errors('signing-key-cutover'),
  'operator-supplied-errors': errors('operator-supplied'),
};
const swept = (metric: string) => ({
  ...ofKeyturn(metric, 900),
  ...any,
  Statistic: 'Maximum',
  TreatMissingData: 'ignore',
});

describe('the alarms of a pipeline', () => {
  it('tell what fails, what is not delivered, what the reconciler finds, and that it goes through', () => {
    expect(alarms(15)).toEqual({
      ...always,
      'rotation-overdue': swept('RotationOverdue'),
      'rotation-stuck': swept('RotationStuck'),
      'reconciler-silent': {
        ...ofKeyturn('SweepCompleted', 900),
        ComparisonOperator: 'LessThanThreshold',
        Threshold: 1,
        EvaluationPeriods: 3,
        Statistic: 'Sum',
        TreatMissingData: 'breaching',
      },
    });
  });

  it('watch metrics that are sent under the same dimensions', () => {
    for (const alarm of Object.values(alarms(60)).map(object)) {
      if (alarm.Namespace !== 'Keyturn') continue;
      const watched = metrics[alarm.MetricName as keyof typeof metrics];
      expect(watched.dimensions).toContainEqual(list(alarm.Dimensions).map((one) => object(one).Name));
    }
  });

  it.each([0, 540])('refuse a time between sweeps that CloudWatch has no periods for', (every) => {
    expect(() => alarms(every)).toThrow(/^sweepEvery must be 1–480 whole minutes; received [0-9.]+\.$/);
  });
});
