import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { stageFunction } from '../../../lambdas/adapters/entry/stage.ts';
import { emf } from '../../../lambdas/adapters/metrics.ts';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import type { Measurement } from '../../../lambdas/contract/metrics.ts';
import { stageDefinitions } from '../../../lambdas/rollout/stages.ts';

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

describe('the function of a stage', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  test.each([
    ['succeeds', async () => ({}) as never],
    ['fails', () => Promise.reject(new KeyturnError({ code: 'NotSettled', message: 'Not yet: canary.' }))],
  ])('writes one line of its time when the stage %s, past the console', async (_ends, run) => {
    const folder = mkdtempSync(join(tmpdir(), 'keyturn-stage-'));
    const settings = { schema: 1, deployment: 'shop', platform: 'exo', secrets: [] };
    writeFileSync(join(folder, 'settings.json'), JSON.stringify(settings));
    vi.stubEnv('LAMBDA_TASK_ROOT', folder);
    vi.stubEnv('KEYTURN_BUS', 'bus');
    vi.spyOn(console, 'log').mockReturnValue();
    const lines: string[] = [];
    vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);

    const handler = stageFunction({ ...stageDefinitions.settle, run }, {});
    await handler({}, { invokedFunctionArn: 'arn', getRemainingTimeInMillis: () => 1000 }).catch(() => {});
    vi.restoreAllMocks();

    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\{"_aws":\{"Timestamp":\d{13},"CloudWatchMetrics":\[\{"Namespace":"Keyturn","Dimensions":\[\["Deployment","Stage"\]\],"Metrics":\[\{"Name":"StageSeconds","Unit":"Seconds"\}\]\}\]\},"Deployment":"shop","Stage":"settle","StageSeconds":[\d.]+\}\n$/,
    );
  });
});
