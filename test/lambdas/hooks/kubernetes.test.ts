/** The hook with its adapter against an API server over TLS whose controllers take time, fail and flap. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { kubernetesApi } from '../../../lambdas/adapters/consumers/kubernetes.ts';
import { clusterExchange } from '../../../lambdas/adapters/kubernetes/cluster.ts';
import { clusterTokens } from '../../../lambdas/adapters/kubernetes/token.ts';
import { KeyturnError, publicError } from '../../../lambdas/contract/errors.ts';
import type { BoundConsumer, Renewing } from '../../../lambdas/contract/hooks.ts';
import type { Clock } from '../../../lambdas/contract/ports.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { hook, rulesInCluster } from '../../../lambdas/hooks/redeploy/kubernetes.ts';
import { ApiServer } from './stand-ins/api-server.ts';
import { AwsStandIn } from './stand-ins/aws.ts';
import { Cluster, type WorkloadOptions } from './stand-ins/cluster.ts';
import { getCallerIdentity } from './stand-ins/sts.ts';
import { testOnlyCa, testOnlyOtherCa } from './stand-ins/test-only-certificates.ts';

const secretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/token-AbCdEf';
const otherSecretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/other-AbCdEf';
const version = '11111111-2222-3333-4444-555555555555';
const canary = 'LEAKME-$"\'\\-é';
const identity = { accessKeyId: 'ASIATEST', secretAccessKey: 'signing-key' };
const started = Date.parse('2026-03-01T12:00:00.250Z');

const aws = new AwsStandIn();
let cluster: Cluster;
let server: ApiServer;
let clock: Clock;
let reads: number;

beforeAll(async () => {
  vi.stubEnv('AWS_REGION', 'eu-central-1');
  vi.stubEnv('AWS_ENDPOINT_URL_EKS', await aws.start());
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await aws.stop();
});

beforeEach(async () => {
  cluster = new Cluster(started - 3_600_000);
  server = new ApiServer('shop', cluster, identity);
  await server.start();
  aws.clusters.set('shop', { endpoint: `https://localhost:${server.port}`, ca: testOnlyCa });
  reads = 0;
  clock = {
    now: () => new Date(cluster.now),
    sleep: async (milliseconds) => {
      for (let passed = 0; passed < milliseconds; passed += 1000) cluster.tick();
    },
  };
  cluster.secrets.set('app', { token: 'old', other: 'kept' });
  cluster.current = { token: canary, other: 'kept' };
});
afterEach(() => server.stop());

const web = { kind: 'Deployment', name: 'web', replicas: 3 } as const;
const patchedSecret = { secret: 'app', keys: { token: 'TOKEN' } };
const external = { externalSecret: 'app' };

function api() {
  const document = JSON.stringify({ TOKEN: canary, OTHER: 'x' });
  return kubernetesApi(
    clusterExchange({ credentials: async () => ({ ...identity, sessionToken: 'session' }), clock }),
    {
      read: async (_secret, versionId) => {
        reads += 1;
        return { versionId, labels: [], createdAt: clock.now(), value: new Sensitive(document) };
      },
    },
  );
}

/** A consumer of these workloads, with the rules in the cluster that the hook says it needs. */
function consumer(options: { sync?: unknown; workloads?: readonly WorkloadOptions[]; rules?: boolean } = {}) {
  const { sync = patchedSecret, workloads = [web], rules = true } = options;
  const input = {
    ...{ kind: 'kubernetes', cluster: 'shop', namespace: 'shop', sync },
    workloads: workloads.map(({ kind, name }) => ({ kind, name })),
  };
  const bound = hook.connect(api()).bind(input);
  if (!bound.ok) throw new Error(bound.broken.join());
  if (rules) {
    const parsedSync = sync as Parameters<typeof rulesInCluster>[0]['sync'];
    server.rules = rulesInCluster({ workloads: input.workloads, sync: parsedSync });
  }
  return bound.hook;
}

/** Published now. */
function renewing(overrides: Partial<Renewing> = {}): Renewing {
  return { secretId, versionId: version, since: new Date(cluster.now), ...overrides };
}

/** Looks once a second. @returns the last reason; null: renewed */
async function wait(bound: BoundConsumer, what: Renewing, looks = 40): Promise<string | null> {
  let reason: string | null = null;
  for (let look = 0; look < looks; look += 1) {
    const renewal = await bound.look(what, clock);
    if (renewal.renewed) return null;
    reason = renewal.reason;
    cluster.tick();
  }
  return reason;
}

