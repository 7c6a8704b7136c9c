/** The stages that list, renew and count a platform's instances, on a platform that keeps state. */

import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import type { Clock, HttpResponse, Log, SecretVersion } from '../../../lambdas/contract/ports.ts';
import {
  type InstanceResult,
  parseRolloutState,
  type RolloutState,
} from '../../../lambdas/contract/rollout-state.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { StageContext } from '../../../lambdas/contract/stage.ts';
import { noTarget } from '../../../lambdas/contract/target.ts';
import { hook, type InstancesCall } from '../../../lambdas/hooks/instances/http.ts';
import { stage as count } from '../../../lambdas/rollout/count-instances.ts';
import { stage as list } from '../../../lambdas/rollout/list-instances.ts';
import { stage as renew } from '../../../lambdas/rollout/renew-instances.ts';
import { virtualClock } from '../../../lib/rehearsal/endpoint/clocks.ts';
import { Fleet, type FleetOptions, members } from '../../simulation/fleet.ts';

const self = 'arn:aws:lambda:eu-west-1:111122223333:function:stage';
const secretId = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/key-AbCdEf';
const keys = { old: 'the key before the rotation', new: 'the key after the rotation' };

interface Wanted extends Partial<FleetOptions> {
  /** Labels of the version that the rollout brings. Default: AWSCURRENT. */
  readonly labels?: readonly string[];
  /** Milliseconds of one invocation. Default: 600,000. */
  readonly budget?: number;
}

function world(wanted: Wanted = {}) {
  const clock = virtualClock({ start: Date.UTC(2026, 0, 5, 12) });
  let platformKey = keys.old;
  const fleet = new Fleet({
    ids: ['a', 'b', 'c'],
    key: () => platformKey,
    now: () => clock.now(),
    after: (milliseconds, action) => void clock.after(milliseconds, action),
    ...wanted,
  });
  const publishedAt = new Date(clock.now() + 60_000).toISOString();
  const port: Clock = {
    now: () => new Date(clock.now()),
    sleep: (milliseconds) => new Promise((resolve) => void clock.after(milliseconds, resolve)),
  };
  const printed: Parameters<Log>[0][] = [];
  const version = (versionId: string): SecretVersion => ({
    versionId,
    labels: versionId === 'v2' ? (wanted.labels ?? ['AWSCURRENT']) : ['AWSPREVIOUS'],
    createdAt: new Date(0),
    value: new Sensitive(JSON.stringify({ KEY: versionId === 'v2' ? keys.new : keys.old })),
  });
  const refused = () => {
    throw new KeyturnError({ code: 'Internal', message: 'This stage must not do that.' });
  };
  const context = (): StageContext => {
    const started = clock.now();
    return {
      settings: {
        schema: 1,
        deployment: 'shop',
        platform: 'shop',
        secrets: [
          {
            key: 'KEY',
            id: secretId,
            class: 'instance-token-key',
            options: {},
            plan: 'redeploy-instances',
            restorable: true,
            window: null,
            cutover: true,
            together: true,
            consumers: [],
            instances: members,
            probe: null,
          },
        ],
      },
      self,
      remaining: () => (wanted.budget ?? 600_000) - (clock.now() - started),
      ports: {
        secrets: {
          read: async (_id: string, versionId: string) => version(versionId),
          describe: refused,
          writePending: refused,
          moveCurrent: refused,
          removePending: refused,
          tag: refused,
        } as unknown as StageContext['ports']['secrets'],
        events: { put: refused },
        consumers: new Map(),
        fleets: new Map([['http', hook.connect(fleet.api)]]),
        target: noTarget.target,
        classes: new Map(),
        reencryption: new Map(),
        credential: () => Promise.reject(new Error('not used')),
        http: { send: refused },
        clock: port,
        log: (line) => void printed.push(line),
        metrics: { put: () => {} },
      },
    };
  };
  const state: RolloutState = {
    schema: 1,
    secretId,
    versionId: 'v2',
    previousVersionId: 'v1',
    plan: 'redeploy-instances',
    publishedAt,
    attempt: 1,
  };
  /** Lets time pass while a stage works. */
  async function through<T>(work: Promise<T>): Promise<T> {
    let over = false;
    const done = () => {
      over = true;
    };
    work.then(done, done);
    while (!over) await clock.advance(500);
    return work;
  }
  return {
    clock,
    fleet,
    state,
    /** The platform restarts with the new key. */
    async restarted() {
      await clock.advance(60_000);
      platformKey = keys.new;
      await clock.advance(2_000);
    },
    list: async () => parseRolloutState(await through(list.run(state, context()))),
    renew: (id: string, retries = 0) =>
      through(renew.run({ id, retries, rollout: state }, context())) as Promise<InstanceResult>,
    count: async (results: InstanceResult[]) =>
      parseRolloutState(await through(count.run({ ...state, instances: results }, context()))),
  };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (caught) => caught.code,
  );
