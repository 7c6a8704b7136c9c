/** Ten thousand secrets in one sweep: on a virtual clock, every call counted, each with the time that it takes. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Settings } from '../../../lambdas/contract/settings.ts';
import type { ReconcileContext, SweepCounts } from '../../../lambdas/reconcile/context.ts';
import { sweep } from '../../../lambdas/reconcile/sweep.ts';
import { executionName } from '../../../lambdas/rollout/start.ts';
import { virtualClock } from '../../../lib/rehearsal/endpoint/clocks.ts';
import { SecretsManager } from '../../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import type { Caller, JsonObject } from '../../../lib/rehearsal/endpoint/wire.ts';
import { fleetPort } from '../../simulation/fleet-port.ts';

const size = 10_000;
const minute = 60_000;
const hour = 60 * minute;
/** Milliseconds that a call to AWS takes. */
const latency = 20;

const functionArn = 'arn:aws:lambda:eu-central-1:111122223333:function:rotation';
const machineArn = 'arn:aws:states:eu-central-1:111122223333:stateMachine:rollout';
const person: Caller = { accessKeyId: 'operator', roleArn: null, functionArn: null };
const rotation: Caller = {
  accessKeyId: 'rotation',
  roleArn: 'arn:aws:iam::111122223333:role/rotation',
  functionArn,
};
const nameOf = (index: number) => `fleet/secret-number-${String(index).padStart(5, '0')}`;

const settings: Settings = {
  schema: 1,
  deployment: 'fleet',
  platform: 'shop',
  secrets: Array.from({ length: size }, (_, index) => ({
    key: `SECRET_${index}`,
    id: nameOf(index),
    class: 'opaque-token',
    options: {},
    plan: 'redeploy-and-prove',
    restorable: true,
    window: null,
    together: false,
    cutover: false,
    consumers: [],
    probe: null,
  })),
};

const clock = virtualClock({ start: Date.UTC(2026, 0, 5, 12) });
let drawn = 0;
const service = new SecretsManager({
  clock,
  random: {
    bytes: (count) => new Uint8Array(count).fill(7),
    uuid: () => {
      drawn += 1;
      return `00000000-0000-4000-8000-${String(drawn).padStart(12, '0')}`;
    },
  },
  invoker: { permits: () => true, invoke: async (_arn, event) => step(event as Record<string, string>) },
  emit: () => {},
});

/** The least that a rotation function does. */
async function step({ Step, SecretId = '', ClientRequestToken = '' }: Record<string, string>) {
  if (Step === 'createSecret') {
    await service.handle(
      'PutSecretValue',
      { SecretId, ClientRequestToken, SecretString: 'fleet', VersionStages: ['AWSPENDING'] },
      rotation,
    );
  }
  if (Step === 'finishSecret') {
    const current = service.snapshot(SecretId)?.find(({ labels }) => labels.includes('AWSCURRENT'));
    await service.handle(
      'UpdateSecretVersionStage',
      {
        SecretId,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: ClientRequestToken,
        RemoveFromVersionId: current?.id ?? '',
      },
      rotation,
    );
  }
  return { ok: true, payload: null } as const;
}

/** Calls of a sweep, and when each was made, in milliseconds of the virtual clock. */
class Calls {
  readonly times = new Map<string, number[]>();

  async call<T>(operation: string, effect: () => Promise<T>): Promise<T> {
    const times = this.times.get(operation) ?? [];
    this.times.set(operation, times);
    times.push(clock.now());
    await new Promise<void>((resolve) => clock.after(latency, resolve));
    return effect();
  }

  counts(): Record<string, number> {
    return Object.fromEntries([...this.times].map(([operation, { length }]) => [operation, length]));
  }

  /** The most calls of these operations within any second. */
  rate(...operations: readonly string[]): number {
    const times = operations.flatMap((operation) => this.times.get(operation) ?? []).sort((a, b) => a - b);
    let most = 0;
    for (let first = 0, last = 0; last < times.length; last += 1) {
      while ((times[last] ?? 0) - (times[first] ?? 0) >= 1_000) first += 1;
      most = Math.max(most, last - first + 1);
    }
    return most;
  }
}

const names = new Set<string>();