const errorOf = (promise: Promise<unknown>): Promise<KeyturnError> =>
  promise.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (caught) => {
      if (caught instanceof KeyturnError) return caught;
      throw caught;
    },
  );

describe('a restart', () => {
  it.each([
    ['of a Deployment', web],
    ['of a StatefulSet', { kind: 'StatefulSet', name: 'db', replicas: 3 }],
    ['of a DaemonSet', { kind: 'DaemonSet', name: 'agent', replicas: 2 }],
    ['of pods that start slowly', { ...web, startTicks: 6 }],
    ['of pods that stop slowly', { ...web, stopTicks: 10 }],
    ['of a workload that is scaled to none', { ...web, replicas: 0 }],
    ['of more pods than one page has', { ...web, replicas: 130, startTicks: 0 }],
  ] as const)('%s ends with every pod on the new value', async (_what, options) => {
    const workload = cluster.add(options);
    cluster.tick();
    const bound = consumer({ workloads: [options] });
    const what = renewing();
    expect(await bound.look(what, clock)).toMatchObject({
      renewed: false,
      reason: `${options.kind} ${options.name}: its restart has not begun`,
    });
    await bound.begin(what, clock);
    expect(await wait(bound, what, 300)).toBeNull();
    expect(cluster.podsOf(workload).filter(({ environment }) => environment.token !== canary)).toHaveLength(
      cluster.podsOf(workload).filter(({ deletedAt }) => deletedAt !== null).length,
    );
    expect(cluster.secrets.get('app')).toEqual({ token: canary, other: 'kept' });
    expect(workload.restarts).toBe(1);
  });

  it('of several workloads at once waits for all', async () => {
    const db = { kind: 'StatefulSet', name: 'db', replicas: 2, startTicks: 9 } as const;
    for (const options of [web, db]) cluster.add(options);
    const bound = consumer({ workloads: [web, db] });
    const what = renewing();
    await bound.begin(what, clock);
    expect(await wait(bound, what, 5)).toMatch(/^StatefulSet db: \d of 2 pods are updated$/);
    expect(await wait(bound, what)).toBeNull();
  });

  it('counts as renewed even when everything happened within the second of the publication', async () => {
    const workload = cluster.add({ ...web, startTicks: 0 });
    const bound = consumer();
    const what = renewing();
    await bound.begin(what, clock);
    for (const pod of cluster.pods) {
      Object.assign(pod, { annotations: { ...workload.templateAnnotations }, template: workload.template });
    }
    workload.observedGeneration = workload.generation;
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
  });

  it.each([
    ['never healthy', 'never', 100, 'Deployment web: its rollout exceeded its progress deadline'],
    ['flapping', 'flapping', 100, /^Deployment web: (its rollout|\d of 3 pods are|\d old pods)/],
  ] as const)(
    'of pods that are %s names what is missing, and the old ones serve on',
    async (_what, temper, looks, reason) => {
      const workload = cluster.add(web);
      workload.temper = temper;
      const bound = consumer();
      const what = renewing();
      await bound.begin(what, clock);
      expect(await wait(bound, what, looks)).toMatch(reason);
      const serving = cluster.podsOf(workload).filter(({ ready, template }) => ready && template === 1);
      expect(serving.length).toBeGreaterThan(0);
    },
  );

  it.each([
    ['paused', { ...web, paused: true }, 'Deployment web: it is paused, so nothing restarts'],
    [
      'updated by hand only',
      { kind: 'DaemonSet', name: 'agent', replicas: 2, strategy: 'OnDelete' },
      'DaemonSet agent: its update strategy is OnDelete, so nothing restarts until a person deletes the pods',
    ],
    [
      'held by a partition',
      { kind: 'StatefulSet', name: 'db', replicas: 3, partition: 2 },
      'StatefulSet db: its update strategy has the partition 2, so lower pods do not restart',
    ],
  ] as const)(
    'of a workload that is %s is not waited for in vain without a reason',
    async (_what, options, reason) => {
      cluster.add(options);
      const bound = consumer({ workloads: [options] });
      const what = renewing();
      await bound.begin(what, clock);
      expect(await wait(bound, what, 30)).toBe(reason);
    },
  );

  it('does not count while an old pod is left, even if the numbers look complete', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    const what = renewing();
    await bound.begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
    cluster.pods.push({
      ...{ name: 'web-orphan', labels: { app: 'web' }, annotations: {}, environment: { token: 'old' } },
      ...{ createdAt: started - 7_200_000, template: workload.template, ready: true, deletedAt: null },
      phase: 'Running',
    });
    expect(await bound.look(what, clock)).toEqual({
      renewed: false,
      reason: expect.stringMatching(
        /^Deployment web: (1 pods are older than the version|1 old pods still run)$/,
      ),
    });
    Object.assign(cluster.pods.at(-1) ?? {}, { phase: 'Failed' });
    expect(await bound.look(what, clock)).toEqual({ renewed: true });
  });

  it('says that pods are missing when the numbers are ahead of them', async () => {
    cluster.add(web);
    const bound = consumer();
    const what = renewing();
    await bound.begin(what, clock);
    await wait(bound, what);
    Object.assign(cluster.pods.at(-1) ?? {}, { ready: false });
    expect(await bound.look(what, clock)).toEqual({
      renewed: false,
      reason: 'Deployment web: 2 of 3 pods are available',
    });
  });
});

