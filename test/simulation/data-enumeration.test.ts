/**
 * Crash enumeration of keys that stored data is under: every fault at every call, on the way forward and on the ways
 * back; and pairs of them for the class whose consumers are stopped meanwhile.
 */
import { describe, expect, test, vi } from 'vitest';
import { dataSettings, divided, keyring, single, versioned, withData } from './data-settings.ts';
import { broken, drawn, drawnAlone, everyPair, pairs, seed, span } from './enumerating.ts';
import { faultKinds } from './gate.ts';
import type { Setting } from './world.ts';

// CI plays hundreds of worlds in one test, beside others on the same cores.
vi.setConfig({ testTimeout: 600_000 });

const before = String(keyring.initial?.KEY);
const refusesToWrite = withData(keyring, { refuses: ({ KEY }) => KEY !== before, ends: 'rolled-back' });
const refusesToAccept = withData(keyring, {
  refuses: ({ ACCEPTED }) => ACCEPTED !== '',
  ends: 'rolled-back',
});

const everySetting: readonly (readonly [string, Setting])[] = [
  ...dataSettings.map((setting) => [setting.secretClass.id, setting] as const),
  ['encryption-keyring, in ranges and slices', divided],
  ['encryption-keyring, with consumers that cannot write with the new key', refusesToWrite],
  ['encryption-keyring, with consumers that cannot accept it', refusesToAccept],
  [
    'versioned-encryption-key, with consumers that cannot write with the new key',
    withData(versioned, { refuses: ({ VERSION }) => VERSION !== '1', ends: 'rolled-back' }),
  ],
];

const isLook = (call: string | undefined) => call === 'DescribeServices' || call === 'DescribeTasks';

describe(`faults at every call, with data (seed ${seed})`, () => {
  test.each(everySetting)(
    `%s: ${everyPair ? 'every' : 'a third of all'} single faults at every call`,
    async (_id, setting) => {
      const { first, last, ownWay, trace } = await span(setting);
      expect(last - first).toBeGreaterThan(35);
      // The way there is that of the settings above.
      const isLate = setting === divided || setting.data?.ends === 'rolled-back';
      const from = isLate ? (ownWay ?? first) : first;
      const failures: string[] = [];
      for (let call = from; call < last; call += 1) {
        // Of looks at a consumer that follow one another, the first and the last.
        if (isLook(trace[call]) && isLook(trace[call - 1]) && isLook(trace[call + 1])) continue;
        for (const kind of faultKinds) {
          if (drawnAlone(call, kind)) failures.push(...(await broken(setting, new Map([[call, kind]]))));
        }
      }
      expect(failures).toEqual([]);
    },
  );

  test(`encryption-key: ${everyPair ? 'every pair' : 'a sixteenth of all pairs'} of process and network faults`, async () => {
    const { first, last, ownWay } = await span(single);
    const failures: string[] = [];
    for (let one = ownWay ?? first; one < last; one += 1) {
      for (let other = one + 1; other < last + 4; other += 1) {
        for (const [kind, second] of pairs) {
          if (!drawn(one, other, `${kind} ${second}`)) continue;
          failures.push(
            ...(await broken(
              single,
              new Map([
                [one, kind],
                [other, second],
              ]),
            )),
          );
        }
      }
    }
    expect(failures).toEqual([]);
  });
});
