/**
 * Crash enumeration: every fault at every call of a rotation and its rollout, and pairs of them. Single faults
 * are all played. Of the pairs a sixteenth is drawn by the seed, another one at each seed; KEYTURN_PAIRS=all, as CI
 * sets it, plays every one. A failure names its plan, and the seed replays it.
 */
import { describe, expect, test, vi } from 'vitest';
import { broken, drawn, everyPair, outcome, pairs, seed, span } from './enumerating.ts';
import { faultKinds } from './gate.ts';
import { alternatingUsers, dualPassword, emptySecret, settings, stubbornConsumer } from './settings.ts';

const everySetting = [
  ...settings.map((setting) => [setting.secretClass.id, setting] as const),
  ['opaque-token, empty', emptySecret] as const,
  ['database-credential, alternating users', alternatingUsers] as const,
  ['database-credential, dual password', dualPassword] as const,
  ['signing-key-cutover, with a consumer that cannot use the new key', stubbornConsumer] as const,
];

// CI plays thousands of worlds in one test, beside others on the same cores.
vi.setConfig({ testTimeout: 600_000 });

describe(`one rotation and its rollout (seed ${seed})`, () => {
  test.each(everySetting)('%s completes without faults', async (_id, setting) => {
    const { world, broken } = await outcome(setting, new Map());
    expect(broken).toEqual([]);
    const expected = setting.stubborn === true ? 'rolled-back' : 'completed';
    expect(world.rollouts.map(({ end }) => end)).toEqual([expected]);
    const kept = Object.keys(setting.initial ?? {});
    expect(world.currentDocument()?.names()).toEqual(expect.arrayContaining(kept));
  });
});

describe(`faults at every call (seed ${seed})`, () => {
  test.each(everySetting)('%s: every single fault at every call', async (_id, setting) => {
    const { first, last } = await span(setting);
    expect(last - first).toBeGreaterThan(15);
    const failures: string[] = [];
    for (let call = first; call < last; call += 1) {
      for (const kind of faultKinds) failures.push(...(await broken(setting, new Map([[call, kind]]))));
    }
    expect(failures).toEqual([]);
  });

  test.each(everySetting)(
    `%s: ${everyPair ? 'every pair' : 'a sixteenth of all pairs'} of process and network faults`,
    async (_id, setting) => {
      const { first, last, ownWay } = await span(setting);
      const failures: string[] = [];
      // The rest of the way has been walked in pairs by other settings already.
      for (let one = ownWay ?? first; one < last; one += 1) {
        for (let other = one + 1; other < last + 4; other += 1) {
          for (const [kind, second] of pairs) {
            if (!drawn(one, other, `${kind} ${second}`)) continue;
            const faults = new Map([
              [one, kind],
              [other, second],
            ]);
            failures.push(...(await broken(setting, faults)));
          }
        }
      }
      expect(failures).toEqual([]);
    },
  );
});
