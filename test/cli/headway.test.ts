/** The line that a re-encryption shows while it runs. */
import { expect, test } from 'vitest';
import { bar, drawnHeadway, plainHeadway } from '../../bin/cli/headway.ts';
import type { SliceReport, TargetCount } from '../../lambdas/contract/reencryption.ts';

const table = (counts: Partial<TargetCount>): TargetCount => ({
  target: 'credentials.sealed',
  total: 12_000,
  moved: 0,
  left: 12_000,
  poisoned: 0,
  ...counts,
});
const report = (targets: readonly TargetCount[], extra: Partial<SliceReport> = {}): SliceReport => ({
  finished: false,
  cursor: null,
  targets: [...targets],
  setAside: [],
  ...extra,
});

test.each([
  [0, 100, '[░░░░░░░░░░░░]   0 %'],
  [8, 100, '[░░░░░░░░░░░░]   8 %'],
  [29, 100, '[███░░░░░░░░░]  29 %'],
  [7_440, 12_000, '[███████░░░░░]  62 %'],
  [9_999, 10_000, '[███████████░]  99 %'],
  [6, 6, '[████████████] 100 %'],
  [7, 6, '[████████████] 100 %'],
])('%d of %d is %s', (done, total, shown) => {
  expect(bar(done, total)).toBe(shown);
});

const speed = { rowsPerSecond: 1_200, secondsLeft: 228 };
test.each<[string, SliceReport, string]>([
  [
    'a move, with its speed and the time that it takes yet',
    report([table({ moved: 7_440, left: 4_560 })], { speed }),
    '[███████░░░░░]  62 %  3 m 48 s to go, 7440 of 12000 rows, 4560 left, 1200 rows/s',
  ],
  [
    'a move that has come past rows which nobody can read',
    report([table({ moved: 5_990, left: 6_010, poisoned: 10 })]),
    '[██████░░░░░░]  50 %  6000 of 12000 rows, 6010 left',
  ],
  [
    'a look: what needs another key was looked at, and is left',
    report([table({ left: 11_000, poisoned: 100, under: { old: 4_900, new: 1_000 } })]),
    '[██████░░░░░░]  50 %  6000 of 12000 rows, 11000 left',
  ],
  [
    'several targets, in one bar',
    report([table({ moved: 12_000, left: 0 }), table({ target: 'copies.sealed' })]),
    '[██████░░░░░░]  50 %  12000 of 24000 rows, 12000 left',
  ],
  [
    'a number of rows that the server does not know',
    report([table({ total: null, moved: 7, left: 1, poisoned: 1 })], {
      speed: { rowsPerSecond: 4, secondsLeft: null },
    }),
    '8 of an unknown number of rows, 4 rows/s',
  ],
  [
    'one target of a known number beside one of an unknown',
    report([table({ left: 0, moved: 12_000 }), table({ total: null, left: 0 })]),
    '12000 of an unknown number of rows',
  ],
  [
    'the end',
    report([table({ left: 0, moved: 12_000 })], { finished: true, speed: { ...speed, secondsLeft: 0 } }),
    '[████████████] 100 %  12000 of 12000 rows, 0 left, 1200 rows/s',
  ],
  [
    'the end of an empty table',
    report([table({ total: 0, left: 0 })], { finished: true }),
    '[████████████] 100 %  0 of 0 rows, 0 left',
  ],
  ['nothing known yet', report([]), '0 of an unknown number of rows'],
])('on a terminal: %s', (_what, told, shown) => {
  expect(drawnHeadway(told)).toBe(shown);
});

test('in a pipe: every target, without a bar', () => {
  const targets = [
    table({ moved: 7_440, left: 4_560 }),
    table({ target: 'copies.sealed', total: null, left: 0 }),
  ];
  expect(plainHeadway(report(targets, { speed }))).toBe(
    'credentials.sealed: 7440 moved, 4560 left of 12000; copies.sealed: 0 moved, 0 left of ?, 1200 rows/s, 3 m 48 s to go',
  );
});