describe('a begin', () => {
  it('that is repeated restarts nothing again, at any time', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    const what = renewing();
    await bound.begin(what, clock);
    const { generation } = workload;
    await bound.begin(what, clock);
    cluster.tick();
    await consumer().begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
    await bound.begin(what, clock);
    expect(workload.generation).toBe(generation);
    expect(reads).toBe(1);
  });

  it.each(['cut', { status: 500, object: 'broken' }] as const)(
    'that crashes at any of its requests (%j) ends well when it is repeated, with one restart',
    async (outage) => {
      const workload = cluster.add(web);
      const what = renewing();
      for (let at = 0; at < 4; at += 1) {
        server.outages.splice(0);
        for (let index = 0; index < at; index += 1) server.outages.push({ status: 503, object: '' });
        server.outages.push(outage);
        await errorOf(consumer().begin(what, clock));
      }
      server.outages.splice(0);
      await consumer().begin(what, clock);
      expect(await wait(consumer(), what)).toBeNull();
      expect(workload.restarts).toBe(1);
    },
  );

  it('whose answer is lost after the restart was taken does not restart twice', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    const what = renewing();
    const taken = cluster.changeWorkload.bind(cluster);
    cluster.changeWorkload = (...change) => {
      taken(...change);
      cluster.changeWorkload = taken;
      throw new Error('the answer is lost');
    };
    expect(await errorOf(bound.begin(what, clock))).toMatchObject({
      code: 'AwsUnreachable',
      retryable: true,
    });
    await bound.begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
    expect(workload.restarts).toBe(1);
  });

  it('for another version, or for the same one published again, restarts again', async () => {
    const workload = cluster.add(web);
    const bound = consumer({ sync: 'none' });
    const first = renewing();
    await bound.begin(first, clock);
    await wait(bound, first);
    for (const next of [{ versionId: version.replace('1', '9') }, { versionId: version }]) {
      cluster.tick();
      const what = renewing(next);
      await bound.begin(what, clock);
      expect(await wait(bound, what)).toBeNull();
    }
    expect(workload.restarts).toBe(3);
  });

  it('of two secrets that end together restarts the workload once', async () => {
    const workload = cluster.add(web);
    cluster.addExternalSecret('app', 'app');
    const bound = consumer({ sync: external });
    const first = renewing();
    const second = renewing({ secretId: otherSecretId, since: new Date(cluster.now + 1000) });
    await clock.sleep(20_000);
    await bound.begin(first, clock);
    await clock.sleep(3000);
    await bound.begin(second, clock);
    expect(await wait(bound, first)).toBeNull();
    expect(await wait(bound, second)).toBeNull();
    expect(workload.restarts).toBe(1);
  });
});

