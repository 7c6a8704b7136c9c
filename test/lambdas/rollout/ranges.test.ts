/** The stages that move and count data, slice by slice and range by range, over a hook that keeps state. */
import { describe, expect, test } from 'vitest';
import * as z from 'zod/mini';
import { keyId } from '../../../lambdas/contract/ciphers.ts';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import type { LogLine, SecretVersion } from '../../../lambdas/contract/ports.ts';
import { type Division, mostRanges, rangesBetween } from '../../../lambdas/contract/ranges.ts';
import {
  acknowledgedTag,
  defineReencrypt,
  rowId,
  type Slice,
  type SliceReport,
} from '../../../lambdas/contract/reencryption.ts';
import {
  parseRolloutState,
  type RangeItem,
  type RangeResult,
  type RolloutState,
} from '../../../lambdas/contract/rollout-state.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type { StageContext, StageDefinition } from '../../../lambdas/contract/stage.ts';
import { stage as countLeft } from '../../../lambdas/rollout/count-left.ts';
import { stage as reencrypt } from '../../../lambdas/rollout/reencrypt.ts';
import { stage as sweepRange } from '../../../lambdas/rollout/sweep-range.ts';
import { stage as verify } from '../../../lambdas/rollout/verify.ts';
import { keyring } from '../../simulation/data-settings.ts';

const secretId = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/key-AbCdEf';
const keyText = (byte: number) => `${Buffer.alloc(32, byte).toString('base64url')}=`;

/** What the hook does next: it answers in turn, and is asked for what it was given. */
interface Wanted {
  readonly division?: Division | null;
  readonly reports?: readonly (SliceReport | KeyturnError)[];
  /** By hook; default: as many as one. */
  readonly hooks?: number;
  readonly tags?: Readonly<Record<string, string>>;
  readonly remaining?: () => number;
}

function world(wanted: Wanted = {}) {
  const slices: Slice[] = [];
  const asked: string[] = [];
  const lines: LogLine[] = [];
  const reports = [...(wanted.reports ?? [])];
  let now = Date.UTC(2026, 0, 5, 12);
  const answer = async (slice: Slice): Promise<SliceReport> => {
    slices.push(slice);
    const next = reports.shift() ?? done();
    if (next instanceof KeyturnError) throw next;
    return next;
  };
  const hook = defineReencrypt<{ readonly kind: 'told' }, null>({
    kind: 'told',
    hook: z.object({ kind: z.literal('told') }),
    check: () => null,
    statements: () => [],
    credentials: () => [],
    async divide() {
      asked.push('divide');
      return wanted.division ?? null;
    },
    run: (_hook, slice) => answer(slice),
    count: (_hook, slice) => answer(slice),
  });
  const version = (versionId: string): SecretVersion => ({
    versionId,
    labels: versionId === 'v2' ? ['AWSCURRENT'] : ['AWSPREVIOUS'],
    createdAt: new Date(0),
    value: new Sensitive(JSON.stringify({ KEY: keyText(versionId === 'v3' ? 3 : 2), ACCEPTED: keyText(1) })),
  });
  const context: StageContext = {
    settings: {
      schema: 1,
      deployment: 'shop',
      platform: 'shop',
      secrets: [
        {
          key: 'KEY',
          id: secretId,
          class: keyring.secretClass.id,
          options: keyring.options,
          plan: 'overlap-and-reencrypt',
          restorable: true,
          window: null,
          cutover: false,
          together: false,
          consumers: [],
          reencrypt: Array.from({ length: wanted.hooks ?? 1 }, () => ({ kind: 'told' })),
          probe: null,
        },
      ],
    },
    self: 'arn:aws:lambda:eu-west-1:111122223333:function:stage',
    remaining: wanted.remaining ?? (() => 840_000),
    ports: {
      secrets: {
        read: async (_id: string, id: string) => version(id),
        describe: async () => ({ tags: new Map(Object.entries(wanted.tags ?? {})) }),
      },
      classes: new Map([[keyring.secretClass.id, keyring.secretClass]]),
      consumers: new Map(),
      reencryption: new Map([['told', hook.connect(null)]]),
      clock: {
        now: () => {
          now += 1_000;
          return new Date(now);
        },
        sleep: async () => {},
      },
      log: (line: LogLine) => void lines.push(line),
    } as unknown as StageContext['ports'],
  };
  const run = async (stage: StageDefinition, input: unknown) =>
    // What Step Functions hands on is text.
    parseRolloutState(JSON.parse(JSON.stringify(await stage.run(input, context))));
  const sweep = async (input: unknown) =>
    JSON.parse(JSON.stringify(await sweepRange.run(input, context))) as RangeItem;
  return { run, sweep, slices, asked, lines };
}