async function swept(calls: Calls, limit = 900_000): Promise<SweepCounts & { seconds: number }> {
  const began = clock.now();
  const context: ReconcileContext = {
    settings,
    self: functionArn,
    stateMachines: new Map([['redeploy-and-prove', machineArn]]),
    remaining: () => limit - (clock.now() - began),
    ports: {
      fleet: fleetPort((operation, input: JsonObject) =>
        calls.call(operation, () => service.handle(operation, input, rotation)),
      ),
      executions: {
        list: (_machine, status, cursor) =>
          calls.call('ListExecutions', async () => {
            const from = Number(cursor ?? '0');
            const all = status === 'RUNNING' ? [...names] : [];
            return {
              executions: all
                .slice(from, from + 1_000)
                .map((name) => ({ name, startedAt: new Date(clock.now()) })),
              next: from + 1_000 < all.length ? String(from + 1_000) : null,
            };
          }),
      },
      rollouts: {
        start: (_machine, name) =>
          calls.call('StartExecution', async () => {
            const fresh = !names.has(name);
            names.add(name);
            return fresh;
          }),
      },
      events: { put: () => calls.call('PutEvents', async () => {}) },
      clock: {
        now: () => new Date(clock.now()),
        sleep: (milliseconds) => new Promise((resolve) => clock.after(milliseconds, resolve)),
      },
      log: () => {},
      metrics: { put: () => {} },
    },
  };
  let counts: SweepCounts | null = null;
  void sweep(context).then((result) => {
    counts = result;
  });
  while (counts === null && clock.now() - began < limit) await clock.advance(5_000);
  if (counts === null) throw new Error(`the sweep was not over after ${limit} ms`);
  return { ...(counts as SweepCounts), seconds: (clock.now() - began) / 1_000 };
}

const arns: string[] = [];

beforeAll(async () => {
  for (let index = 0; index < size; index += 1) {
    const { ARN } = await service.handle(
      'CreateSecret',
      {
        Name: nameOf(index),
        ClientRequestToken: `10000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
        SecretString: 'first',
        Tags: [{ Key: 'keyturn:deployment', Value: 'fleet' }],
      },
      person,
    );
    arns.push(String(ARN));
  }
});

describe(`a fleet of ${size.toLocaleString('en')} secrets`, () => {
  test('in order: a hundred pages and the lists of executions, nothing else', async () => {
    const calls = new Calls();
    const counts = await swept(calls);
    expect(counts).toMatchObject({ secrets: size, looked: 0, started: 0, told: 0, failed: 0, left: 0 });
    expect(calls.counts()).toEqual({ ListExecutions: 4, ListSecrets: 100 });
  });

  test('every event of an outage lost: all rollouts are started, paced and in their own slots', async () => {
    for (const SecretId of arns) {
      await service.handle(
        'RotateSecret',
        {
          SecretId,
          ClientRequestToken: `20000000-0000-4000-8000-${SecretId.slice(-13, -7).padStart(12, '0')}`,
          RotationLambdaARN: functionArn,
        },
        person,
      );
    }
    await clock.advance(10 * minute);
    const early = new Calls();
    const first = await swept(early);
    // Eight minutes after the grace: that much of half an hour of slots has come.
    expect(first.started).toBeGreaterThan(0.2 * size);
    expect(first.started).toBeLessThan(0.4 * size);
    expect(first).toMatchObject({ looked: first.started, left: 0 });
    expect(early.counts()).toEqual({
      ListExecutions: 4,
      ListSecrets: 100,
      DescribeSecret: first.started,
      ListSecretVersionIds: first.started,
      StartExecution: first.started,
    });

    await clock.advance(30 * minute);
    const late = new Calls();
    const second = await swept(late);
    const rest = size - first.started;
    expect(second).toMatchObject({ looked: rest, started: rest, failed: 0, left: 0 });
    expect(second.seconds).toBeLessThan(900);
    expect(late.rate('StartExecution')).toBeLessThanOrEqual(20);
    expect(late.rate('ListSecretVersionIds')).toBeLessThanOrEqual(25);
    expect(names.size).toBe(size);
    const [arn = ''] = arns;
    const current = service.snapshot(arn)?.find(({ labels }) => labels.includes('AWSCURRENT'))?.id ?? '';
    expect(names).toContain(executionName('SECRET_0', { secretId: arn, versionId: current, attempt: 1 }));
  });

  test('every value typed by hand: all are told once, at most 20 writes a second; a sweep that is cut off leaves the rest to the next', async () => {
    names.clear();
    await clock.advance(hour);
    for (const [index, SecretId] of arns.entries()) {
      await service.handle(
        'PutSecretValue',
        {
          SecretId,
          ClientRequestToken: `30000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
          SecretString: 'typed',
        },
        person,
      );
    }
    const cut = new Calls();
    const first = await swept(cut, 260_000);
    expect(first.left).toBeGreaterThan(size / 2);
    expect(first).toMatchObject({ told: size - first.left, failed: 0 });

    const calls = new Calls();
    const second = await swept(calls);
    expect(second).toMatchObject({ looked: first.left, told: first.left, failed: 0, left: 0 });
    expect(second.seconds).toBeLessThan(900);
    expect(calls.counts()).toMatchObject({ PutEvents: first.left, TagResource: first.left });
    expect(calls.rate('TagResource', 'UpdateSecretVersionStage')).toBeLessThanOrEqual(20);

    const again = new Calls();
    expect(await swept(again)).toMatchObject({ looked: 0, told: 0 });
    expect(again.counts()).toEqual({ ListExecutions: 4, ListSecrets: 100 });
  });
});