describe('two secrets that Keyturn brings to the same pods', () => {
  const bothValues = { token: canary, other: 'x' };
  const shares = () => ({
    one: { bound: consumer(), what: renewing({ shared: true }) },
    other: {
      bound: consumer({ sync: { secret: 'app', keys: { other: 'OTHER' } } }),
      what: renewing({ secretId: otherSecretId, since: new Date(cluster.now + 1), shared: true }),
    },
  });
  /** Whoever sleeps is woken by the time that the test lets pass. */
  function sleepers() {
    const asleep: { until: number; wake: () => void }[] = [];
    clock.sleep = (milliseconds) =>
      new Promise((wake) => asleep.push({ until: cluster.now + milliseconds, wake }));
    return asleep;
  }
  const environments = (workload: ReturnType<Cluster['add']>) =>
    cluster
      .podsOf(workload)
      .filter(({ deletedAt }) => deletedAt === null)
      .map(({ environment }) => environment);

  it('restart them once when they end together, with both values', async () => {
    const workload = cluster.add(web);
    const { one, other } = shares();
    const asleep = sleepers();
    const begun = [one, other].map(({ bound, what }) => bound.begin(what, clock));
    await vi.waitFor(() => expect(asleep).toHaveLength(2));
    expect(cluster.secrets.get('app')).toEqual(bothValues);
    expect(workload.restarts).toBe(0);
    const ends = asleep.map(({ until }) => until - cluster.now).sort((a, b) => a - b);
    expect(ends[0]).toBeGreaterThanOrEqual(20_000);
    expect(ends[1]).toBeLessThan(25_000);
    for (const { until, wake } of asleep.sort((a, b) => a.until - b.until)) {
      while (cluster.now < until) cluster.tick();
      wake();
      await Promise.race(begun);
    }
    await Promise.all(begun);
    expect(await wait(one.bound, one.what)).toBeNull();
    expect(await wait(other.bound, other.what)).toBeNull();
    expect(workload.restarts).toBe(1);
    expect(environments(workload)).toEqual([bothValues, bothValues, bothValues]);
  });

  it('restart them again when one is brought after the restart for the other began', async () => {
    const workload = cluster.add({ ...web, startTicks: 3 });
    const { one, other } = shares();
    await one.bound.begin(one.what, clock);
    cluster.tick();
    expect(workload.restarts).toBe(1);
    await other.bound.begin(other.what, clock);
    expect(workload.restarts).toBe(2);
    expect(await wait(one.bound, one.what)).toBeNull();
    expect(await wait(other.bound, other.what)).toBeNull();
    expect(environments(workload)).toEqual([bothValues, bothValues, bothValues]);
  });
});