const state: RolloutState = {
  schema: 1,
  secretId,
  versionId: 'v2',
  previousVersionId: 'v1',
  plan: 'overlap-and-reencrypt',
  publishedAt: '2026-01-05T12:00:00.000Z',
  attempt: 1,
};
const row = (n: number) => ({ target: 'rows', row: String(n), poison: 'truncated' });
const told = (extra: Partial<SliceReport>, counts: object = {}): SliceReport => ({
  finished: false,
  cursor: 'at 1',
  targets: [{ target: 'rows', total: null, moved: 0, left: 0, poisoned: 0, ...counts }],
  setAside: [],
  ...extra,
});
const done = (counts: object = {}, extra: Partial<SliceReport> = {}) =>
  told({ finished: true, cursor: null, ...extra }, counts);
const division: Division = { ranges: rangesBetween('rows', [['5'], ['9']]), atOnce: 2 };
const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => null,
    ({ code, message }: KeyturnError) => ({ code, message }),
  );

describe('reencrypt', () => {
  test('divides what is large before it moves anything, once', async () => {
    const { run, slices, asked, lines } = world({ division });
    const divided = await run(reencrypt, state);
    expect(divided).toMatchObject({ rangesAtOnce: 2, reencryption: { finished: false, divided: 0 } });
    expect(divided.ranges).toEqual(
      division.ranges.map((range) => ({
        finished: false,
        hook: 0,
        range,
        cursor: null,
        moved: 0,
        slices: 0,
        rollout: state,
      })),
    );
    expect(slices).toEqual([]);
    const results: RangeResult[] = [
      { target: 'rows', outcome: 'swept', moved: 4 },
      { target: 'rows', outcome: 'failed', moved: 1, code: 'TargetUnreachable' },
      { target: 'rows', outcome: 'swept', moved: 5 },
    ];
    const { ranges: _swept, ...rest } = divided;
    const after = await run(reencrypt, { ...rest, ranges: results });
    expect(asked).toEqual(['divide']);
    expect(slices).toHaveLength(1);
    expect(slices[0]?.range).toBeUndefined();
    expect(after).not.toHaveProperty('ranges');
    expect(after).not.toHaveProperty('rangesAtOnce');
    expect(after.reencryption).toMatchObject({
      finished: true,
      targets: [{ moved: 10 }],
      ranges: [{ target: 'rows', swept: 2, failed: 1, moved: 10, code: 'TargetUnreachable' }],
    });
    expect(lines).toContainEqual(
      expect.objectContaining({
        message: expect.stringContaining('failed'),
        count: 1,
        code: 'TargetUnreachable',
      }),
    );
  });

  test('tells each range of the version that was given up: its rows may be under that one’s key', async () => {
    const back = { ...state, rolledBackFrom: 'v3', lastProvenVersionId: 'v2' };
    const { ranges } = await world({ division }).run(reencrypt, back);
    const { lastProvenVersionId: _reached, ...identity } = back;
    expect(ranges?.map((range) => ('rollout' in range ? range.rollout : null))).toEqual(
      division.ranges.map(() => identity),
    );
  });

  test('begins at once where nothing is large: a stage more is not come to', async () => {
    const { run, slices, asked } = world({ reports: [told({}), done({ moved: 3 })] });
    const first = await run(reencrypt, state);
    expect(first).not.toHaveProperty('ranges');
    const second = await run(reencrypt, first);
    expect(asked).toEqual(['divide']);
    expect(slices.map(({ cursor }) => cursor)).toEqual([null, 'at 1']);
    expect(second.reencryption).toMatchObject({ finished: true, slices: 2 });
  });

  test('divides anew what an execution that was stopped had not swept, and asks each hook', async () => {
    const { run, asked } = world({ division: null, hooks: 2 });
    const rollout = state;
    const item: RangeItem = {
      finished: false,
      hook: 0,
      range: division.ranges[0] ?? { target: '', after: null, upTo: null },
      cursor: null,
      moved: 0,
      slices: 0,
      rollout,
    };
    const reencryption = {
      finished: false,
      hook: 0,
      cursor: null,
      slices: 0,
      targets: [],
      setAside: [],
      divided: 0,
    };
    const first = await run(reencrypt, { ...state, reencryption, ranges: [item], rangesAtOnce: 2 });
    expect(first.reencryption).toMatchObject({ finished: false, hook: 1 });
    await run(reencrypt, first);
    expect(asked).toEqual(['divide', 'divide']);
  });

  test('lists the rows that a person has to look at next: none that is acknowledged, and no more than a state holds', async () => {
    const rows = Array.from({ length: 130 }, (_, index) => row(index));
    const tags = { [`${acknowledgedTag}1`]: [0, 1, 2].map((n) => rowId('rows', String(n))).join(' ') };
    const { run, slices } = world({
      tags,
      reports: [done({ left: 130, poisoned: 130 }, { setAside: rows })],
    });
    const { reencryption } = await run(reencrypt, state);
    expect(slices[0]?.acknowledged?.size).toBe(3);
    expect(reencryption?.setAside.map(({ row }) => row)).toEqual(
      Array.from({ length: 100 }, (_, index) => String(index + 3)),
    );
    expect(reencryption?.targets).toMatchObject([{ poisoned: 130 }]);
  });

  test('keeps the state far below 256 KiB with the longest names that there may be', async () => {
    const long = '\u{1F511}'.repeat(100);
    const rows = Array.from({ length: 600 }, (_, n) => ({
      target: long,
      row: `${n}${long}`.slice(0, 200),
      poison: long,
    }));
    const places = Array.from({ length: mostRanges - 1 }, (_, n) => [`${n}${long}`, long.slice(0, 20)]);
    const ranges = rangesBetween('rows', places);
    const { run } = world({ division: { ranges, atOnce: 4 }, reports: [told({ setAside: rows })] });
    const divided = await run(reencrypt, state);
    const moving = await run(reencrypt, { ...divided, ranges: undefined });
    const whole = { ...moving, ranges: divided.ranges };
    expect(Buffer.byteLength(JSON.stringify(whole))).toBeLessThan(100 * 1024);
  });
});