const answered = (status: number, rest: Partial<HttpResponse> = {}) => ({ status, body: '{}', ...rest });

describe('the list', () => {
  test('holds every active instance once, over all pages, and nothing else of them', async () => {
    const at = world();
    const archived = at.fleet.instances.get('b');
    if (archived !== undefined) archived.status = 'archived';
    expect((await at.list()).instances).toEqual(['a', 'c']);
    expect(at.fleet.calls).toEqual([
      'GET /instances?page=1',
      'GET /instances?page=2',
      'GET /instances?page=3',
    ]);
  });

  test('waits as long as the platform asks for', async () => {
    let refusals = 2;
    const at = world({
      intercept: () => (refusals-- > 0 ? answered(429, { retryAfter: 7 }) : undefined),
    });
    const began = at.clock.now();
    expect((await at.list()).instances).toEqual(['a', 'b', 'c']);
    expect(at.clock.now() - began).toBeGreaterThanOrEqual(14_000);
  });

  test.each([
    ['an error', answered(500), 'InstancesNotListed'],
    ['no JSON', { status: 200, body: 'not JSON' }, 'InstancesNotListed'],
    [
      'an id that would change a path',
      { status: 200, body: '{"instances":[{"id":"../x","status":"online"}]}' },
      'InstancesNotListed',
    ],
    ['429 for ever', answered(429), 'ProbeInconclusive'],
    [
      'more instances than a rollout carries',
      {
        status: 200,
        body: JSON.stringify({
          instances: Array.from({ length: 1_001 }, (_, id) => ({ id, status: 'online' })),
        }),
      },
      'TooManyInstances',
    ],
  ])('is refused when the answer is %s', async (_what, answer, code) => {
    expect(await codeOf(world({ intercept: () => answer }).list())).toBe(code);
  });

  test('does not go round in a circle', async () => {
    const page = JSON.stringify({ instances: [{ id: 'a', status: 'online' }] });
    expect(await codeOf(world({ intercept: () => ({ status: 200, body: page }) }).list())).toBe(
      'InstancesNotListed',
    );
  });
});