describe('a stop while data is moved', () => {
  const stopping = { secretId, stop: 'one' };
  const stop = (bound: BoundConsumer, of = stopping) =>
    bound.quiesce?.(of, clock) ?? Promise.reject(new Error('it cannot be stopped'));
  async function idle(bound: BoundConsumer, of = stopping): Promise<string[]> {
    const reasons: string[] = [];
    for (let looks = 0; looks < 40; looks += 1) {
      const seen = await stop(bound, of);
      if (seen.idle) return reasons;
      reasons.push(seen.reason);
      cluster.tick();
    }
    throw new Error(`still running: ${reasons.at(-1)}`);
  }
  const running = () => cluster.pods.length;
  const parked = (workload: ReturnType<Cluster['add']>) => workload.annotations['keyturn/parked'];

  it.each([
    ['Deployment', { ...web, stopTicks: 3 }],
    ['StatefulSet', { kind: 'StatefulSet', name: 'db', replicas: 2, stopTicks: 3 }],
  ] as const)(
    'of a %s is over when its last pod has ended, and it starts again with as many',
    async (_kind, options) => {
      const workload = cluster.add(options);
      const bound = consumer({ workloads: [options] });
      server.rules = rulesInCluster({ workloads: [options], sync: 'none' });
      const reasons = await idle(bound);
      expect(running()).toBe(0);
      expect(reasons[0]).toBe(`${options.kind} ${options.name}: ${options.replicas} pods are to stop`);
      expect(reasons).toContain(`${options.kind} ${options.name}: ${options.replicas} pods still run`);
      expect(parked(workload)).toMatch(new RegExp(`^${options.replicas} [0-9a-f]{16}$`));

      const again = consumer({ workloads: [options] });
      const what = renewing();
      expect(await again.look(what, clock)).toMatchObject({
        reason: `${options.kind} ${options.name}: it is stopped and not started again yet`,
      });
      await again.begin(what, clock);
      expect(await wait(again, what)).toBeNull();
      expect(cluster.pods.map(({ environment }) => environment.token)).toEqual(
        Array.from({ length: options.replicas }, () => canary),
      );
      expect(parked(workload)).toBeUndefined();
    },
  );

  it('that is repeated keeps the number, and one of a workload without pods notes none', async () => {
    const [workload, none] = [cluster.add(web), cluster.add({ ...web, name: 'none', replicas: 0 })];
    const workloads = [web, { ...web, name: 'none' }];
    await idle(consumer({ workloads }));
    await idle(consumer({ workloads }));
    expect(parked(workload)).toMatch(/^3 /);
    expect(parked(none)).toBeUndefined();
  });

  it('whose answer is lost loses no number: note and number are one change', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    const taken = cluster.changeWorkload.bind(cluster);
    cluster.changeWorkload = (...change) => {
      taken(...change);
      cluster.changeWorkload = taken;
      throw new Error('the answer is lost');
    };
    await errorOf(stop(bound));
    expect(parked(workload)).toMatch(/^3 /);
    await idle(bound);
    await bound.begin(renewing(), clock);
    expect(workload.replicas).toBe(3);
  });

  it('after a restart for the same version is undone by the next begin of that version', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    const what = renewing();
    await bound.begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
    await idle(bound);
    expect(await bound.look(what, clock)).toMatchObject({ renewed: false });
    await bound.begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
    expect(workload.replicas).toBe(3);
    expect(running()).toBe(3);
  });

  it('is not ended by the rollout of another secret, nor shared with it', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    await idle(bound);
    const other = consumer({ sync: { secret: 'app', keys: { other: 'OTHER' } } });
    const what = renewing({ secretId: otherSecretId });
    await other.begin(what, clock);
    expect(await wait(other, what, 5)).toBe(
      'Deployment web: it is stopped for another secret, whose rollout starts it',
    );
    expect(await stop(other, { secretId: otherSecretId, stop: 'two' })).toEqual({
      idle: false,
      reason: 'Deployment web: it is stopped for another secret, whose rollout must end first',
    });
    expect(workload.replicas).toBe(0);
    const own = renewing();
    await bound.begin(own, clock);
    expect(await wait(bound, own)).toBeNull();
    expect(await wait(other, what)).toBeNull();
    expect(cluster.pods.map(({ environment }) => environment)).toEqual([
      { token: canary, other: 'x' },
      { token: canary, other: 'x' },
      { token: canary, other: 'x' },
    ]);
  });

  it('leaves a number alone that somebody has set meanwhile', async () => {
    const workload = cluster.add(web);
    const bound = consumer();
    await idle(bound);
    cluster.changeWorkload(workload, {}, {}, 5);
    const what = renewing();
    await bound.begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
    expect(workload.replicas).toBe(5);
    expect(parked(workload)).toBeUndefined();
  });

  it('of a DaemonSet is refused: it has no number', () => {
    const members = { kind: 'kubernetes', cluster: 'shop', namespace: 'shop', sync: 'none' };
    const workloads = [
      { kind: 'Deployment', name: 'web' },
      { kind: 'DaemonSet', name: 'agent' },
    ];
    expect(hook.quiesces({ ...members, workloads })).toEqual({ ok: false, broken: ['the DaemonSet agent'] });
    expect(hook.quiesces({ ...members, workloads: workloads.slice(0, 1) })).toEqual({ ok: true, hook: [] });
    const bound = hook.connect(api()).bind({ ...members, workloads });
    expect(bound.ok && bound.hook.quiesce).toBeNull();
  });
});

describe('External Secrets', () => {
  it('is made to refresh before the pods restart', async () => {
    const workload = cluster.add(web);
    const app = cluster.addExternalSecret('app', 'app');
    const bound = consumer({ sync: external });
    const what = renewing();
    await bound.begin(what, clock);
    expect(app.refreshes).toBe(1);
    expect(app.annotations['force-sync']).toContain(version);
    expect(await wait(bound, what)).toBeNull();
    const staying = cluster.podsOf(workload).filter(({ deletedAt }) => deletedAt === null);
    expect(staying.map(({ environment }) => environment.token)).toEqual([canary, canary, canary]);
    expect(reads).toBe(0);
  });

  it('is made to refresh again by a begin that follows a crash', async () => {
    cluster.add(web);
    const app = cluster.addExternalSecret('app', 'app');
    const what = renewing();
    app.annotations = { 'force-sync': `${version}.${cluster.now}` };
    cluster.tick();
    cluster.tick();
    const bound = consumer({ sync: external });
    await bound.begin(what, clock);
    expect(app.refreshes).toBe(2);
    expect(await wait(bound, what)).toBeNull();
  });

  it('that cannot read the store stops the restart, and the old pods stay', async () => {
    const workload = cluster.add(web);
    const app = cluster.addExternalSecret('app', 'app');
    app.works = false;
    const bound = consumer({ sync: external });
    const what = renewing();
    const error = await errorOf(bound.begin(what, clock));
    expect(error).toMatchObject({
      code: 'ConsumersNotHealthy',
      retryable: true,
      message:
        'The ExternalSecret app must be refreshed after the version was published; it was not within 120 s (Ready is not True).',
    });
    expect(workload.restarts).toBe(0);
    expect(await bound.look(what, clock)).toEqual({
      renewed: false,
      reason: 'the ExternalSecret app is not Ready',
    });
  });

  it('that is refreshed once only is refused', async () => {
    cluster.add(web);
    cluster.addExternalSecret('app', 'app').policy = 'CreatedOnce';
    expect(await errorOf(consumer({ sync: external }).begin(renewing(), clock))).toMatchObject({
      message: 'The ExternalSecret app must be refreshed again; its refreshPolicy is CreatedOnce.',
    });
  });

  it('is asked in the version of its API that the cluster serves', async () => {
    cluster.add(web);
    cluster.addExternalSecret('app', 'app');
    server.externalSecretsVersion = 'v1beta1';
    const what = renewing();
    expect(await errorOf(consumer({ sync: external }).begin(what, clock))).toMatchObject({
      code: 'AwsNotFound',
    });
    const bound = consumer({ sync: { ...external, apiVersion: 'v1beta1' } });
    await bound.begin(what, clock);
    expect(await wait(bound, what)).toBeNull();
  });
});

