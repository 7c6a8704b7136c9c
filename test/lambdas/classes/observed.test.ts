import { expect, test } from 'vitest';
import { secretClass } from '../../../lambdas/classes/observed.ts';
import { SecretDocument } from '../../../lambdas/contract/document.ts';
import type { KeyturnEvent } from '../../../lambdas/contract/events.ts';
import type { Settings } from '../../../lambdas/contract/settings.ts';
import type { ReconcileContext } from '../../../lambdas/reconcile/context.ts';
import { reconcile } from '../../../lambdas/reconcile/reconcile.ts';

const random = { bytes: (count: number) => new Uint8Array(count) };
const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-4f2a-AbCdEf';
const self = 'arn:aws:lambda:eu-west-1:111122223333:function:keyturn-shop-reconcile';

test('makes no value, whoever asks', async () => {
  const bound = secretClass.bind({});
  await expect(bound.create({ current: null, supplied: null, random })).rejects.toMatchObject({
    code: 'StepRefused',
  });
});

test('reads the members of a master user whom RDS manages, unless others are named', async () => {
  expect(secretClass.bind({}).variables()).toEqual(['username', 'password']);
  const document = new SecretDocument(new Map([['username', 'admin']]), null);
  await expect(secretClass.bind({}).test(document)).rejects.toThrow('must have the member password');
  await expect(secretClass.bind({ members: ['username'] }).test(document)).resolves.toBeUndefined();
});

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

async function told(detail: object, observed = true): Promise<KeyturnEvent[]> {
  const sent: KeyturnEvent[] = [];
  const refused = () => Promise.reject(new Error('not used'));
  const context = {
    settings: settings(observed),
    self,
    stateMachines: new Map(),
    remaining: () => 60_000,
    ports: {
      events: { put: async (event: KeyturnEvent) => void sent.push(event) },
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
  return sent;
}

test.each([
  ['additionalEventData', { additionalEventData: { SecretId: arn } }],
  ['serviceEventDetails', { serviceEventDetails: { secretId: arn } }],
])('a rotation that its service failed is told, with %s', async (_where, detail) => {
  const [event, ...more] = await told(detail);
  expect(more).toEqual([]);
  expect(event).toMatchObject({
    type: 'Rotation Failed',
    detail: { secret: 'MASTER', secretId: arn, next: expect.stringContaining('keyturn status MASTER') },
  });
  expect(JSON.stringify(event)).not.toContain('their-own-words');
});

test('the failure of a secret that we rotate is told by its own step, and of a foreign one not at all', async () => {
  expect(await told({ additionalEventData: { SecretId: arn } }, false)).toEqual([]);
  expect(await told({ additionalEventData: { SecretId: `${arn.slice(0, -6)}ZzZzZz` } })).toEqual([]);
});
