import { describe, expect, test } from 'vitest';
import { virtualClock, wallClock } from '../../../lib/rehearsal/endpoint/clocks.ts';

describe('the virtual clock', () => {
  test('stands still until it is advanced', async () => {
    const clock = virtualClock({ start: 1_000 });
    expect(clock.now()).toBe(1_000);
    await clock.advance(250);
    expect(clock.now()).toBe(1_250);
  });

  test('runs what is due, earliest first, equal ones in the order they were planned, each at its time', async () => {
    const clock = virtualClock({ start: 0 });
    const seen: string[] = [];
    const note = (name: string) => () => void seen.push(`${name}@${clock.now()}`);
    clock.after(20, note('b'));
    clock.after(10, note('a'));
    clock.after(20, note('c'));
    clock.after(31, note('d'));
    expect(clock.nextAt).toBe(10);
    await clock.advance(30);
    expect(seen).toEqual(['a@10', 'b@20', 'c@20']);
    expect(clock.planned).toBe(1);
  });

  test('waits for promises between two actions, and runs what they plan within the span', async () => {
    const clock = virtualClock({ start: 0 });
    const seen: number[] = [];
    const work = async () => {
      for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
      clock.after(5, () => void seen.push(clock.now()));
    };
    clock.after(10, () => void work());
    await clock.advance(20);
    expect(seen).toEqual([15]);
  });

  test('a cancelled action does not run', async () => {
    const clock = virtualClock();
    clock.after(1, () => expect.fail('it ran'))();
    await clock.advance(10);
    expect(clock.planned).toBe(0);
  });

  test('refuses to go back', async () => {
    await expect(virtualClock().advance(-1)).rejects.toThrow(RangeError);
  });
});

describe('the wall clock', () => {
  test('runs faster by its speed', async () => {
    const clock = wallClock({ speed: 1_000 });
    const start = clock.now();
    await new Promise<void>((resolve) => {
      clock.after(20_000, resolve);
    });
    const passed = clock.now() - start;
    expect(passed).toBeGreaterThanOrEqual(20_000);
    expect(passed).toBeLessThan(2_000_000);
    clock.close();
  });

  test('jumps ahead and runs what became due at once', () => {
    const clock = wallClock();
    const seen: string[] = [];
    clock.after(90 * 86_400_000, () => void seen.push('later'));
    clock.after(3_600_000, () => void seen.push('sooner'));
    clock.after(3_600_000, () => expect.fail('it ran'))();
    clock.advance(91 * 86_400_000);
    expect(seen).toEqual(['sooner', 'later']);
    clock.close();
  });

  test('refuses a speed that is not above 0', () => {
    expect(() => wallClock({ speed: 0 })).toThrow(RangeError);
  });
});