describe('a direct patch', () => {
  it('refuses data beyond what a Secret may hold, before it sends anything', async () => {
    cluster.add(web);
    const big = 'x'.repeat(1024 * 1024 + 1);
    const port = { ...api(), value: async () => new Sensitive(JSON.stringify({ TOKEN: big })) };
    const bound = hook.connect(port).bind({
      ...{ kind: 'kubernetes', cluster: 'shop', namespace: 'shop', sync: patchedSecret },
      workloads: [{ kind: 'Deployment', name: 'web' }],
    });
    consumer();
    if (!bound.ok) throw new Error();
    expect(await errorOf(bound.hook.begin(renewing(), clock))).toMatchObject({ code: 'ValueRejected' });
    expect(server.seen.filter(({ method }) => method === 'PATCH')).toEqual([]);
  });

  it('needs the variable in the document, and the Secret in the namespace', async () => {
    cluster.add(web);
    const unknown = consumer({ sync: { secret: 'app', keys: { token: 'MISSING' } } });
    expect(await errorOf(unknown.begin(renewing(), clock))).toMatchObject({ code: 'DocumentInvalid' });
    const absent = consumer({ sync: { secret: 'absent', keys: { token: 'TOKEN' } } });
    expect(await errorOf(absent.begin(renewing(), clock))).toMatchObject({
      code: 'AwsNotFound',
      message: 'The cluster shop refused "patch secrets shop/absent" with 404 NotFound.',
    });
  });
});

