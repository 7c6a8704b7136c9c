import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Ecs } from '../../../lib/rehearsal/endpoint/ecs.ts';
import { serve, until } from './loopback.ts';

/** Serves its key under /, is healthy unless the key is broken, and ends at once on SIGTERM, slow requests or not. */
const app = `
  import { createServer } from 'node:http';
  const server = createServer((request, response) => {
    if (request.url === '/crash') process.exit(1);
    if (request.url === '/health') return response.writeHead(process.env.KEY === 'broken' ? 500 : 200).end();
    setTimeout(() => response.end(process.env.KEY + ' ' + process.env.MODE), request.url === '/slow' ? 400 : 0);
  });
  server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening'));
  process.on('SIGTERM', () => { console.log('leaving'); process.exit(0); });`;

let directory: string;
const stops: (() => Promise<void> | void)[] = [];
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'keyturn-ecs-'));
  await writeFile(path.join(directory, 'app.mjs'), app);
});
afterAll(() => rm(directory, { recursive: true }));
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const valueFrom = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf:KEY::';
const location = { cluster: 'main', service: 'web' };

async function start(extra: object = {}) {
  const secret = { value: 'one' };
  const lines: string[] = [];
  const ecs = new Ecs({
    now: () => Date.now(),
    resolveSecret: async (from) => {
      if (from !== valueFrom) throw new Error(`asked for ${from}`);
      return secret.value;
    },
    onLog: (_, line) => lines.push(line),
  });
  const { config, stop } = await serve(ecs);
  const client = new ECSClient(config);
  stops.push(
    () => client.destroy(),
    () => ecs.stop(),
    stop,
  );
  const port = await ecs.defineService({
    ...location,
    desiredCount: 2,
    command: [process.execPath, 'app.mjs'],
    cwd: directory,
    environment: { MODE: 'test' },
    secrets: { KEY: valueFrom },
    healthPath: '/health',
    startTimeoutMs: 2000,
    ...extra,
  });
  const get = async (url = '/') => (await fetch(`http://127.0.0.1:${port}${url}`)).text();
  const redeploy = () =>
    client.send(
      new UpdateServiceCommand({
        cluster: location.cluster,
        service: location.service,
        forceNewDeployment: true,
      }),
    );
  const describeService = async () => {
    const { services = [] } = await client.send(
      new DescribeServicesCommand({ cluster: 'main', services: ['web'] }),
    );
    return services[0];
  };
  const rolledOut = () =>
    until(async () => {
      const service = await describeService();
      return service?.deployments?.[0]?.rolloutState === 'IN_PROGRESS' ? undefined : service;
    }, 15_000);
  return { ecs, client, secret, lines, port, get, redeploy, describeService, rolledOut };
}

