import { describe, expect, test } from 'vitest';
import type { ConnectedKind, Renewal } from '../../../lambdas/contract/hooks.ts';
import type { RolloutState } from '../../../lambdas/contract/rollout-state.ts';
import type { SecretSettings } from '../../../lambdas/contract/settings.ts';
import type { StageContext } from '../../../lambdas/contract/stage.ts';
import { noTarget } from '../../../lambdas/contract/target.ts';
import type { NewCommand, RunCommand } from '../../../lambdas/hooks/compose/api.ts';
import { hook as composeHook } from '../../../lambdas/hooks/redeploy/compose.ts';
import { type Ecs, hook as ecsHook } from '../../../lambdas/hooks/redeploy/ecs.ts';
import { stage } from '../../../lambdas/rollout/redeploy.ts';
import { virtualClock } from '../../../lib/rehearsal/endpoint/clocks.ts';
import { Application } from '../../simulation/application.ts';

const self = 'arn:aws:lambda:eu-central-1:111122223333:function:redeploy';
const secretId = (name: string) => `arn:aws:secretsmanager:eu-central-1:111122223333:secret:${name}-AbCdEf`;

function secret(name: string, consumers: readonly string[], together: boolean) {
  return {
    key: name,
    id: name,
    class: 'opaque-token',
    options: {},
    plan: 'redeploy-and-prove',
    restorable: true,
    together,
    cutover: false,
    window: null,
    probe: null,
    consumers: consumers.map((consumer) => ({
      name: consumer,
      kind: 'ecs',
      cluster: 'shop',
      service: consumer,
    })),
  };
}

const stateOf = (name: string, publishedAt: number): RolloutState => ({
  schema: 1,
  secretId: secretId(name),
  versionId: `version of ${name}`,
  previousVersionId: null,
  plan: 'redeploy-and-prove',
  publishedAt: new Date(publishedAt).toISOString(),
  attempt: 1,
});

/** A world of its own clock, where the time goes on while something sleeps. */
function world(
  kinds: (clock: ReturnType<typeof virtualClock>) => readonly ConnectedKind[],
  secrets: readonly SecretSettings[],
) {
  const clock = virtualClock();
  const context: StageContext = {
    settings: { schema: 1, deployment: 'shop', platform: 'shop', secrets: [...secrets] },
    self,
    remaining: () => 600_000,
    ports: {
      secrets: unused(),
      events: unused(),
      http: unused(),
      fleets: new Map(),
      target: noTarget.target,
      classes: new Map(),
      reencryption: new Map(),
      credential: unused(),
      consumers: new Map(kinds(clock).map((kind) => [kind.kind, kind])),
      clock: { now: () => new Date(clock.now()), sleep: (ms) => clock.advance(ms) },
      log: () => {},
      metrics: { put: () => {} },
    },
  };
  return { clock, context };
}

function unused<T extends object>(): T {
  return new Proxy({} as T, {
    get: () => {
      throw new Error('the stage must not use this port');
    },
  });
}

describe('restarts', () => {
  test('two secrets of one service that finish within the wait restart it once', async () => {
    const forced: number[] = [];
    const { clock, context } = world(
      (time) => {
        const application = new Application(
          time,
          () => ({ value: 'v', document: {} }),
          () => true,
        );
        const counted: Ecs = {
          ...application.ecs,
          forceDeployment: (cluster, service) => {
            forced.push(time.now());
            return application.ecs.forceDeployment(cluster, service);
          },
        };
        return [ecsHook.connect(counted)];
      },
      [secret('one', ['web'], true), secret('other', ['web'], true)],
    );
    await clock.advance(60_000);
    const finished = clock.now();
    // The first rollout comes here after its wait of 20 s, the second, which finished 5 s later, after its own.
    await clock.advance(20_000);
    await stage.run(stateOf('one', finished), context);
    await stage.run(stateOf('other', finished + 5_000), context);
    expect(forced).toEqual([finished + 20_000]);
  });

  test('nor twice where both look at the same moment: each has its turn', async () => {
    const forced: number[] = [];
    const { clock, context } = world(
      (time) => {
        const { ecs } = new Application(
          time,
          () => ({ value: 'v', document: {} }),
          () => true,
        );
        // ECS takes its time to answer, and to do what it is asked.
        const late = async () => new Promise<void>((resolve) => time.after(300, resolve));
        const slow: Ecs = {
          ...ecs,
          state: async (cluster, service) => {
            const state = await ecs.state(cluster, service);
            await late();
            return state;
          },
          forceDeployment: async (cluster, service) => {
            await late();
            forced.push(time.now());
            return ecs.forceDeployment(cluster, service);
          },
        };
        return [ecsHook.connect(slow)];
      },
      [secret('one', ['web'], true), secret('aside', ['queue'], true), secret('other', ['web'], true)],
    );
    await clock.advance(60_000);
    const finished = clock.now();
    await clock.advance(20_000);
    const both = ['other', 'one'].map((name) => stage.run(stateOf(name, finished), context));
    await clock.advance(120_000);
    await Promise.all(both);
    expect(forced).toEqual([finished + 20_600]);
  });

  test('a service that was restarted before a version was published is restarted again', async () => {
    const restarts: number[] = [];
    const { clock, context } = world(
      (time) => {
        const { ecs } = new Application(
          time,
          () => ({ value: 'v', document: {} }),
          () => true,
        );
        const forceDeployment: Ecs['forceDeployment'] = (...which) => {
          restarts.push(time.now());
          return ecs.forceDeployment(...which);
        };
        return [ecsHook.connect({ ...ecs, forceDeployment })];
      },
      [secret('one', ['web'], true)],
    );
    const first = clock.now();
    await clock.advance(20_000);
    await stage.run(stateOf('one', first), context);
    await clock.advance(600_000);
    const second = clock.now();
    await clock.advance(20_000);
    await stage.run(stateOf('one', second), context);
    expect(restarts).toEqual([first + 20_000, second + 20_000]);
  });
});

