/** The small parts of the reconciler, each by itself. */
import { describe, expect, test } from 'vitest';
import type { Clock } from '../../../lambdas/contract/ports.ts';
import { pace } from '../../../lambdas/reconcile/pace.ts';
import { Rejection } from '../../../lambdas/reconcile/rejection.ts';
import { rolloutsSeen } from '../../../lambdas/reconcile/rollouts-seen.ts';
import { slotOf } from '../../../lambdas/reconcile/slot.ts';
import { executionName } from '../../../lambdas/rollout/start.ts';

describe('a pace', () => {
  test('lets one through every 50 ms, and saves nothing up', async () => {
    let time = 0;
    const slept: number[] = [];
    const clock: Clock = {
      now: () => new Date(time),
      sleep: async (milliseconds) => void slept.push(milliseconds),
    };
    const next = pace(clock, 20);
    await next();
    await next();
    await next();
    expect(slept).toEqual([50, 100]);
    time = 10_000;
    await next();
    await next();
    expect(slept).toEqual([50, 100, 50]);
  });
});

describe('a slot', () => {
  test('is the same every time, within its window, and even over the fleet', () => {
    const window = 1_000;
    const slots = Array.from({ length: 2_000 }, (_, index) => slotOf(`fleet/secret-${index}`, window));
    expect(slots).toEqual(slots.map((_, index) => slotOf(`fleet/secret-${index}`, window)));
    expect(Math.min(...slots)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...slots)).toBeLessThan(window);
    for (let from = 0; from < window; from += 100) {
      const share = slots.filter((slot) => slot >= from && slot < from + 100).length / slots.length;
      expect(share).toBeGreaterThan(0.07);
      expect(share).toBeLessThan(0.13);
    }
  });
});

describe('the rollout of a version', () => {
  const about = { secretId: 'arn:secret', versionId: 'version' };
  const name = (attempt: number) => executionName('A_KEY-2', { ...about, attempt });
  const startedAt = new Date(0);

  test.each([
    ['none at all', {}, null],
    ['one that failed', { FAILED: [1] }, { status: 'FAILED', attempt: 1, startedAt }],
    [
      'one that failed and was resumed',
      { FAILED: [1], RUNNING: [2] },
      { status: 'RUNNING', attempt: 2, startedAt },
    ],
    [
      'one that was resumed twice in vain',
      { FAILED: [1, 3], ABORTED: [2] },
      { status: 'FAILED', attempt: 3, startedAt },
    ],
  ] as const)('%s', async (_what, byStatus: Partial<Record<string, readonly number[]>>, expected) => {
    const rolloutOf = await rolloutsSeen(
      {
        list: async (_machine, status, cursor) => {
          // One execution a page.
          const attempts = byStatus[status] ?? [];
          const index = Number(cursor ?? '0');
          const attempt = attempts[index];
          return {
            executions: attempt === undefined ? [] : [{ name: name(attempt), startedAt }],
            next: index + 1 < attempts.length ? String(index + 1) : null,
          };
        },
      },
      ['arn:machine'],
    );
    expect(rolloutOf('A_KEY-2', about.secretId, about.versionId)).toEqual(expected);
    expect(rolloutOf('A_KEY-2', about.secretId, 'another version')).toBeNull();
  });
});

test('only a failed rotation is a rejection', () => {
  expect(Rejection.safeParse({ id: 'one', 'detail-type': 'Rollout Stalled', detail: {} }).success).toBe(
    false,
  );
});