describe('an ECS service', () => {
  it('replaces every task with one that has the new value, while requests go on', async () => {
    const { client, secret, lines, port, get, redeploy, rolledOut } = await start();
    expect(await get()).toBe('one test');
    const before = await client.send(new ListTasksCommand({ cluster: 'main', serviceName: 'web' }));
    secret.value = 'two';
    expect(await get()).toBe('one test');

    const answers: (string | number)[] = [];
    const traffic = new AbortController();
    const load = (async () => {
      while (!traffic.signal.aborted) {
        const response = await fetch(`http://127.0.0.1:${port}/`);
        const body = await response.text();
        answers.push(response.ok ? body : response.status);
      }
    })();
    const slow = get('/slow');
    const { service } = await redeploy();
    expect(service?.deployments?.map(({ status, rolloutState }) => [status, rolloutState])).toEqual([
      ['PRIMARY', 'IN_PROGRESS'],
      ['ACTIVE', 'COMPLETED'],
    ]);
    const done = await rolledOut();
    traffic.abort();
    await load;

    expect(await slow).toBe('one test');
    expect(new Set(answers)).toEqual(new Set(['one test', 'two test']));
    expect(await get()).toBe('two test');
    expect(done).toMatchObject({ status: 'ACTIVE', desiredCount: 2, runningCount: 2, pendingCount: 0 });
    expect(done.deployments).toHaveLength(1);
    expect(done.deployments?.[0]).toMatchObject({
      status: 'PRIMARY',
      rolloutState: 'COMPLETED',
      runningCount: 2,
      failedTasks: 0,
    });
    expect(done.events?.[0]?.message).toBe('(service web) has reached a steady state.');

    const after = await client.send(new ListTasksCommand({ cluster: 'main', serviceName: 'web' }));
    expect(after.taskArns).toHaveLength(2);
    expect(after.taskArns?.filter((task) => before.taskArns?.includes(task))).toEqual([]);
    const { tasks = [] } = await client.send(
      new DescribeTasksCommand({ cluster: 'main', tasks: after.taskArns ?? [] }),
    );
    for (const task of tasks) {
      expect(task).toMatchObject({
        lastStatus: 'RUNNING',
        healthStatus: 'HEALTHY',
        group: 'service:web',
        startedBy: done.deployments?.[0]?.id,
      });
      expect(Number(task.startedAt)).toBeGreaterThanOrEqual(Number(done.deployments?.[0]?.createdAt));
    }
    await until(() => (lines.filter((line) => line === 'leaving').length === 2 ? true : undefined));
  });

  it('fails a deployment whose tasks do not become healthy, and keeps the old tasks', async () => {
    const { secret, get, redeploy, rolledOut } = await start({ startTimeoutMs: 300, desiredCount: 1 });
    secret.value = 'broken';
    await redeploy();
    const service = await rolledOut();
    expect(
      service.deployments?.map(({ status, rolloutState, failedTasks, runningCount }) => ({
        status,
        rolloutState,
        failedTasks,
        runningCount,
      })),
    ).toEqual([
      { status: 'PRIMARY', rolloutState: 'FAILED', failedTasks: 1, runningCount: 0 },
      { status: 'ACTIVE', rolloutState: 'COMPLETED', failedTasks: 0, runningCount: 1 },
    ]);
    expect(await get()).toBe('one test');
    secret.value = 'three';
    await redeploy();
    expect((await rolledOut()).deployments).toHaveLength(1);
    expect(await get()).toBe('three test');
  });

  it('stops first and starts then when it may not run more tasks', async () => {
    const { secret, get, redeploy, rolledOut } = await start({
      desiredCount: 1,
      minimumHealthyPercent: 0,
      maximumPercent: 100,
    });
    secret.value = 'two';
    await redeploy();
    expect((await rolledOut()).deployments?.[0]?.rolloutState).toBe('COMPLETED');
    expect(await get()).toBe('two test');
  });

  it('replaces a task that crashed', async () => {
    const { ecs, get } = await start({ desiredCount: 1 });
    const response = await get('/crash');
    expect(response).toBe('');
    await until(() =>
      ecs.services()[0]?.tasks.filter(({ healthy }) => healthy).length === 1 &&
      ecs.services()[0]?.tasks.length === 2
        ? true
        : undefined,
    );
    await ecs.services()[0]?.settled();
    expect(await get()).toBe('one test');
  });

  it('does not start when a secret cannot be read, or with percentages that allow no change', async () => {
    await expect(start({ secrets: { KEY: 'arn:other' } })).rejects.toThrow(
      /did not start: ResourceInitializationError.*asked for arn:other/,
    );
    await expect(start({ minimumHealthyPercent: 100, maximumPercent: 100 })).rejects.toThrow(
      /no task could ever be replaced/,
    );
  });

  it('is found by name and by ARN, and reported missing otherwise', async () => {
    const { client } = await start({ desiredCount: 1 });
    const serviceArn = 'arn:aws:ecs:eu-central-1:111122223333:service/main/web';
    const cluster = 'arn:aws:ecs:eu-central-1:111122223333:cluster/main';
    const found = await client.send(
      new DescribeServicesCommand({ cluster, services: [serviceArn, 'other'] }),
    );
    expect(found.services?.map((service) => service.serviceArn)).toEqual([serviceArn]);
    expect(found.failures).toEqual([
      { arn: 'arn:aws:ecs:eu-central-1:111122223333:service/main/other', reason: 'MISSING' },
    ]);
    await expect(client.send(new UpdateServiceCommand({ cluster, service: 'other' }))).rejects.toMatchObject({
      name: 'ServiceNotFoundException',
    });
    await expect(
      client.send(new UpdateServiceCommand({ cluster: 'x', service: 'web' })),
    ).rejects.toMatchObject({ name: 'ClusterNotFoundException' });
  });
});
