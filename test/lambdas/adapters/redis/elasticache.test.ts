/** ElastiCache's user API alone: a fake that keeps users, applies a change late, and refuses as the service does. */
import {
  type AuthenticationMode,
  DescribeUsersCommand,
  ElastiCacheClient,
  ElastiCacheServiceException,
  ModifyUserCommand,
  type User,
} from '@aws-sdk/client-elasticache';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, test } from 'vitest';
import { elastiCacheUsers } from '../../../../lambdas/adapters/redis/elasticache.ts';
import { KeyturnError } from '../../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';

interface FakeUser {
  readonly name: string;
  type: 'password' | 'no-password' | 'iam';
  /** What the caches let in. */
  passwords: readonly string[];
  status: string;
}

class FakeApi {
  readonly users = new Map<string, FakeUser>();
  /** How often a user that is changed is described as modifying. */
  lasts = 2;
  #left = 0;
  #next: readonly string[] = [];
  modified = 0;

  describe(id: string): { Users: User[] } {
    const user = this.#user(id);
    if (user.status === 'modifying' && this.#left > 0) this.#left -= 1;
    else if (user.status === 'modifying') {
      user.status = 'active';
      user.passwords = this.#next;
    }
    return {
      Users: [
        {
          UserId: id,
          UserName: user.name,
          Status: user.status,
          Authentication: { Type: user.type, PasswordCount: user.passwords.length },
        },
      ],
    };
  }

  modify(id: string, mode: AuthenticationMode | undefined): User {
    const user = this.#user(id);
    if (user.status !== 'active') throw fault('InvalidUserStateFault');
    const passwords = mode?.Passwords ?? [];
    if (mode?.Type !== 'password' || passwords.length > 2)
      throw fault('InvalidParameterCombinationException');
    if (passwords.some((one) => !/^[!-~]{16,128}$/.test(one))) throw fault('InvalidParameterValueException');
    user.status = 'modifying';
    this.modified += 1;
    this.#left = this.lasts;
    this.#next = passwords;
    return { UserId: id, Status: 'modifying' };
  }

  #user(id: string): FakeUser {
    const user = this.users.get(id);
    if (user === undefined) throw fault('UserNotFoundFault');
    return user;
  }
}

const fault = (name: string) =>
  new ElastiCacheServiceException({ name, $fault: 'client', $metadata: {}, message: `canary ${name}` });

const mock = mockClient(ElastiCacheClient);
let api: FakeApi;
let now: number;
const clock = {
  now: () => new Date(now),
  sleep: async (milliseconds: number) => {
    now += milliseconds;
  },
};
beforeEach(() => {
  now = Date.UTC(2026, 0, 1);
  api = new FakeApi();
  api.users.set('shop-app', { name: 'app', type: 'password', passwords: ['a'.repeat(20)], status: 'active' });
  mock.reset();
  mock.onAnyCommand().rejects(new Error('unstubbed'));
  mock.on(DescribeUsersCommand).callsFake(({ UserId }) => api.describe(String(UserId)));
  mock
    .on(ModifyUserCommand)
    .callsFake(({ UserId, AuthenticationMode: mode }) => api.modify(String(UserId), mode));
});
const users = () => elastiCacheUsers(() => new ElastiCacheClient({ region: 'eu-central-1' }), clock);
const app = { userId: 'shop-app', user: 'app' };
const [one, other] = [new Sensitive('b'.repeat(20)), new Sensitive('c'.repeat(40))];
async function refusal(work: Promise<unknown>): Promise<KeyturnError> {
  const caught = await work.then(
    () => null,
    (error: unknown) => error,
  );
  if (caught instanceof KeyturnError) return caught;
  throw new Error('it was not refused');
}

describe('a user of ElastiCache', () => {
  test('gets two passwords, and then one; done when the caches have them', async () => {
    expect(await users().count(app)).toBe(1);
    await users().set(app, [one, other]);
    expect(api.users.get('shop-app')).toMatchObject({
      status: 'active',
      passwords: [one.reveal(), other.reveal()],
    });
    expect(await users().count(app)).toBe(2);
    await users().set(app, [other]);
    expect(api.users.get('shop-app')?.passwords).toEqual([other.reveal()]);
  });

  test('that is still modified is waited for, before a change and after it', async () => {
    api.users.set('shop-app', { name: 'app', type: 'password', passwords: [], status: 'modifying' });
    await users().set(app, [one]);
    expect([api.modified, api.users.get('shop-app')?.passwords]).toEqual([1, [one.reveal()]]);
  });

  test('that stays modified is asked for later', async () => {
    api.lasts = 1_000;
    const error = await refusal(users().set(app, [one]));
    expect([error.code, error.retryable]).toEqual(['TargetNotReady', true]);
    // The step itself has a minute.
    expect(now - Date.UTC(2026, 0, 1)).toBeLessThan(50_000);
  });

  test('that somebody changes in between is asked for later', async () => {
    mock.on(ModifyUserCommand).rejects(fault('InvalidUserStateFault'));
    const error = await refusal(users().set(app, [one]));
    expect([error.code, error.retryable]).toEqual(['TargetNotReady', true]);
  });

  test.each([
    ['there is none of that id', { userId: 'nobody', user: 'app' }, 'AwsNotFound'],
    ['it is of another name', { userId: 'shop-app', user: 'default' }, 'TargetRefused'],
  ] as const)('is not changed where %s', async (_what, managed, code) => {
    expect((await refusal(users().set(managed, [one]))).code).toBe(code);
    expect((await refusal(users().count(managed))).code).toBe(code);
    expect(api.modified).toBe(0);
  });

  test.each(['no-password', 'iam'] as const)(
    'that logs in by %s has no passwords to change',
    async (type) => {
      api.users.set('shop-app', { name: 'app', type, passwords: [], status: 'active' });
      const error = await refusal(users().count(app));
      expect([error.code, error.message]).toEqual(['TargetRefused', expect.stringContaining(type)]);
    },
  );

  test('that is being deleted is not waited for', async () => {
    api.users.set('shop-app', { name: 'app', type: 'password', passwords: [], status: 'deleting' });
    expect((await refusal(users().count(app))).code).toBe('TargetRefused');
  });

  test.each([
    ['InvalidParameterValueException', 'ValueRejected', false],
    ['InvalidParameterCombinationException', 'TargetRefused', false],
    ['ServiceLinkedRoleNotFoundFault', 'TargetRefused', false],
    ['AccessDenied', 'AwsDenied', true],
    ['Throttling', 'AwsThrottled', true],
  ])('%s of the API is %s', async (name, code, retryable) => {
    mock.on(ModifyUserCommand).rejects(fault(name));
    const error = await refusal(users().set(app, [one]));
    expect([error.code, error.retryable]).toEqual([code, retryable]);
    expect([error.message, error.hint].join(' ')).not.toMatch(/canary|bbbbbbbb/);
  });
});
