import { describe, expect, test } from 'vitest';
import { heaviestOf } from './bundles.ts';
import { median } from './median.ts';
import { missed, missedByCredentials, missedByTheSweep } from './targets.ts';

const counted = (calls: number, writes = 2) => ({ calls, writes, connections: 1, steps: {} });
const ours = { name: 'opaque-token', whose: 'keyturn', warm: counted(8), fresh: counted(9) } as const;
const generic = {
  name: 'AWS generic template',
  whose: 'aws',
  warm: counted(10),
  fresh: counted(10),
} as const;
const bundle = { name: 'start', kilobytes: 300, driver: false };
const withDriver = { name: 'stage-reencrypt-postgres', kilobytes: 450, driver: true };

describe('the targets', () => {
  test('numbers at the bars meet them', () => {
    expect(missed([generic, ours], [bundle, withDriver])).toEqual([]);
  });

  test.each([
    [
      'a ninth call on a warm function',
      [{ ...ours, warm: counted(9) }],
      [bundle],
      'opaque-token: a rotation may make at most 8 calls on a warm function; counted were 9.',
    ],
    [
      'a tenth call where finish meets a fresh container',
      [{ ...ours, fresh: counted(10) }],
      [bundle],
      'opaque-token: a rotation may make at most 9 calls where finish meets a fresh container; counted were 10.',
    ],
    [
      'a third write',
      [{ ...ours, fresh: counted(9, 3) }],
      [bundle],
      'opaque-token: a rotation must make 2 writes; counted were 2 and 3.',
    ],
    [
      'a write too few: nothing was moved',
      [{ ...ours, warm: counted(7, 1) }],
      [bundle],
      'opaque-token: a rotation must make 2 writes; counted were 1 and 2.',
    ],
    [
      'a bundle a little too large',
      [ours],
      [{ ...bundle, kilobytes: 300.6 }],
      'start: a bundle may have at most 300 KB; it has 301.',
    ],
    [
      'a bundle with a driver that is a little too large',
      [ours],
      [{ ...withDriver, kilobytes: 450.6 }],
      'stage-reencrypt-postgres: a bundle may have at most 450 KB; it has 451.',
    ],
    [
      'a template that was replayed wrongly',
      [ours, { ...generic, warm: counted(11) }],
      [bundle],
      'AWS generic template: must make 10 calls, or the comparison is not one; counted were 11.',
    ],
    ['nothing counted', [generic], [bundle], 'No rotation of ours was counted.'],
    ['nothing weighed', [ours], [], 'No bundle was weighed.'],
  ])('%s misses one', (_case, calls, bundles, sentence) => {
    expect(missed(calls, bundles)).toEqual([sentence]);
  });
});

describe('the targets of the sweep', () => {
  const met = {
    ratios: { rowByRow: 10, moving: 0.5, batched: 0.5, writesAlone: 0.6, ciphersAlone: 0.2 },
    memory: null,
  };
  const memory = { rows: 200_000, bytes: 100, manyRows: 2_000_000, manyBytes: 110 };

  test('numbers at the bars meet them', () => {
    expect(missedByTheSweep({ ...met, memory })).toEqual([]);
  });

  test.each([
    [
      'nine times',
      { ...met, ratios: { ...met.ratios, rowByRow: 9.94 } },
      'The sweep must be at least 10 times as fast as a loop that commits each row; it was 9.9 times.',
    ],
    [
      'less than six tenths of the writes alone',
      { ...met, ratios: { ...met.ratios, writesAlone: 0.59 } },
      'The sweep must reach at least 60 % of the rate of the writes alone; it reached 59 %.',
    ],
    [
      'nothing measured',
      { ...met, ratios: { ...met.ratios, writesAlone: Number.NaN } },
      'The sweep must reach at least 60 % of the rate of the writes alone; it reached NaN %.',
    ],
    [
      'memory that grows with the rows',
      { ...met, memory: { ...memory, manyBytes: 120 } },
      'A sweep over 2000000 rows may need at most 10 % more memory than one over 200000; it needed 20 % more.',
    ],
  ])('%s misses one', (_case, measured, sentence) => {
    expect(missedByTheSweep(measured)).toEqual([sentence]);
  });
});

test('the packages of a bundle are named by their innermost folder, the heaviest first', () => {
  const inputs = {
    'lambdas/rotation/create.ts': { bytesInOutput: 10 },
    '../main/node_modules/zod/mini/index.js': { bytesInOutput: 20 },
    'node_modules/@smithy/core/dist-es/a.js': { bytesInOutput: 30 },
    'node_modules/@aws-sdk/x/node_modules/@smithy/core/dist-es/b.js': { bytesInOutput: 25 },
    'node_modules/tslib/tslib.es6.mjs': { bytesInOutput: 15 },
  };
  expect(heaviestOf(inputs)).toEqual([
    { package: '@smithy/core', share: 0.55 },
    { package: 'zod', share: 0.2 },
    { package: 'tslib', share: 0.15 },
  ]);
});

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 3, 2], 2.5],
  [[7], 7],
  [[10, 9, 100], 10],
])('the median of %j is %d', (values, expected) => {
  expect(median(values)).toBe(expected);
});

describe('the targets of a database credential', () => {
  const row = { name: 'ours', whose: 'keyturn', strategy: 'single-user', refused: 0 } as const;
  const own = { ...row, warm: counted(8), fresh: counted(9), logins: 3 };
  const template = { ...own, name: 'theirs', whose: 'aws', warm: counted(14), refused: 1 } as const;

  test('numbers at the bars meet them', () => {
    expect(missedByCredentials([template, own])).toEqual([]);
  });

  test.each([
    [
      'a ninth call',
      { ...own, warm: counted(9) },
      'ours: a rotation may make at most 8 calls on a warm function and 9 where finish meets a fresh container; counted were 9 and 9.',
    ],
    [
      'a login more than the template',
      { ...own, logins: 4 },
      "ours: a rotation may log in at most 3 times, as AWS's template, and may never be refused; counted were 4 and 0.",
    ],
    [
      'a refused login',
      { ...own, refused: 1 },
      "ours: a rotation may log in at most 3 times, as AWS's template, and may never be refused; counted were 3 and 1.",
    ],
    [
      'a second connection',
      { ...own, warm: { ...counted(8), connections: 2 } },
      'ours: a rotation may use at most 1 connection to Secrets Manager; counted were 2.',
    ],
    [
      'a third write',
      { ...own, warm: counted(8, 3) },
      'ours: a rotation must make 2 writes; counted were 3.',
    ],
  ])('%s misses one', (_what, changed, sentence) => {
    expect(missedByCredentials([template, changed])).toEqual([sentence]);
  });

  test('a template that was replayed wrongly, and a run without a credential of ours', () => {
    expect(missedByCredentials([{ ...template, logins: 5 }])).toEqual([
      'theirs: must make 14 calls and 3 logins, of which 1 is refused, or the comparison is not one; counted were 14, 5 and 1.',
      'No credential of ours was rotated.',
    ]);
  });
});
