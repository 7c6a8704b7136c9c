/** Whole rotations of a Redis password, with the stages after them, on a real server. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { random } from '../../../lambdas/adapters/platform.ts';
import { connectRedis, type RedisClient } from '../../../lambdas/adapters/redis/connect.ts';
import { redisTarget } from '../../../lambdas/adapters/redis/target.ts';
import { secretClass } from '../../../lambdas/classes/redis-credential.ts';
import { completedTag } from '../../../lambdas/contract/marks.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { StageContext, StageDefinition } from '../../../lambdas/contract/stage.ts';
import type { Target, TargetPorts } from '../../../lambdas/contract/target.ts';
import { parseDsn } from '../../../lambdas/dsn/dsn.ts';
import { stage as disable } from '../../../lambdas/rollout/disable.ts';
import { stage as drain } from '../../../lambdas/rollout/drain.ts';
import { stage as prove } from '../../../lambdas/rollout/prove.ts';
import { noRedis, type Redis, startRedis } from '../../../lib/rehearsal/redis.ts';
import { Account } from './account.ts';

const absent = noRedis();
const missing = absent === null ? '' : ` (not run: ${absent})`;

let server: Redis;
let root: RedisClient;
const target: Target = redisTarget({
  clock: { now: () => new Date() },
  warn: () => {},
  managed: {
    count: () => Promise.reject(new Error('no user is managed here')),
    set: () => Promise.reject(new Error('no user is managed here')),
  },
});
let masterPassword = 'password-of-the-master';
const tls = () => ({ authorities: { pem: server.ca ?? '' } });
const login = (user: string, password: string) => ({
  engine: 'redis' as const,
  host: 'localhost',
  port: server.port,
  user,
  password: new Sensitive(password),
  database: '0',
  tls: tls(),
});
const reconnected = async () => {
  root = await connectRedis(login('root', 'password-of-root'));
};

beforeAll(async () => {
  if (absent !== null) return;
  server = await startRedis();
  const first = await connectRedis(login('default', server.password));
  await first.send('ACL', 'SETUSER', 'root', 'on', '>password-of-root', '~*', '&*', '+@all');
  await first.send('ACL', 'SETUSER', 'master', 'on', `>${masterPassword}`, '+@all', '-@write', '-@read');
  await first.send('ACL', 'SAVE');
  await first.end();
  await reconnected();
}, 60_000);
afterAll(async () => {
  await root?.end();
  await server?.stop();
});

const accounts: Account[] = [];
const pools: RedisClient[] = [];
afterEach(async () => {
  for (const one of pools.splice(0)) await one.end();
  for (const one of accounts.splice(0)) one.close();
});

const ports: TargetPorts = { target, credential: async () => new Sensitive(masterPassword) };
const admin = { user: 'master', password: { secret: 'master', member: 'password' } };

/** A secret of the default user, or of one with the rights of an application and an administrator beside it. */
async function account(kind: 'default' | 'named', options: object = {}): Promise<Account> {
  const made = new Account(
    {
      url: 'REDIS_URL',
      copies: ['QUEUE_URL'],
      tls: tls(),
      ...(kind === 'named' ? { admin } : {}),
      ...options,
    },
    ports,
    secretClass,
  );
  accounts.push(made);
  const password = randomUUID();
  const user = kind === 'default' ? 'default' : `u${randomUUID().slice(0, 8)}`;
  const rights = kind === 'default' ? '+@all' : '+@read +@write +@connection +@transaction -client -@admin';
  await root.send('ACL', 'SETUSER', user, 'on', 'resetpass', `>${password}`, '~*', ...rights.split(' '));
  // The default user may go unnamed.
  const front = kind === 'default' ? '' : user;
  const url = (database: number) =>
    `rediss://${front}:${password}@localhost:${server.port}/${database}?family=4`;
  return made.created(JSON.stringify({ REDIS_URL: url(0), QUEUE_URL: url(1) }));
}

function loginIn(of: Account, version = 'AWSCURRENT') {
  const { user, password } = parseDsn(of.document(version).value('REDIS_URL'));
  return login(user ?? 'default', password?.reveal() ?? '');
}
/** Whether a consumer that reads this version could log in now. */
async function works(of: Account, version = 'AWSCURRENT'): Promise<boolean> {
  return connectRedis(loginIn(of, version)).then(
    (client) => client.end().then(() => true),
    () => false,
  );
}
async function pool(of: Account, name: string): Promise<RedisClient> {
  const client = await connectRedis(loginIn(of));
  await root.send('CLIENT', 'LIST');
  await client.attempt('CLIENT', 'SETNAME', name);
  pools.push(client);
  return client;
}

