/** Stopping and starting an ECS service against the endpoint's services, whose tasks are processes. */
import { ECSClient } from '@aws-sdk/client-ecs';
import { afterEach, describe, expect, test } from 'vitest';
import { ecsApi } from '../../../../lambdas/adapters/consumers/ecs.ts';
import { hook } from '../../../../lambdas/hooks/redeploy/ecs.ts';
import { Ecs } from '../../../../lib/rehearsal/endpoint/ecs.ts';
import { serve, until } from '../../../rehearsal/endpoint/loopback.ts';

const app = `
  import { createServer } from 'node:http';
  createServer((_, response) => response.end('ok')).listen(Number(process.env.PORT), '127.0.0.1');
  process.on('SIGTERM', () => setTimeout(() => process.exit(0), 100));`;

const clock = { now: () => new Date(), sleep: async () => {} };
const consumer = { kind: 'ecs', cluster: 'main', service: 'web' };
const renewing = () => ({ secretId: stopping.secretId, versionId: 'v', since: new Date() });
const stopping = {
  secretId: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/key-AbCdEf',
  stop: 'one',
};
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function service() {
  const ecs = new Ecs({ now: () => Date.now(), resolveSecret: async () => '', onLog: () => {} });
  stops.push(() => ecs.stop());
  await ecs.defineService({
    cluster: 'main',
    service: 'web',
    desiredCount: 3,
    command: [process.execPath, '--input-type=module', '-e', app],
    environment: {},
    secrets: {},
    healthPath: '/',
  });
  const [web] = ecs.services();
  if (web === undefined) throw new Error('no service');
  const { config, stop } = await serve({
    signingName: 'ecs',
    handle: (operation, input) => ecs.handle(operation, input),
  });
  stops.push(stop);
  const api = ecsApi(new ECSClient(config));
  const bound = hook.connect(api).bind(consumer);
  if (!bound.ok || bound.hook.quiesce === null) throw new Error('not a consumer that can be stopped');
  const { quiesce, begin, look } = bound.hook;
  const idle = () => until(async () => ((await quiesce(stopping, clock)).idle ? true : undefined), 20_000);
  const running = () => web.tasks.filter(({ status }) => status === 'RUNNING').length;
  return { web, api, idle, running, quiesce, begin, look };
}

describe('an ECS service', () => {
  test('stops, is idle only when its last task has ended, and starts again with as many tasks', async () => {
    const { web, idle, running, quiesce, begin, look } = await service();
    const first = await quiesce(stopping, clock);
    expect(first).toEqual({ idle: false, reason: '3 tasks of web still run' });
    await idle();
    expect(web.tasks.map(({ status }) => status)).toEqual(['STOPPED', 'STOPPED', 'STOPPED']);
    expect(web.tags).toEqual(new Map([['keyturn:parked', expect.stringMatching(/^3 [0-9a-f]{16}$/)]]));

    const since = renewing();
    expect(await look(since, clock)).toMatchObject({ renewed: false });
    await begin(since, clock);
    await until(async () => ((await look(since, clock)).renewed ? true : undefined), 20_000);
    expect(running()).toBe(3);
    expect(web.tags.size).toBe(0);
  });

  test('keeps its count when quiesce runs again, and when it died between note and stop', async () => {
    const { web, api, idle, quiesce, begin, look } = await service();
    // As if the process had died before it scaled.
    await quiesce(stopping, { ...clock });
    await api.scale('main', 'web', 3, false);
    await idle();
    await idle();
    expect(web.tags.get('keyturn:parked')).toMatch(/^3 /);
    const since = renewing();
    await begin(since, clock);
    await begin(since, clock);
    await until(async () => ((await look(since, clock)).renewed ? true : undefined), 20_000);
    expect(web.spec.desiredCount).toBe(3);
  });

  test('is neither started nor stopped for another secret', async () => {
    const { web, idle, running, quiesce, begin, look } = await service();
    await idle();
    const other = { ...renewing(), secretId: `${stopping.secretId}-other` };
    await begin(other, clock);
    expect(await look(other, clock)).toEqual({
      renewed: false,
      reason: 'web is stopped for another secret, whose rollout starts it',
    });
    expect(await quiesce({ ...stopping, secretId: other.secretId }, clock)).toEqual({
      idle: false,
      reason: 'web is stopped for another secret, whose rollout must end first',
    });
    expect(web.spec.desiredCount).toBe(0);
    await begin(renewing(), clock);
    await until(async () => ((await look(other, clock)).renewed ? true : undefined), 20_000);
    expect(running()).toBe(3);
  });
});
