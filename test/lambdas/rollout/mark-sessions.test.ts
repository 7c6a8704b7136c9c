/** Which mark a rollout goes by: that of its own publication, and of no earlier one of the same version. */
import { expect, test } from 'vitest';
import { secretClass } from '../../../lambdas/classes/redis-credential.ts';
import { sessionsTag } from '../../../lambdas/contract/marks.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { StageContext } from '../../../lambdas/contract/stage.ts';
import { stage } from '../../../lambdas/rollout/mark-sessions.ts';
import { FakeServer } from '../classes/fake-server.ts';

const secretId = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/redis-AbCdEf';
const state = {
  schema: 1,
  secretId,
  versionId: 'second',
  previousVersionId: 'first',
  plan: 'second-credential',
  publishedAt: '2026-11-21T12:00:00.000Z',
};
const now = Date.parse('2026-11-21T12:05:00.000Z');

async function run(noted: string | null) {
  const server = new FakeServer({ default: 'current' });
  server.time = () => now;
  const tags = new Map(noted === null ? [] : [[sessionsTag, noted]]);
  const context = {
    settings: {
      secrets: [{ key: 'REDIS_URL', id: secretId, class: secretClass.id, options: { url: 'REDIS_URL' } }],
    },
    self: 'arn:aws:lambda:eu-central-1:111122223333:function:stage',
    ports: {
      ...server.ports,
      classes: new Map([[secretClass.id, secretClass]]),
      clock: { now: () => new Date(now) },
      secrets: {
        describe: async () => ({ tags, labels: new Map([['second', ['AWSCURRENT']]]) }),
        read: async () => ({
          value: new Sensitive('{"REDIS_URL":"rediss://:current@cache.example.com"}'),
          labels: ['AWSCURRENT'],
        }),
        tag: async (_id: string, written: ReadonlyMap<string, string>) => {
          for (const [name, value] of written) tags.set(name, value);
        },
      },
    },
  } as unknown as StageContext;
  const { sessionMark } = (await stage.run(state, context)) as { sessionMark?: string };
  return { sessionMark, tag: tags.get(sessionsTag), logins: server.logins.length };
}

const fresh = {
  sessionMark: `${now}@server`,
  tag: `second 2026-11-21T12:05:00.000Z ${now}@server`,
  logins: 0,
};

test.each([
  ['nothing was marked', null],
  ['another version was', 'first 2026-11-21T12:01:00.000Z 7@server'],
  ['it was, when it was current before and was rolled back', 'second 2026-11-21T11:59:59.000Z 7@server'],
  ['a tag that somebody wrote says nothing', 'second'],
])('%s: the sessions are marked now', async (_what, noted) => {
  expect(await run(noted)).toEqual(fresh);
});

test('it was marked since it became current: that mark holds, whatever has been opened since', async () => {
  const noted = 'second 2026-11-21T12:00:10.000Z 7@server';
  expect(await run(noted)).toEqual({ sessionMark: '7@server', tag: noted, logins: 0 });
});
