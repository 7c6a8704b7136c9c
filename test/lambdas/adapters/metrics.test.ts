import { describe, expect, test } from 'vitest';
import { emf } from '../../../lambdas/adapters/metrics.ts';
import type { Measurement } from '../../../lambdas/contract/metrics.ts';

const now = Date.UTC(2026, 10, 21, 3, 0, 0);

describe('a measurement in the embedded metric format', () => {
  test.each<{ what: string; measurement: Measurement; line: string }>([
    {
      what: 'a time, told apart by stage',
      measurement: { metric: 'StageSeconds', value: 1.25, of: { Deployment: 'shop', Stage: 'redeploy' } },
      line: '{"_aws":{"Timestamp":1795230000000,"CloudWatchMetrics":[{"Namespace":"Keyturn","Dimensions":[["Deployment","Stage"]],"Metrics":[{"Name":"StageSeconds","Unit":"Seconds"}]}]},"Deployment":"shop","Stage":"redeploy","StageSeconds":1.25}',
    },
    {
      what: 'a count, for the deployment and for the secret',
      measurement: { metric: 'RotationFailed', value: 1, of: { Deployment: 'shop', Secret: 'JWT_SECRET' } },
      line: '{"_aws":{"Timestamp":1795230000000,"CloudWatchMetrics":[{"Namespace":"Keyturn","Dimensions":[["Deployment"],["Deployment","Secret"]],"Metrics":[{"Name":"RotationFailed","Unit":"Count"}]}]},"Deployment":"shop","Secret":"JWT_SECRET","RotationFailed":1}',
    },
    {
      what: 'none found, which is a value too',
      measurement: { metric: 'RotationOverdue', value: 0, of: { Deployment: 'shop' } },
      line: '{"_aws":{"Timestamp":1795230000000,"CloudWatchMetrics":[{"Namespace":"Keyturn","Dimensions":[["Deployment"]],"Metrics":[{"Name":"RotationOverdue","Unit":"Count"}]}]},"Deployment":"shop","RotationOverdue":0}',
    },
  ])('$what', ({ measurement, line }) => {
    expect(emf(measurement, now)).toBe(line);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%s is no number in JSON and makes no line', (value) => {
    expect(emf({ metric: 'SweepCompleted', value, of: { Deployment: 'shop' } }, now)).toBeNull();
  });

  test('holds nothing that its type does not know', () => {
    const of = { Deployment: 'shop', Password: 'canary-4fKq' };
    expect(emf({ metric: 'SweepCompleted', value: 1, of }, now)).not.toContain('canary');
  });
});
