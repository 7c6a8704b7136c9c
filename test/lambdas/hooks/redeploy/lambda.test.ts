import { inspect } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lambdaApi } from '../../../../lambdas/adapters/consumers/lambda.ts';
import type { Renewing } from '../../../../lambdas/contract/hooks.ts';
import { hook } from '../../../../lambdas/hooks/redeploy/lambda.ts';
import type { FunctionDefinition } from '../../../../lib/rehearsal/endpoint/function-configurations.ts';
import { canary, openAccount, secretId, type TestAccount, versionId } from './account.ts';

let account: TestAccount;
let since: Date;
beforeEach(async () => {
  account = await openAccount();
  since = account.clock.now();
  await account.world.advance(1_000);
});
afterEach(() => account.close());

function consumer(definition: Partial<FunctionDefinition> = {}) {
  account.functions.define({ name: 'worker', environment: { KEY: canary }, ...definition });
  const api = lambdaApi(new LambdaClient(account.config));
  const bound = hook.connect(api).bind({ kind: 'lambda', function: 'worker' });
  if (!bound.ok) throw new Error(bound.broken.join());
  const renewing = (): Renewing => ({ secretId, versionId, since });
  return {
    api,
    begin: () => bound.hook.begin(renewing(), account.clock),
    look: () => bound.hook.look(renewing(), account.clock),
  };
}

const updates = () => account.calls.filter((call) => call === 'PUT configuration').length;

describe('a function that keeps a value', () => {
  test('gets new environments, and counts as renewed when the last old invocation has ended', async () => {
    const { begin, look } = consumer({ description: 'Sends mails', timeoutSeconds: 60, updateMs: 20_000 });
    account.functions.invoke('worker', 10);
    since = account.clock.now();
    await account.world.advance(1_000);
    expect(await look()).toEqual({
      renewed: false,
      reason: 'worker has not been restarted since the version',
    });
    await begin();
    expect(account.functions.description('worker')).toBe('Sends mails [keyturn 2026-11-21T03:00:02.000Z]');
    expect(await look()).toEqual({ renewed: false, reason: 'the update of worker is in progress' });
    await account.world.advance(19_000);
    // It begins in an old environment at the last moment, and takes as long as it may.
    account.functions.invoke('worker', 40_000);
    await account.world.advance(2_000);
    account.functions.invoke('worker', 10);
    expect(await look()).toEqual({
      renewed: false,
      reason: 'invocations of worker that began before may run for 39 s more',
    });
    await account.world.advance(39_000);
    expect(await look()).toEqual({ renewed: true });
    const started = account.functions
      .environments('worker')
      .map(({ startedAt }) => startedAt > since.getTime());
    expect(started).toEqual([true]);
  });

  test('is updated once, however often the restart begins, and again for a later version', async () => {
    const { begin } = consumer();
    await begin();
    await begin();
    await account.world.advance(60_000);
    await begin();
    expect(updates()).toBe(1);
    since = account.clock.now();
    await begin();
    expect(updates()).toBe(2);
    // One mark, not two.
    expect(account.functions.description('worker')).toBe('[keyturn 2026-11-21T03:01:01.001Z]');
  });

  test('is restarted once for two versions that were published before the restart', async () => {
    const { begin } = consumer();
    await begin();
    since = new Date(since.getTime() + 500);
    await begin();
    expect(updates()).toBe(1);
  });

  test('that somebody else changes is updated all the same: what their change renewed is not known', async () => {
    const { begin, look } = consumer();
    account.functions.changeByOthers('worker', 'Sends mails');
    await account.world.advance(60_000);
    await begin();
    await account.world.advance(60_000);
    expect(account.functions.description('worker')).toMatch(/^Sends mails \[keyturn /);
    expect(await look()).toEqual({ renewed: true });
  });

  test('that the team deploys afterwards stays renewed, and the log says what is not proven', async () => {
    const { begin, look } = consumer();
    await begin();
    await account.world.advance(60_000);
    account.functions.changeByOthers('worker', 'Sends mails');
    await account.world.advance(60_000);
    expect(await look()).toEqual({
      renewed: true,
      unproven:
        'worker was changed by somebody else after the version; that this renewed its environments was not proven',
    });
  });

  test('is waited for while another update is in progress', async () => {
    const { begin } = consumer({ updateMs: 45_000 });
    account.functions.changeByOthers('worker', 'Sends mails');
    await begin();
    expect(account.functions.description('worker')).toMatch(/^Sends mails \[keyturn /);
  });

  test('is not overwritten with a description that was changed between reading and writing', async () => {
    const { api } = consumer({ updateMs: 0 });
    const { revision } = await api.state('worker');
    account.functions.changeByOthers('worker', 'New text');
    await account.world.advance(1);
    expect(await api.describe('worker', 'Old text [keyturn …]', revision)).toBe(false);
    expect(account.functions.description('worker')).toBe('New text');
  });

  test('whose update fails says so, and is updated again by the next try', async () => {
    const { begin, look } = consumer();
    account.functions.failNextUpdate('The subnet has no addresses.');
    await begin();
    await account.world.advance(60_000);
    expect(await look()).toEqual({
      renewed: false,
      reason: 'the update of worker failed; its former environments still run',
      over: true,
    });
    await begin();
    await account.world.advance(60_000);
    expect(await look()).toEqual({ renewed: true });
  });

  test('is refused when an alias leads to a published version, on whatever page of the list', async () => {
    const aliases = { a: '$LATEST', b: '$LATEST', c: '$LATEST', live: '7' };
    const { begin } = consumer({ aliases });
    await expect(begin()).rejects.toMatchObject({
      code: 'ConsumersNotHealthy',
      message:
        'The function worker must have no alias on a published version, whose environments cannot be renewed from outside; it has live.',
      retryable: false,
    });
    expect(updates()).toBe(0);
  });

  test('keeps its whole description, or is refused', async () => {
    const { begin } = consumer({ description: 'x'.repeat(222) });
    await expect(begin()).rejects.toMatchObject({
      message: 'The description of the function worker must be at most 221 characters; it has 222.',
    });
  });

  test('that is not there', async () => {
    account.functions.define({ name: 'other' });
    const api = lambdaApi(new LambdaClient(account.config));
    await expect(api.state('worker')).rejects.toMatchObject({ code: 'AwsNotFound' });
  });

  test('shows nothing of its environment', async () => {
    const { api } = consumer();
    expect(inspect(await api.state('worker'), { depth: 9, showHidden: true })).not.toContain(canary);
  });
});

test.each([
  [
    'worker:live',
    'function must be the name of a function, without version or alias; received "worker:live".',
  ],
  [
    'arn:aws:lambda:eu-central-1:111122223333:function:worker',
    'function must be the name of a function, without version or alias; received "arn:aws:lambda:eu-central-1:111122223333:function:worker".',
  ],
  [undefined, 'function must be a string; received nothing.'],
])('a bad function is refused: %s', (name, sentence) => {
  expect(hook.check({ kind: 'lambda', function: name })).toEqual({ ok: false, broken: [sentence] });
});