describe('access', () => {
  it.each([
    ['get deployments.apps shop/web', 'deployments', 'get'],
    ['patch deployments.apps shop/web', 'deployments', 'patch'],
    ['list pods shop', 'pods', 'list'],
    ['patch secrets shop/app', 'secrets', 'patch'],
  ])('without "%s" the error says that, and what to do', async (action, resource, verb) => {
    cluster.add(web);
    const bound = consumer();
    server.rules = server.rules.map((rule) =>
      rule.resources.includes(resource) ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) } : rule,
    );
    const what = renewing();
    const error = await errorOf(bound.begin(what, clock).then(() => wait(bound, what)));
    expect(error).toMatchObject({
      code: 'AwsDenied',
      message: `The cluster shop refused "${action}" with 403 Forbidden.`,
      hint: 'Give the group of its access entry a Role with this rule in the namespace.',
    });
  });

  it('needs no other rule than the ones that are declared', () => {
    const workloads = [
      { kind: 'Deployment', name: 'web' },
      { kind: 'Deployment', name: 'worker' },
      { kind: 'StatefulSet', name: 'db' },
    ] as const;
    expect(rulesInCluster({ workloads: [...workloads], sync: patchedSecret })).toEqual([
      {
        apiGroups: ['apps'],
        resources: ['deployments'],
        verbs: ['get', 'patch'],
        resourceNames: ['web', 'worker'],
      },
      { apiGroups: ['apps'], resources: ['statefulsets'], verbs: ['get', 'patch'], resourceNames: ['db'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
      { apiGroups: [''], resources: ['secrets'], verbs: ['patch'], resourceNames: ['app'] },
    ]);
  });

  it.each([
    [
      'a certificate of another CA',
      () => ({ endpoint: `https://localhost:${server.port}`, ca: testOnlyOtherCa }),
    ],
    [
      'a certificate for another name',
      () => ({ endpoint: `https://127.0.0.1:${server.port}`, ca: testOnlyCa }),
    ],
  ])('%s is refused before the token is sent', async (_what, described) => {
    cluster.add(web);
    const bound = consumer();
    aws.clusters.set('shop', described());
    const error = await errorOf(bound.begin(renewing(), clock));
    expect(error).toMatchObject({ code: 'AwsRefused', retryable: false });
    expect(error.message).toMatch(
      /^The API server of the cluster shop must show a certificate of the cluster's own CA for its endpoint; it was refused \([A-Z_]+\)\.$/,
    );
    expect(server.seen).toEqual([]);
  });

  it('an endpoint without TLS is refused', async () => {
    cluster.add(web);
    aws.clusters.set('shop', { endpoint: `http://localhost:${server.port}`, ca: testOnlyCa });
    expect(await errorOf(consumer().begin(renewing(), clock))).toMatchObject({ code: 'AwsRefused' });
  });

  it('a cluster that is not there is named by DescribeCluster', async () => {
    aws.clusters.delete('shop');
    expect(await errorOf(consumer().begin(renewing(), clock))).toMatchObject({
      code: 'AwsNotFound',
      message: 'DescribeCluster failed with ResourceNotFoundException (request r-1).',
    });
  });

  it('a server that cuts the connection, or answers nonsense, is not a refusal of anything', async () => {
    cluster.add(web);
    server.outages.push('cut');
    expect(await errorOf(consumer().begin(renewing(), clock))).toMatchObject({
      code: 'AwsUnreachable',
      retryable: true,
    });
    server.outages.push({ status: 200, object: `{"token":"${canary}"` });
    expect((await errorOf(consumer().begin(renewing(), clock))).message).not.toContain('LEAKME');
    server.outages.push({ status: 200, object: 'x'.repeat(9 * 1024 * 1024) });
    expect(await errorOf(consumer().begin(renewing(), clock))).toMatchObject({ code: 'AwsUnreachable' });
  });
});

describe('the token', () => {
  const signing = () => ({ credentials: async () => ({ ...identity, sessionToken: 'a/b+c=' }), clock });
  const urlOf = (token: Sensitive) =>
    new URL(Buffer.from(token.reveal().replace('k8s-aws-v1.', ''), 'base64url').toString());

  it('is a presigned GetCallerIdentity for one cluster, for 60 seconds, without padding', async () => {
    const token = await clusterTokens(signing())('shop', 'eu-central-1');
    expect(token.reveal()).toMatch(/^k8s-aws-v1\.[A-Za-z0-9_-]+$/);
    const url = urlOf(token);
    expect(url.origin + url.pathname).toBe('https://sts.eu-central-1.amazonaws.com/');
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      Action: 'GetCallerIdentity',
      Version: '2011-06-15',
      'X-Amz-Expires': '60',
      'X-Amz-SignedHeaders': 'host;x-k8s-aws-id',
      'X-Amz-Security-Token': 'a/b+c=',
    });
  });

  it.each([
    ['for its cluster', 'shop', 0, true],
    ['not for another cluster', 'other', 0, false],
    ['for a quarter of an hour', 'shop', 14 * 60_000, true],
    ['and no longer', 'shop', 16 * 60_000, false],
  ])('is good %s', async (_what, name, later, ok) => {
    const url = urlOf(await clusterTokens(signing())('shop', 'eu-central-1'));
    const headers = { host: url.host, 'x-k8s-aws-id': name };
    expect(getCallerIdentity(url, headers, identity, cluster.now + later).ok).toBe(ok);
  });

  it('is kept for 45 seconds, and made anew after', async () => {
    const tokens = clusterTokens(signing());
    const first = await tokens('shop', 'eu-central-1');
    await clock.sleep(44_000);
    expect(await tokens('shop', 'eu-central-1')).toBe(first);
    await clock.sleep(2000);
    expect(await tokens('shop', 'eu-central-1')).not.toBe(first);
  });

  it('of a role that the cluster does not know leads to the access entry', async () => {
    cluster.add(web);
    const port = kubernetesApi(
      clusterExchange({ credentials: async () => ({ ...identity, secretAccessKey: 'another' }), clock }),
      { read: async () => Promise.reject(new Error()) },
    );
    const place = { cluster: 'shop', region: null, namespace: 'shop' };
    expect(await errorOf(port.workload(place, { kind: 'Deployment', name: 'web' }))).toMatchObject({
      code: 'AwsDenied',
      message: 'The cluster shop refused "get deployments.apps shop/web" with 401 Unauthorized.',
      hint: 'The cluster does not know the role of this function: make an EKS access entry for it.',
    });
  });
});