describe('sweep-range', () => {
  const [, range] = division.ranges;
  const item = { finished: false, hook: 0, range, cursor: null, moved: 0, slices: 0, rollout: state };

  test('moves its range slice after slice, each from where the one before has come to', async () => {
    const { sweep, slices } = world({ reports: [told({}, { moved: 3 }), done({ moved: 5 })] });
    const first = await sweep(item);
    expect(first).toEqual({ ...item, cursor: 'at 1', moved: 3, slices: 1 });
    expect(await sweep(first)).toEqual({ ...item, finished: true, moved: 5, slices: 2 });
    expect(slices.map(({ cursor, range: of, dryRun }) => [cursor, of, dryRun])).toEqual([
      [null, range, false],
      ['at 1', range, false],
    ]);
  });

  test('knows the keys of a version that was given up', async () => {
    const { sweep, slices } = world();
    await sweep({ ...item, rollout: { ...state, rolledBackFrom: 'v3' } });
    await sweep(item);
    const given = keyId(new Sensitive(keyText(3)));
    expect(slices.map(({ ring }) => ring.others.some(({ id }) => id === given))).toEqual([true, false]);
  });

  test('moves nothing for a version that is not current any more', async () => {
    const { sweep, slices } = world();
    await expect(sweep({ ...item, rollout: { ...state, versionId: 'v1' } })).rejects.toMatchObject({
      code: 'Superseded',
    });
    expect(slices).toEqual([]);
  });
});

