import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import {
  CreateSecretCommand,
  SecretsManagerClient,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { redeployRequests } from '../../../../lambdas/adapters/consumers/eventbridge.ts';
import { hook, type RedeployRequest } from '../../../../lambdas/hooks/redeploy/eventbridge.ts';
import { openAccount, type TestAccount, versionId } from './account.ts';

let account: TestAccount;
let since: Date;
let secretId: string;
beforeEach(async () => {
  account = await openAccount();
  account.bridge.createBus('team');
  const client = new SecretsManagerClient(account.config);
  const made = await client.send(
    new CreateSecretCommand({ Name: 'app/key', SecretString: '{"KEY":"LEAKME"}' }),
  );
  secretId = made.ARN ?? '';
  since = account.clock.now();
  await account.world.advance(1_000);
});
afterEach(() => account.close());

const byTag = { confirm: 'tag', tag: 'keyturn:confirmed:worker' };
const byNone = { confirm: 'none', settleSeconds: 300 };

/** Each call is a process of its own: it remembers nothing of the one before. */
function consumer(members: object, bus = 'team') {
  const port = redeployRequests(
    new EventBridgeClient(account.config),
    new SecretsManagerClient(account.config),
  );
  const bound = hook.connect(port).bind({ kind: 'eventbridge', bus, ...members });
  if (!bound.ok) throw new Error(bound.broken.join());
  const renewing = () => ({ secretId, versionId, since });
  return {
    begin: () => bound.hook.begin(renewing(), account.clock),
    look: () => bound.hook.look(renewing(), account.clock),
  };
}

/** What the team does when it has restarted everything: it copies the tag of the last request. */
async function teamConfirms() {
  const { confirm } = (account.bridge.records.at(-1)?.event.detail ?? {}) as Partial<RedeployRequest>;
  if (confirm === undefined || confirm === null) throw new Error('nothing asks for a confirmation');
  await new SecretsManagerClient(account.config).send(
    new TagResourceCommand({ SecretId: secretId, Tags: [{ Key: confirm.tag, Value: confirm.value }] }),
  );
}

describe('a request', () => {
  test('is an event with ids only', async () => {
    await consumer(byTag).begin();
    expect(account.bridge.records.map(({ busName, event }) => ({ busName, ...event }))).toEqual([
      expect.objectContaining({
        busName: 'team',
        source: 'keyturn',
        'detail-type': 'Redeploy Requested',
        resources: [secretId],
        detail: {
          schema: 1,
          secretId,
          versionId,
          since: '2026-11-21T03:00:00.000Z',
          confirm: {
            tag: 'keyturn:confirmed:worker',
            value: '11111111-2222-4333-8444-555555555555@2026-11-21T03:00:00.000Z',
          },
        },
      }),
    ]);
  });

  test('renews when the team has confirmed it, and is not put again then', async () => {
    const { begin, look } = consumer(byTag);
    await begin();
    expect(await look()).toEqual({
      renewed: false,
      reason:
        'the tag keyturn:confirmed:worker does not hold 11111111-2222-4333-8444-555555555555@2026-11-21T03:00:00.000Z yet',
    });
    await teamConfirms();
    expect(await look()).toEqual({ renewed: true });
    expect(await consumer(byTag).look()).toEqual({ renewed: true });
    await consumer(byTag).begin();
    expect(account.bridge.records).toHaveLength(1);
  });

  test('is not confirmed by what was confirmed before a roll back to the same version', async () => {
    await consumer(byTag).begin();
    await teamConfirms();
    since = account.clock.now();
    const { begin, look } = consumer(byTag);
    expect(await look()).toMatchObject({ renewed: false });
    await begin();
    expect(account.bridge.records).toHaveLength(2);
  });

  test('without confirmation counts after its settling time, and says that nothing was proven', async () => {
    const { begin, look } = consumer(byNone);
    expect(await look()).toEqual({ renewed: false, reason: 'team has not been asked for this version' });
    await begin();
    await account.world.advance(1_000);
    // The stage was tried again.
    await begin();
    await account.world.advance(298_001);
    expect(await look()).toEqual({
      renewed: false,
      reason: 'team was asked; its consumers settle for 1 s more',
    });
    await account.world.advance(999);
    expect(await look()).toEqual({
      renewed: true,
      unproven:
        'team was asked and 300 s have passed; that anything restarted was not proven, since confirm is none',
    });
    expect(account.bridge.records).toHaveLength(1);
  });

  test('without confirmation is known to every process, and again not after a roll back', async () => {
    await consumer(byNone).begin();
    await account.world.advance(100_000);
    const second = consumer(byNone);
    await second.begin();
    expect(await second.look()).toMatchObject({
      reason: 'team was asked; its consumers settle for 200 s more',
    });
    expect(account.bridge.records).toHaveLength(1);
    since = account.clock.now();
    expect(await second.look()).toMatchObject({ reason: 'team has not been asked for this version' });
  });

  test('that the bus refuses is an error, and not a request', async () => {
    const { begin, look } = consumer(byNone, 'other');
    await expect(begin()).rejects.toMatchObject({ retryable: true });
    expect(await look()).toMatchObject({ renewed: false });
  });
});

test.each([
  [{ ...byTag, bus: 'arn:x' }, 'bus must be the name of an event bus; received "arn:x".'],
  [
    { ...byNone, bus: 'x'.repeat(111) },
    'bus must be at most 110 characters with confirm "none": a tag is named after it.',
  ],
  [{ confirm: 'maybe' }, 'confirm must be one of tag, none; received "maybe".'],
  [{ confirm: 'tag' }, 'tag must name the tag that confirms; received nothing.'],
  [
    { confirm: 'tag', tag: 'worker' },
    'tag must be keyturn:confirmed: and a name in lower case; received "worker".',
  ],
  [
    { ...byTag, settleSeconds: 3 },
    'settleSeconds must be left out with confirm "tag": the tag is waited for.',
  ],
  [{ confirm: 'none' }, 'settleSeconds must be given with confirm "none"; received nothing.'],
  [{ confirm: 'none', settleSeconds: 481 }, 'settleSeconds must be at most 480; received 481.'],
  [{ ...byNone, tag: byTag.tag }, 'tag must be left out with confirm "none": nothing is waited for.'],
])('bad members are refused: %j', (members, sentence) => {
  expect(hook.check({ kind: 'eventbridge', bus: 'team', ...members })).toEqual({
    ok: false,
    broken: [sentence],
  });
});