describe('one instance', () => {
  test('with a token of the old key is redeployed once, and confirmed', async () => {
    const at = world();
    await at.restarted();
    expect(await at.renew('a')).toEqual({ id: 'a', outcome: 'renewed', attempts: 1 });
    expect(at.fleet.instances.get('a')).toMatchObject({ redeploys: 1, key: keys.new });
  });

  test('that is confirmed already is left alone, whoever renewed it', async () => {
    const at = world();
    await at.restarted();
    await at.renew('a');
    expect(await at.renew('a', 2)).toEqual({ id: 'a', outcome: 'found', attempts: 3 });
    expect(at.fleet.instances.get('a')?.redeploys).toBe(1);
  });

  test('that does not come up fails with its id, and comes up in a later try', async () => {
    const at = world({ failures: () => 2 });
    await at.restarted();
    await expect(at.renew('a')).rejects.toMatchObject({
      code: 'InstanceNotRenewed',
      message: 'The instance a is not renewed: it did not come up.',
    });
    expect(await codeOf(at.renew('a', 1))).toBe('InstanceNotRenewed');
    expect(await at.renew('a', 2)).toEqual({ id: 'a', outcome: 'renewed', attempts: 3 });
  });

  test('is not redeployed twice when the function died between redeploy and confirmation', async () => {
    const at = world({ startTime: 30_000 });
    await at.restarted();
    const answer = await at.fleet.api.send({
      method: 'POST',
      url: `${members.url}/instances/a/redeploy`,
      credential: { secret: 'x', header: 'authorization', prefix: '' },
    });
    expect(answer.status).toBe(202);
    expect(await at.renew('a', 1)).toMatchObject({ outcome: 'renewed', attempts: 2 });
    expect(at.fleet.instances.get('a')?.redeploys).toBe(1);
  });

  test('that flaps is not confirmed before it runs with a new token', async () => {
    let flaps = 3;
    // It says that it is up, and shows no token; then it says that it starts.
    const flapping = ({ url, method }: InstancesCall) => {
      if (method === 'POST' || flaps === 0) return undefined;
      if (url.endsWith('/token')) return answered(409);
      flaps -= 1;
      return { status: 200, body: JSON.stringify({ status: flaps === 1 ? 'deploying' : 'online' }) };
    };
    const at = world({ intercept: flapping });
    await at.restarted();
    expect(await at.renew('a')).toMatchObject({ outcome: 'renewed' });
    expect(at.fleet.instances.get('a')).toMatchObject({ key: keys.new, status: 'online', redeploys: 1 });
  });

  test('that the platform renewed with the old key is redeployed again in the next try', async () => {
    const at = world();
    // The platform was not restarted: what it mints is of the old key, and older than the version.
    expect(await codeOf(world({ budget: 40_000, startTime: 120_000 }).renew('a'))).toBe('InstanceNotRenewed');
    await at.restarted();
    expect(await at.renew('a')).toMatchObject({ outcome: 'renewed' });
  });

  test('that is gone counts as gone', async () => {
    const at = world();
    at.fleet.instances.delete('a');
    expect(await at.renew('a')).toEqual({ id: 'a', outcome: 'gone', attempts: 1 });
  });

  test('is not touched when the version is not current any more', async () => {
    const at = world({ labels: ['AWSPREVIOUS'] });
    expect(await codeOf(at.renew('a'))).toBe('Superseded');
    expect(at.fleet.calls).toEqual([]);
  });
});

describe('the count', () => {
  const renewed = (id: string): InstanceResult => ({ id, outcome: 'renewed', attempts: 1 });
  const failed = (id: string): InstanceResult => ({ id, outcome: 'failed', code: 'InstanceNotRenewed' });

  test('goes on when all are confirmed, without the list', async () => {
    const at = world();
    await at.restarted();
    const state = await at.count(['a', 'b', 'c'].map(renewed));
    expect(state).toEqual({ ...at.state, instancesConfirmed: 3 });
  });

  test('names those that failed', async () => {
    const at = world();
    await at.restarted();
    await expect(at.count([renewed('a'), failed('b'), renewed('c')])).rejects.toMatchObject({
      code: 'InstancesFailed',
      message: '1 of 3 instances do not hold a token of the new key: b.',
    });
  });

  test('names the first 20 of many', async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `i-${index + 10}`);
    const at = world({ ids });
    await at.restarted();
    await expect(at.count(ids.map(failed))).rejects.toMatchObject({
      message: expect.stringMatching(/^25 of 25 .*: i-10, .*i-29 and 5 more\.$/),
    });
  });

  test('does not wait for a failed instance that was taken down', async () => {
    const at = world({ ids: ['a', 'c'] });
    await at.restarted();
    expect(await at.count([renewed('a'), failed('b'), renewed('c')])).toMatchObject({
      instancesConfirmed: 2,
    });
  });

  test('looks at an instance that moved between two pages while the list was read', async () => {
    const at = world();
    await at.restarted();
    await expect(at.count([renewed('a'), renewed('c')])).rejects.toMatchObject({
      message: '1 of 3 instances do not hold a token of the new key: b.',
    });
    await at.renew('b');
    expect(await at.count([renewed('a'), renewed('c')])).toMatchObject({ instancesConfirmed: 3 });
  });

  test('gives way to a later version', async () => {
    const at = world();
    const superseded: InstanceResult = { id: 'a', outcome: 'failed', code: 'Superseded' };
    expect(await codeOf(at.count([superseded]))).toBe('Superseded');
  });
});