describe('what two secrets restart', () => {
  const compose = (name: string, services: readonly string[], directory = '/opt/shop') => ({
    ...secret(name, [], false),
    consumers: [
      {
        ...{ name: `host-of-${name}`, kind: 'compose', hosts: { instances: ['i-0123456789abcdef0'] } },
        ...{ directory, services, variables: { TOKEN: 'TOKEN' } },
      },
    ],
  });

  test.each([
    ['one service of both', compose('other', ['web', 'queue']), true],
    ['other services', compose('other', ['queue']), false],
    ['the same services elsewhere', compose('other', ['web'], '/opt/other'), false],
    ['a service that restarts by its age', secret('other', ['web'], false), false],
  ])('%s: the hook is told whether to leave the other one time', async (_what, other, waits) => {
    const sent: NewCommand[] = [];
    const port: RunCommand = {
      sent: async () =>
        sent.map(() => ({ id: 'c', requestedAt: new Date(), state: 'succeeded' as const, hosts: 1 })),
      send: async (command) => void sent.push(command),
      results: async () => [
        {
          ...{ instance: 'i-0123456789abcdef0', state: 'succeeded', detail: 'Success' },
          output: ['web', 'worker']
            .map((service) => `keyturn service ${service} 1 0 2999-01-01T00:00:00Z 1\n`)
            .join(''),
        },
      ],
    };
    const { clock, context } = world(
      () => [composeHook.connect(port), ecsHook.connect(unused())],
      [compose('one', ['web', 'worker']), other],
    );
    const { publishedAt: _at, ...state } = stateOf('one', 0);
    const published = new Date(clock.now()).toISOString();
    await stage.run(
      { ...state, versionId: '11111111-2222-3333-4444-555555555555', publishedAt: published },
      context,
    );
    expect(sent).toHaveLength(1);
    expect(/^sleep 20$/m.test(sent[0]?.script ?? '')).toBe(waits);
  });
});

describe('the order of restarts', () => {
  /** A kind that writes down what happens to its consumers, and is renewed at the second look. */
  function recording(diary: string[], renewal: (service: string, looks: number) => Renewal): ConnectedKind {
    const looks = new Map<string, number>();
    return {
      kind: 'ecs',
      bind: (consumer) => {
        const service = String(Reflect.get(Object(consumer), 'service'));
        return {
          ok: true,
          hook: {
            quiesce: null,
            begin: async () => void diary.push(`begin ${service}`),
            look: async () => {
              const count = (looks.get(service) ?? 0) + 1;
              looks.set(service, count);
              const answer = renewal(service, count);
              if (answer.renewed) diary.push(`renewed ${service}`);
              return answer;
            },
          },
        };
      },
    };
  }
  const second = (_service: string, looks: number): Renewal =>
    looks > 1 ? { renewed: true } : { renewed: false, reason: 'not yet' };

  test('together: all begin before any is waited for', async () => {
    const diary: string[] = [];
    const { clock, context } = world(
      () => [recording(diary, second)],
      [secret('one', ['web', 'worker'], true)],
    );
    await stage.run(stateOf('one', clock.now()), context);
    expect(diary).toEqual(['begin web', 'begin worker', 'renewed web', 'renewed worker']);
  });

  test('together: those that another secret reaches too, in the latest turn of them all', async () => {
    const begun: string[] = [];
    const { clock, context } = world(
      (time) => [
        {
          kind: 'ecs',
          bind: (consumer) => {
            const service = String(Reflect.get(Object(consumer), 'service'));
            const hook = {
              quiesce: null,
              restarts: [service],
              begin: async () => void begun.push(`${service} ${time.now()}`),
              look: async (): Promise<Renewal> => ({ renewed: true }),
            };
            return { ok: true, hook };
          },
        },
      ],
      [
        secret('first', ['web'], true),
        secret('second', ['web'], true),
        secret('one', ['web', 'worker'], true),
      ],
    );
    const before = clock.now();
    await stage.run(stateOf('one', before), context);
    expect(begun).toEqual([`web ${before + 2_000}`, `worker ${before + 2_000}`]);
  });

  test('one after the other: the second begins when the first is renewed', async () => {
    const diary: string[] = [];
    const { clock, context } = world(
      () => [recording(diary, second)],
      [secret('one', ['web', 'worker'], false)],
    );
    await stage.run(stateOf('one', clock.now()), context);
    expect(diary).toEqual(['begin web', 'renewed web', 'begin worker', 'renewed worker']);
  });

  test('a restart that has failed ends the stage at once, and the next consumer is never touched', async () => {
    const diary: string[] = [];
    const failed = (service: string): Renewal => ({
      renewed: false,
      reason: `the deployment of ${service} failed`,
      over: true,
    });
    const { clock, context } = world(
      () => [recording(diary, failed)],
      [secret('one', ['web', 'worker'], false)],
    );
    const before = clock.now();
    await expect(stage.run(stateOf('one', before), context)).rejects.toMatchObject({
      code: 'ConsumersNotHealthy',
      message: 'Not every consumer runs with the new version. web: the deployment of web failed.',
    });
    expect(diary).toEqual(['begin web']);
    expect(clock.now()).toBe(before);
  });
});