/** One stage of the rollout of what is current. */
function run(of: Account, stage: StageDefinition): Promise<unknown> {
  const idOf = (label: string) => of.versions().find(({ labels }) => labels.includes(label))?.id ?? null;
  const context = {
    settings: of.settings,
    self: 'arn:aws:lambda:eu-central-1:111122223333:function:stage',
    ports: {
      ...ports,
      classes: new Map([[secretClass.id, secretClass]]),
      secrets: of.secrets,
      clock: { now: () => new Date() },
      log: () => {},
    },
    remaining: () => 60_000,
  } as unknown as StageContext;
  const state = {
    schema: 1,
    secretId: of.arn,
    versionId: idOf('AWSCURRENT'),
    previousVersionId: idOf('AWSPREVIOUS'),
    plan: 'second-credential',
    publishedAt: new Date().toISOString(),
  };
  return stage.run(state, context);
}
async function completed(of: Account): Promise<void> {
  await run(of, disable);
  await run(of, disable);
  expect(await run(of, prove)).toMatchObject({ oldValueRefused: true });
  const current = of.versions().find(({ labels }) => labels.includes('AWSCURRENT'))?.id ?? '';
  await of.asOperator('TagResource', { Tags: [{ Key: completedTag, Value: current }] });
}

describe.skipIf(absent !== null)(`a Redis password${missing}`, () => {
  test.each([['default'], ['named']] as const)('%s user: five rotations without a gap', async (kind) => {
    const shop = await account(kind);
    const passwords = new Set<string>();
    for (let time = 1; time <= 5; time += 1) {
      const worked: boolean[] = [];
      shop.before = async () => {
        worked.push(await works(shop));
      };
      const open = await pool(shop, 'worker');
      await shop.rotate();
      expect([time, worked]).toEqual([time, [true, true, true, true]]);
      expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, true]);
      await expect(run(shop, drain)).rejects.toMatchObject({ code: 'OldValueInUse' });
      await open.end();
      await vi.waitUntil(
        () =>
          run(shop, drain).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      );
      await completed(shop);
      expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, false]);
      passwords.add(loginIn(shop).password.reveal());
    }
    const url = shop.document().value('REDIS_URL').reveal();
    expect(url).toMatch(kind === 'default' ? /^rediss:\/\/:/ : /^rediss:\/\/u/);
    expect(url).toMatch(/\/0\?family=4$/);
    expect(shop.document().value('QUEUE_URL').reveal()).toBe(url.replace('/0?', '/1?'));
    const user = (await root.send('ACL', 'GETUSER', loginIn(shop).user)) as unknown[];
    expect([passwords.size, (user[3] as string[]).length]).toEqual([5, 1]);
    // What the server has stored is what works.
    await server.restart();
    await reconnected();
    expect([await works(shop), await works(shop, 'AWSPREVIOUS')]).toEqual([true, false]);
    const seen = [server.log(), shop.printed.join('\n'), await server.stored()].join('\n');
    for (const password of passwords) expect(seen).not.toContain(password);
  });

  test('what was open with the old password is ended when the deployment says so', async () => {
    const shop = await account('named', { endSessionsAfterMinutes: 1 });
    const open = await pool(shop, 'forgotten-job');
    await shop.rotate();
    const bound = secretClass.bind(shop.settings.secrets[0]?.options, ports);
    const documents = {
      document: shop.document(),
      old: shop.document('AWSPREVIOUS'),
      since: { at: new Date(), mark: null },
    };
    expect(await bound.oldValue?.uses(documents)).toEqual([{ by: '127.0.0.1', sessions: 1 }]);
    // Sessions from before the rotation only.
    await bound.oldValue?.endUses({ ...documents, since: { at: new Date(Date.now() - 60_000), mark: null } });
    expect(await open.send('PING')).toBe('PONG');
    await bound.oldValue?.endUses(documents);
    await expect(open.send('PING')).rejects.toMatchObject({ code: 'TargetUnreachable' });
    expect(await bound.oldValue?.uses(documents)).toEqual([]);
  });

  test('every step twice, and once more in a fresh container', async () => {
    const shop = await account('named');
    const repeated: boolean[] = [];
    let depth = 0;
    shop.before = async (step) => {
      if (depth > 0) return;
      depth += 1;
      const token = shop.run?.token ?? '';
      repeated.push((await shop.step(step, token)).ok);
      shop.recycle();
      repeated.push((await shop.step(step, token)).ok);
      depth -= 1;
    };
    await shop.rotate();
    expect(repeated).toEqual(Array.from({ length: 8 }, () => true));
    expect(await works(shop)).toBe(true);
  });

  test('a rotation that is cancelled after set leaves what is current as it is, and the next one ends well', async () => {
    const shop = await account('default');
    shop.before = (step) => {
      if (step === 'testSecret') throw new Error('the function is not deployed');
    };
    const lost = await shop.begin();
    await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
    await shop.asOperator('CancelRotateSecret');
    await shop.asOperator('UpdateSecretVersionStage', {
      VersionStage: 'AWSPENDING',
      RemoveFromVersionId: lost,
    });
    expect([await works(shop), await works(shop, lost)]).toEqual([true, true]);
    shop.before = () => {};
    await shop.asOperator('RotateSecret', {
      RotationLambdaARN: 'arn:aws:lambda:eu-central-1:111122223333:function:rotation',
      ClientRequestToken: randomUUID(),
    });
    await shop.until('succeeded');
    await completed(shop);
    expect([await works(shop), await works(shop, 'AWSPREVIOUS'), await works(shop, lost)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('the server starts again between set and test', async () => {
    const shop = await account('named');
    let restarted = false;
    shop.before = async (step) => {
      if (step !== 'testSecret' || restarted) return;
      restarted = true;
      await server.restart();
      await reconnected();
    };
    // Of the users, those that were saved.
    await root.send('ACL', 'SAVE');
    await shop.rotate();
    expect([restarted, await works(shop)]).toEqual([true, true]);
  });

  test('a password that was changed by hand, and is in no version that has a label, is looked for', async () => {
    const shop = await account('default');
    await shop.rotate();
    await completed(shop);
    const typed = shop
      .document()
      .value('REDIS_URL')
      .reveal()
      .replace(/:[^:@]*@/, ':typed-by-somebody@');
    const QUEUE_URL = typed.replace('/0?', '/1?');
    for (let time = 0; time < 2; time += 1) {
      await shop.asOperator('PutSecretValue', {
        ClientRequestToken: randomUUID(),
        SecretString: JSON.stringify({ REDIS_URL: typed, QUEUE_URL }),
      });
    }
    expect(await works(shop)).toBe(false);
    await shop.rotate();
    expect(await works(shop)).toBe(true);
  });

  test('an administrator who is not let in is named, and what is current goes on working', async () => {
    const shop = await account('named');
    masterPassword = 'another-one';
    try {
      await shop.begin();
      await vi.waitUntil(() => shop.failures().length > 0, { timeout: 20_000 });
      expect(shop.failures()[0]).toBe('AdministratorRejected');
    } finally {
      masterPassword = 'password-of-the-master';
    }
    await shop.until('succeeded');
    expect(await works(shop)).toBe(true);
  });

  test('rights that are declared are asked of the pending login', async () => {
    const keys = [{ key: 'bull:jobs', commands: ['SET', 'EVAL'] }];
    const shop = await account('named', { keys });
    expect([shop.run?.status, shop.failures()]).toEqual(['failed', ['PrivilegeMissing']]);
    expect(shop.printed.join()).toContain('it lacks EVAL on bull:jobs');
  });

  test('set finds what an earlier try had done, and has it saved where that one had not', async () => {
    const shop = await account('default');
    const bound = secretClass.bind(shop.settings.secrets[0]?.options, ports);
    const current = shop.document();
    const changes = await bound.create({ current, supplied: null, random });
    const document = current.with(changes, { schema: 1, class: secretClass.id, base: null });
    const earlier = async function* () {};
    const password = changes.get('REDIS_URL')?.split(/[:@]/)[2] ?? '';
    await root.send('ACL', 'SAVE');
    // It was cut off before the server saved it.
    await root.send('ACL', 'SETUSER', 'default', `>${password}`);
    expect(await bound.set?.({ document, current, earlier })).toBe('found');
    await server.restart();
    await reconnected();
    expect(await bound.accepts?.(document)).toBe(true);
    const next = await bound.create({ current: document, supplied: null, random });
    const another = document.with(next, { schema: 1, class: secretClass.id, base: null });
    expect(await bound.set?.({ document: another, current: document, earlier })).toBe('changed');
    expect(await bound.set?.({ document: another, current: document, earlier })).toBe('found');
  });

  test.each([
    ['another host', (url: string) => url.replace('localhost', '127.0.0.1'), 'hosts'],
    ['another database', (url: string) => url.replace('/0?', '/3?'), 'database'],
    ['another user', (url: string) => url.replace('rediss://:', 'rediss://app:'), 'user'],
  ])('a pending value with %s is refused, and nothing is sent', async (_what, changed, part) => {
    const shop = await account('default');
    let logins = 0;
    const counting: TargetPorts = {
      ...ports,
      target: {
        login: (one) => {
          logins += 1;
          return target.login(one);
        },
      },
    };
    const bound = secretClass.bind(shop.settings.secrets[0]?.options, counting);
    const current = shop.document();
    const url = changed(current.value('REDIS_URL').reveal());
    const document = current.with(new Map([['REDIS_URL', url]]), { schema: 1, class: 'any', base: null });
    const error = await bound
      .set?.({ document, current, earlier: async function* () {} })
      .catch((one) => one);
    expect([error.code, error.message, logins]).toEqual(['ValueRejected', expect.stringContaining(part), 0]);
  });
});
