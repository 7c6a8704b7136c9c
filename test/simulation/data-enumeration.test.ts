/**
 * Crash enumeration of keys that stored data is under: every fault at every call, on the way forward and on both ways
 * back; and pairs of them for the class whose platform reads with several keys.
 */
import { describe, expect, test } from 'vitest';
import { dataSettings, keyring, versioned, withData } from './data-settings.ts';
import { broken, drawn, everyPair, pairs, seed, span } from './enumerating.ts';
import { faultKinds } from './gate.ts';
import type { Setting } from './world.ts';

const first = String(keyring.initial?.KEY);
const refusesToWrite = withData(keyring, { refuses: ({ KEY }) => KEY !== first, ends: 'rolled-back' });
const refusesToAccept = withData(keyring, {
  refuses: ({ ACCEPTED }) => ACCEPTED !== '',
  ends: 'rolled-back',
});

const everySetting: readonly (readonly [string, Setting])[] = [
  ...dataSettings.map((setting) => [setting.secretClass.id, setting] as const),
  ['encryption-keyring, with consumers that cannot write with the new key', refusesToWrite],
  ['encryption-keyring, with consumers that cannot accept it', refusesToAccept],
  [
    'versioned-encryption-key, with consumers that cannot write with the new key',
    withData(versioned, { refuses: ({ VERSION }) => VERSION !== '1', ends: 'rolled-back' }),
  ],
];

describe(`faults at every call, with data (seed ${seed})`, () => {
  test.each(everySetting)('%s: every single fault at every call', async (_id, setting) => {
    const { first: from, last } = await span(setting);
    expect(last - from).toBeGreaterThan(35);
    const failures: string[] = [];
    for (let call = from; call < last; call += 1) {
      for (const kind of faultKinds) failures.push(...(await broken(setting, new Map([[call, kind]]))));
    }
    expect(failures).toEqual([]);
  });

  test(`encryption-keyring: ${everyPair ? 'every pair' : 'a part of the pairs'} of process and network faults`, async () => {
    const { first: from, last } = await span(keyring);
    const failures: string[] = [];
    for (let one = from; one < last; one += 1) {
      for (let other = one + 1; other < last + 4; other += 1) {
        for (const [kind, second] of pairs) {
          // An eighth of an eighth: this way is the longest of all.
          if (!drawn(one, other, `${kind} ${second}`) || !drawn(other, one, `${second} ${kind}`)) continue;
          failures.push(
            ...(await broken(
              keyring,
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
