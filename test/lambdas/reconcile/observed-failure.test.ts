/** A rotation that failed at the service that manages the secret: people hear of it, and the alarm does. */
import { expect, test } from 'vitest';
import { emf } from '../../../lambdas/adapters/metrics.ts';
import type { KeyturnEvent } from '../../../lambdas/contract/events.ts';
import type { Measurement } from '../../../lambdas/contract/metrics.ts';
import type { Settings } from '../../../lambdas/contract/settings.ts';
import type { ReconcileContext } from '../../../lambdas/reconcile/context.ts';
import { reconcile } from '../../../lambdas/reconcile/reconcile.ts';

const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-4f2a-AbCdEf';
const self = 'arn:aws:lambda:eu-west-1:111122223333:function:keyturn-shop-reconcile';

const settings = (observed: boolean): Settings => ({
  schema: 1,
  deployment: 'shop',
  platform: 'shop',
  secrets: [
    {
      key: 'MASTER',
      id: arn,
      class: 'observed',
      options: {},
      plan: 'redeploy-and-prove',
      restorable: false,
      window: null,
      cutover: true,
      ...(observed ? { observed } : {}),
      together: true,
      consumers: [],
      probe: null,
    },
  ],
});

interface Told {
  readonly sent: KeyturnEvent[];
  readonly measured: Measurement[];
}

async function told(
  detail: object,
  { observed = true, busFails = false, into = { sent: [], measured: [] } as Told } = {},
): Promise<Told> {
  const { sent, measured } = into;
  const refused = () => Promise.reject(new Error('not used'));
  const context = {
    settings: settings(observed),
    self,
    stateMachines: new Map(),
    remaining: () => 60_000,
    ports: {
      events: {
        put: async (event: KeyturnEvent) => {
          if (busFails) throw new Error('the bus does not answer');
          sent.push(event);
        },
      },
      metrics: { put: (measurement: Measurement) => void measured.push(measurement) },
      fleet: { look: refused },
    },
  } as unknown as ReconcileContext;
  await reconcile(
    {
      source: 'aws.secretsmanager',
      'detail-type': 'AWS Service Event via CloudTrail',
      detail: { eventName: 'RotationFailed', errorMessage: 'their-own-words', ...detail },
    },
    context,
  );
  return into;
}

test.each([
  ['additionalEventData', { additionalEventData: { SecretId: arn } }],
  ['serviceEventDetails', { serviceEventDetails: { secretId: arn } }],
])('a rotation that its service failed is told, with %s', async (_where, detail) => {
  const { sent, measured } = await told(detail);
  const [event, ...more] = sent;
  expect(more).toEqual([]);
  expect(event).toMatchObject({
    type: 'Rotation Failed',
    detail: { secret: 'MASTER', secretId: arn, next: expect.stringContaining('keyturn status MASTER') },
  });
  expect(JSON.stringify(event)).not.toContain('their-own-words');
  expect(measured).toEqual([
    { metric: 'RotationFailed', value: 1, of: { Deployment: 'shop', Secret: 'MASTER' } },
  ]);
});

test('the alarm hears of it by the deployment alone, once for each failure, and when the event is lost', async () => {
  const into: Told = { sent: [], measured: [] };
  const detail = { serviceEventDetails: { secretId: arn } };
  await told(detail, { into });
  await expect(told(detail, { into, busFails: true })).rejects.toThrow('the bus does not answer');
  expect([into.sent.length, into.measured.length]).toEqual([1, 2]);
  for (const measurement of into.measured) {
    const line = JSON.parse(emf(measurement, 0) ?? '');
    // What the alarm `rotation-failed` reads: `test/lib/alarms.test.ts`.
    expect(line).toMatchObject({ Deployment: 'shop', RotationFailed: 1 });
    expect(line._aws.CloudWatchMetrics[0]).toMatchObject({ Namespace: 'Keyturn' });
    expect(line._aws.CloudWatchMetrics[0].Dimensions).toContainEqual(['Deployment']);
  }
});

test('the failure of a secret that we rotate is told by its own step, and of a foreign one not at all', async () => {
  const nothing: Told = { sent: [], measured: [] };
  const ours = { additionalEventData: { SecretId: arn } };
  expect(await told(ours, { observed: false })).toEqual(nothing);
  const foreign = { additionalEventData: { SecretId: `${arn.slice(0, -6)}ZzZzZz` } };
  expect(await told(foreign)).toEqual(nothing);
});
