/** A credential of a server that takes the old and the new one: what a rollout waits for, and what it does not go back to. */
import { describe, expect, test } from 'vitest';
import type { StageContext } from '../../lambdas/contract/stage.ts';
import { stage as rollBack } from '../../lambdas/rollout/roll-back.ts';
import { Checker } from './invariants.ts';
import { alternatingUsers, dualPassword } from './settings.ts';
import { type Setting, secretName, World } from './world.ts';

const hour = 3_600_000;

async function started(setting: Setting = alternatingUsers) {
  const checker = new Checker();
  const world = new World(setting, new Map(), 7, checker.check);
  await world.start();
  const server = world.database?.server;
  if (server === undefined) throw new Error('this world has no server');
  return { world, server, checker };
}
const job = (user: string) => ({ user, by: 'nightly-job', openedAt: new Date(0) });

describe('a session that nobody declared', () => {
  test('keeps the old login alive until it ends, and is named', async () => {
    const { world, server, checker } = await started();
    server.sessions.push(job('app_a'));
    await world.rotate();
    await world.clock.advance(2 * hour);
    expect(world.rollouts.map(({ end, entered }) => [end, entered.at(-1)])).toEqual([[null, 'drain']]);
    expect(world.printed.join()).toContain('are still open at its target: nightly-job (1).');
    expect(server.passwords.has('app_a')).toBe(true);
    server.sessions = [];
    await world.clock.advance(6 * hour);
    checker.atEnd(world);
    expect([checker.broken, world.rollouts.map(({ end }) => end), [...server.passwords.keys()]]).toEqual([
      [],
      ['completed'],
      ['app_b'],
    ]);
  });

  test('is ended where the deployment gives it so long', async () => {
    const options = { ...alternatingUsers.options, endSessionsAfterMinutes: 60 };
    const { world, server, checker } = await started({ ...alternatingUsers, options });
    server.sessions.push(job('app_a'));
    await world.rotate();
    await world.clock.advance(0.9 * hour);
    expect(server.sessions).toHaveLength(1);
    await world.clock.advance(9 * hour);
    checker.atEnd(world);
    expect([checker.broken, world.rollouts.map(({ end }) => end), server.sessions]).toEqual([
      [],
      ['completed'],
      [],
    ]);
  });

  test('makes another rotation wait, which then needs nobody to clear the way', async () => {
    const { world, server, checker } = await started();
    server.sessions.push(job('app_a'));
    await world.rotate();
    await world.clock.advance(hour);
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.printed.join()).toContain('must be over before it rotates again');
    expect(world.versions().flatMap(({ labels }) => labels)).not.toContain('AWSPENDING');
    server.sessions = [];
    await world.clock.advance(12 * hour);
    checker.atEnd(world);
    expect([checker.broken, world.rollouts[0]?.end]).toEqual([[], 'completed']);
    expect(await world.rotate()).toBe(true);
    await world.clock.advance(6 * hour);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed', 'completed']);
  });
});

describe('a server that does not tell when a session began', () => {
  test.each([
    ['after the consumers restarted', 4],
    ['while they do', 3],
    ['before anything was marked', 2],
  ])('a rollout that was cut off %s and is resumed takes the new sessions for new', async (_when, at) => {
    const { world, server } = await started(dualPassword);
    world.abortAt = at;
    await world.rotate();
    await world.clock.advance(hour);
    world.resume();
    await world.clock.advance(6 * hour);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['aborted', 'completed']);
    expect([server.passwords.size, server.retained.size]).toEqual([1, 0]);
  });

  test('nothing can be marked: no consumer restarts, and the value before comes back', async () => {
    const { world, server } = await started(dualPassword);
    const first = world.currentId();
    server.faults.push({ at: 'mark', code: 'TargetRefused' });
    await world.rotate();
    await world.clock.advance(6 * hour);
    expect([world.rollouts.map(({ end }) => end), world.currentId()]).toEqual([['rolled-back'], first]);
    expect(world.rollouts[0]?.entered.slice(0, 3)).toEqual(['settle', 'mark-sessions', 'roll-back']);
  });
});

describe('going back', () => {
  test('before anything was taken away: the value before works, and the next rotation too', async () => {
    const { world, server, checker } = await started({ ...alternatingUsers, stubborn: true });
    const first = world.currentId();
    await world.rotate();
    await world.clock.advance(6 * hour);
    checker.atEnd(world);
    expect([checker.broken, world.rollouts.map(({ end }) => end), world.currentId()]).toEqual([
      [],
      ['rolled-back'],
      first,
    ]);
    expect(server.passwords.has('app_a')).toBe(true);
    expect(await world.rotate()).toBe(true);
    await world.clock.advance(6 * hour);
    expect(checker.broken).toEqual([]);
    expect(server.pairs.map(({ user, other }) => `${other} -> ${user}`)).toEqual([
      'app_a -> app_b',
      'app_a -> app_b',
    ]);
  });

  test('is refused once the value before was taken away, as a rollout that is resumed then may try', async () => {
    const { world } = await started();
    world.abortAt = 7;
    await world.rotate();
    await world.clock.advance(6 * hour);
    expect(world.rollouts.map(({ end, entered }) => [end, entered.at(-1)])).toEqual([['aborted', 'prove']]);
    const current = world.currentId();
    const description = { ...(await world.asOperator('DescribeSecret', { SecretId: secretName })) };
    const tags = (description.Tags ?? []) as { Key: string; Value: string }[];
    const context = {
      settings: {
        secrets: [{ key: 'SECRET', id: secretName, restorable: true, class: 'database-credential' }],
      },
      self: 'arn:aws:lambda:eu-central-1:111122223333:function:rotation',
      ports: {
        clock: { now: () => new Date() },
        secrets: {
          describe: async () => ({
            labels: new Map([[current, ['AWSCURRENT']]]),
            tags: new Map(tags.map(({ Key, Value }) => [Key, Value])),
          }),
        },
      },
    } as unknown as StageContext;
    await expect(rollBack.run(world.rollouts[0]?.last, context)).rejects.toMatchObject({
      code: 'NotRestorable',
      message: `The value of SECRET before version ${current} was taken away at its target: nobody could log in with it.`,
    });
    world.resume();
    await world.clock.advance(6 * hour);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['aborted', 'completed']);
  });
});