describe('the value', () => {
  it('travels in the body of one request, and is nowhere else', async () => {
    cluster.add(web);
    const printed: string[] = [];
    const spies = (['log', 'error', 'warn', 'info'] as const).map((method) =>
      vi.spyOn(console, method).mockImplementation((...line) => void printed.push(line.join(' '))),
    );
    const bound = consumer();
    const what = renewing();
    await bound.begin(what, clock);
    await wait(bound, what);
    const next = renewing({ versionId: version.replace('1', '8'), since: new Date(cluster.now + 1) });
    const rules = server.rules;
    server.rules = rules.filter(({ resources }) => !resources.includes('secrets'));
    const denied = await errorOf(bound.begin(next, clock));
    for (const spy of spies) spy.mockRestore();
    const carrying = server.seen.filter(({ body }) => body !== '' && path(body).includes('LEAKME'));
    expect(carrying.map(({ method, path: to }) => `${method} ${to}`)).toEqual([
      'PATCH /api/v1/namespaces/shop/secrets/app',
      'PATCH /api/v1/namespaces/shop/secrets/app',
    ]);
    const rest = [
      ...server.seen.filter((one) => !carrying.includes(one)).map((one) => JSON.stringify(one)),
      ...server.seen
        .filter(({ answer }) => !answer.includes('Forbidden'))
        .map(({ answer, path: to }) => answer + to),
      ...[...printed, ...aws.texts, denied.message, denied.hint ?? '', JSON.stringify(denied)],
      publicError(denied).stack ?? '',
    ].join('\n');
    expect(path(rest)).not.toContain('LEAKME');
    expect(rest).not.toContain(Buffer.from(canary).toString('base64'));
  });

  /** A text with what it holds in base64. */
  function path(text: string): string {
    const encoded = text.match(/[A-Za-z0-9+/=]{12,}/g) ?? [];
    return [text, ...encoded.map((part) => Buffer.from(part, 'base64').toString('utf8'))].join('\n');
  }
});

describe('a consumer', () => {
  const good = {
    ...{ kind: 'kubernetes', cluster: 'shop', namespace: 'shop', sync: 'none' },
    workloads: [{ kind: 'Deployment', name: 'web' }],
  };

  it.each([
    [
      'a cluster with a slash',
      { cluster: 'a/b' },
      'cluster must be the name of an EKS cluster; received "a/b".',
    ],
    [
      'a namespace with a dot',
      { namespace: 'a.b' },
      'namespace must be the name of a Kubernetes namespace; received "a.b".',
    ],
    ['no workload', { workloads: [] }, 'workloads must be at least 1; received [].'],
    [
      'a workload twice',
      { workloads: [...good.workloads, ...good.workloads] },
      'workloads must name each once; Deployment web is there twice.',
    ],
    [
      'a Job',
      { workloads: [{ kind: 'Job', name: 'x' }] },
      /^workloads\.0\.kind must be one of Deployment, StatefulSet, DaemonSet/,
    ],
    [
      'a path for a name',
      { workloads: [{ kind: 'Deployment', name: '../x' }] },
      /^workloads\.0\.name must be the name/,
    ],
    ['no key', { sync: { secret: 'app', keys: {} } }, 'sync.keys must map at least one key; it is empty.'],
    [
      'another member',
      { replicas: 3 },
      'the whole must not have the field replicas: no such field is known.',
    ],
  ])('with %s is refused in a sentence', (_what, change, sentence) => {
    const checked = hook.check({ ...good, ...change });
    expect(checked).toMatchObject({ ok: false });
    expect(checked.ok ? '' : checked.broken[0]).toMatch(sentence);
  });

  it.each([
    ['none', 'none', []],
    ['External Secrets', { externalSecret: 'app' }, []],
    [
      'a direct patch',
      patchedSecret,
      [{ actions: ['secretsmanager:GetSecretValue'], resources: ['{secret}'] }],
    ],
  ])('with the sync %s needs exactly its statements', (_what, sync, more) => {
    expect(hook.check({ ...good, sync })).toEqual({
      ok: true,
      hook: [
        {
          actions: ['eks:DescribeCluster'],
          resources: ['arn:{partition}:eks:{region}:{account}:cluster/shop'],
        },
        ...more,
      ],
    });
  });
});
