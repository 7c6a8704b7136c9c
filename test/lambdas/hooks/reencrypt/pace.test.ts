/** How a sweep waits: for its own limit, and for a server that is behind. */
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../../../lambdas/hooks/sweep/connection.ts';
import { paceOf } from '../../../../lambdas/hooks/sweep/pace.ts';

/** A server whose replica catches up, and whose sessions end, as time goes by. */
function world({ lagUntil = 0, busyUntil = 0 } = {}) {
  let now = 0;
  const asked: number[] = [];
  const clock = {
    now: () => new Date(now),
    sleep: async (milliseconds: number) => {
      now += milliseconds;
    },
  };
  const client: Connection = {
    async query() {
      asked.push(now);
      return {
        rows: [{ lag: now < lagUntil ? '11.5' : '0.2', active: now < busyUntil ? '9' : '1' }],
        changed: 0,
      };
    },
    end: async () => {},
  };
  return { clock, client, asked, pass: (milliseconds: number) => (now += milliseconds), now: () => now };
}

const none = { rowsPerSecond: undefined, replicaLagSeconds: 10, activeSessions: undefined };

describe('a sweep', () => {
  test('takes as long as its rows per second ask for, whatever it has needed itself', async () => {
    const { clock, client, now, pass } = world();
    const pace = paceOf({ ...none, rowsPerSecond: 500 }, client, clock, () => 60_000);
    await pace.after(1_000);
    expect(now()).toBe(2_000);
    pass(1_500);
    await pace.after(1_000);
    expect(now()).toBe(4_000);
  });

  test('does not outwait its time', async () => {
    const { clock, client, now } = world();
    await paceOf({ ...none, rowsPerSecond: 1 }, client, clock, () => 3_000).after(1_000);
    expect(now()).toBe(3_000);
  });

  test('waits until the slowest replica has caught up', async () => {
    const { clock, client, now, pass } = world({ lagUntil: 5_000 });
    const pace = paceOf(none, client, clock, () => 60_000);
    pass(1_000);
    await pace.after(10);
    expect(now()).toBe(5_000);
  });

  test('ends its slice rather than wait for a replica past it', async () => {
    const { clock, client, now, pass } = world({ lagUntil: 1_000_000 });
    const pace = paceOf(none, client, clock, () => 10_000 - now());
    pass(1_000);
    await pace.after(10);
    expect(now()).toBe(9_500);
  });

  test('waits for active sessions only where it was told to', async () => {
    const { clock, client, now, pass } = world({ busyUntil: 4_000 });
    pass(1_000);
    const told = paceOf({ ...none, activeSessions: 8 }, client, clock, () => 60_000);
    const untold = paceOf(none, client, clock, () => 60_000);
    pass(1_000);
    await untold.after(10);
    expect(now()).toBe(2_000);
    await told.after(10);
    expect(now()).toBe(4_000);
  });

  test('asks the server once a second at most', async () => {
    const { clock, client, asked, pass } = world();
    const pace = paceOf(none, client, clock, () => 60_000);
    for (let page = 0; page < 100; page += 1) {
      pass(50);
      await pace.after(1_000);
    }
    expect(asked).toEqual([1_000, 2_000, 3_000, 4_000, 5_000]);
  });
});