describe('count-left', () => {
  test('counts in slices, and goes on only when the whole count is at its end', async () => {
    const { run, slices } = world({ reports: [told({}), told({ cursor: 'at 2' }), done()] });
    let at = await run(countLeft, state);
    expect(at.count).toMatchObject({ finished: false, slices: 1 });
    at = await run(countLeft, at);
    expect(at.count).toMatchObject({ finished: false, slices: 2 });
    at = await run(countLeft, at);
    expect(at.count).toMatchObject({ finished: true, slices: 3 });
    expect(slices.map(({ cursor }) => cursor)).toEqual([null, 'at 1', 'at 2']);
    expect(new Set(slices.map(({ work }) => work)).size).toBe(1);
    expect(slices.every(({ dryRun }) => dryRun)).toBe(true);
  });

  test('counts every hook within one invocation where there is time, and else in the next', async () => {
    const quick = world({ hooks: 3 });
    expect((await quick.run(countLeft, state)).count).toMatchObject({ finished: true, slices: 3 });
    const short = world({ hooks: 3, remaining: () => 20_000 });
    const first = await short.run(countLeft, state);
    expect(first.count).toMatchObject({ finished: false, hook: 1, slices: 1 });
  });

  test('fails with all that is left, of every slice and of every hook, also under one name', async () => {
    const { run } = world({
      hooks: 2,
      reports: [told({}, { left: 3 }), done({ left: 4 }), done({ left: 2 })],
    });
    const first = await run(countLeft, state);
    expect(await failureOf(run(countLeft, first))).toEqual({
      code: 'DataLeft',
      message: '6 data of KEY still need another key than the one that they are to be under.',
    });
  });

  test('remembers what an earlier slice has counted to its end, when a later one does not tell of it', async () => {
    const ended = { target: 'ended', total: 9, moved: 0, left: 1, poisoned: 0 };
    const { run } = world({ reports: [told({ targets: [ended] }), done()] });
    const first = await run(countLeft, state);
    expect(await failureOf(run(countLeft, first))).toMatchObject({
      message: expect.stringMatching(/^1 data/),
    });
  });

  test.each<[string, Partial<Pick<RolloutState, 'versionId' | 'rolledBackFrom' | 'attempt'>>]>([
    ['of another version', { versionId: 'v1' }],
    ['of another way', { rolledBackFrom: 'v3' }],
    ['of another attempt', { attempt: 2 }],
  ])('begins anew over a count %s: it may be of other data', async (_of, now) => {
    const { run } = world({ reports: [told({}, { left: 7 })] });
    const stale = (await run(countLeft, state)).count;
    if (stale === undefined) throw new Error('nothing was counted');
    const other = { ...stale, startedAt: '2026-01-05T11:00:00.000Z', ...now };
    const { run: again, slices } = world();
    const next = await again(countLeft, { ...state, count: other });
    expect(slices.map(({ cursor }) => cursor)).toEqual([null]);
    expect(next.count).toMatchObject({ finished: true, versionId: 'v2', rolledBackFrom: null, attempt: 1 });
    expect(next.count?.startedAt).not.toBe(other.startedAt);
  });

  test('begins anew after the consumers were verified, and over a count that had ended', async () => {
    const { run, slices } = world({ reports: [told({}), done(), done()] });
    const half = await run(countLeft, state);
    const verified = await run(verify, half);
    expect(verified).not.toHaveProperty('count');
    const whole = await run(countLeft, verified);
    const again = await run(countLeft, whole);
    expect(slices.map(({ cursor }) => cursor)).toEqual([null, null, null]);
    expect(new Set([half, whole, again].map(({ count }) => count?.startedAt)).size).toBe(3);
  });

  test('never goes on without end over a count that gets no further', async () => {
    const { run } = world({ reports: [told({ cursor: null })] });
    expect(await failureOf(run(countLeft, state))).toMatchObject({ code: 'ReencryptionFailed' });
  });

  test('takes a row as acknowledged by its own id alone, over all slices, and names the first of the others', async () => {
    const setAside = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => row(from + index));
    const reports = () => [
      told({ setAside: setAside(0, 4) }, { left: 4, poisoned: 4 }),
      done({ left: 130, poisoned: 130 }, { setAside: setAside(4, 104) }),
    ];
    const counted = async (acknowledged: readonly number[]) => {
      const tags = {
        [`${acknowledgedTag}1`]: acknowledged.map((n) => rowId('rows', String(n))).join(' '),
        [`${acknowledgedTag}2`]: rowId('others', '5'),
      };
      const { run } = world({ tags, reports: reports() });
      const first = await run(countLeft, state);
      return failureOf(run(countLeft, first));
    };
    expect(await counted([])).toEqual({
      code: 'DataLeft',
      message:
        '130 data of KEY still need another key than the one that they are to be under; cannot be read: rows 0 (truncated), rows 1 (truncated), rows 2 (truncated), rows 3 (truncated), rows 4 (truncated) and 125 more.',
    });
    expect(await counted([0, 3, 7])).toMatchObject({
      message: expect.stringMatching(/^127 data .* rows 1 .*, rows 2 .*, rows 4 .* and 122 more\.$/),
    });
  });

  test('ends when each single row that cannot be read is acknowledged', async () => {
    const all = [0, 1, 2].map((n) => rowId('rows', String(n))).join(' ');
    const { run } = world({
      tags: { [`${acknowledgedTag}1`]: all },
      reports: [
        told({ setAside: [row(0), row(1)] }, { left: 2, poisoned: 2 }),
        done({ left: 3, poisoned: 3 }, { setAside: [row(2)] }),
      ],
    });
    const first = await run(countLeft, state);
    expect((await run(countLeft, first)).count).toMatchObject({ finished: true });
  });
});
