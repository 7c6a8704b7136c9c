/**
 * Data under keys, what reads and writes it, and the hook that moves it: slices of a page, compare-and-swap by a
 * row's version, rows that nothing can read. A row tells its key's text in place of a ciphertext: what is under test
 * is which key is where and when, not ciphers.
 */
import * as z from 'zod/mini';
import { type KeyRing, keyId } from '../../lambdas/contract/ciphers.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { type KeyRange, rangesBetween } from '../../lambdas/contract/ranges.ts';
import { defineReencrypt, type Slice, type SliceReport } from '../../lambdas/contract/reencryption.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';

export interface Row {
  readonly plain: string;
  /** Text of the key that it is under. */
  readonly under: string;
  /** Grows with every write: what PostgreSQL's xmin is for. */
  readonly written: number;
}

/** The keys of a document, as the application takes it. */
export interface LoadedKeys {
  readonly write: string;
  readonly reads: readonly string[];
}

type Loaded = Readonly<Record<string, string>>;

export interface DataSetting {
  /** Services that restart one after another. */
  readonly consumers: number;
  readonly rows: number;
  /** Every row that a running task must be able to read, or none: the keys of an envelope are read at the start. */
  readonly reads: 'always' | 'at-start';
  keysOf(document: Loaded): LoadedKeys;
  /** Documents with which no task becomes healthy. Default: none. */
  refuses?(document: Loaded): boolean;
  /** How a rollout is to end. Default: completed. */
  readonly ends?: 'completed' | 'rolled-back' | 'stalled';
  /** Rows that no key opens. Default: none. */
  readonly poisoned?: number;
  /** Ranges that the rows are divided into. Default: they are not. */
  readonly ranges?: number;
  /** Rows that one slice counts. Default: all. */
  readonly countRows?: number;
}

/** What goes wrong with the hook itself. */
export interface StoreFaults {
  /** The next cursor is lost, or is one from before. */
  cursor: 'kept' | 'lost' | 'stale';
  /** A second worker runs beside each slice. */
  beside: boolean;
  /** The first range fails, each time that it has come to its second page. */
  failingRange: boolean;
}
export const noStoreFaults: StoreFaults = { cursor: 'kept', beside: false, failingRange: false };

/** Rows that the consumers write all the time; the others only the hook moves. */
const hotRows = 2;

const garbage = 'under no key';

export class Store {
  readonly rows = new Map<string, Row>();
  readonly faults: StoreFaults = { ...noStoreFaults };
  /** Reads that a running task could not make. */
  readonly failedReads: string[] = [];
  /** Row -> what its writer was told to be stored. */
  readonly acknowledged = new Map<string, string>();
  readonly #setting: DataSetting;
  #tasks: readonly Loaded[] = [];
  #turn = 0;
  #swaps = 0;
  #written = 0;

  constructor(setting: DataSetting, initial: Loaded) {
    this.#setting = setting;
    const { write } = setting.keysOf(initial);
    for (let index = 0; index < setting.rows; index += 1)
      this.#write(`row-${index}`, `first ${index}`, write);
    for (let index = 0; index < (setting.poisoned ?? 0); index += 1) {
      this.rows.set(`poisoned-${index}`, { plain: '', under: garbage, written: 0 });
    }
  }

  /** One round of the consumers: each task reads every row, and one of them writes one. */
  work(consumers: readonly (readonly Loaded[])[]): void {
    const tasks = consumers.flat();
    this.#tasks = tasks;
    if (this.#setting.reads === 'at-start' || tasks.length === 0) return;
    for (const task of tasks) {
      const { reads } = this.#setting.keysOf(task);
      for (const [id, { under }] of this.rows) {
        if (under !== garbage && !reads.includes(under)) this.failedReads.push(id);
      }
    }
    this.#turn += 1;
    this.#writeBy(tasks, `row-${this.#turn % hotRows}`);
  }

  /** One of the tasks writes a row, under the key that it started with. */
  #writeBy(tasks: readonly Loaded[], id: string): void {
    const writer = tasks[this.#turn % tasks.length];
    if (writer === undefined || this.#setting.reads === 'at-start') return;
    this.#write(id, `turn ${this.#turn}`, this.#setting.keysOf(writer).write);
  }

  get sizes(): StorePort['sizes'] {
    const { ranges = 1, countRows = Number.POSITIVE_INFINITY } = this.#setting;
    return { ranges, countRows };
  }

  /** Rows after this one, in the order of their ids. */
  page(after: string | null, count: number): (Row & { id: string })[] {
    return [...this.rows]
      .map(([id, row]) => ({ id, ...row }))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .filter(({ id }) => after === null || id > after)
      .slice(0, count);
  }

  /** Compare-and-swap. */
  swap(id: string, seen: Row, under: string): boolean {
    this.#swaps += 1;
    // Now and then a consumer writes the very row between its read and its update.
    if (this.#swaps % 3 === 0) this.#writeBy(this.#tasks, id);
    const row = this.rows.get(id);
    if (row === undefined || row.written !== seen.written) return false;
    this.#written += 1;
    this.rows.set(id, { plain: seen.plain, under, written: this.#written });
    return true;
  }

  /** Rows that some key opens and that are not under this one. */
  notUnder(key: string): string[] {
    return [...this.rows].flatMap(([id, { under }]) => (under === key || under === garbage ? [] : [id]));
  }

  #write(id: string, plain: string, under: string): void {
    this.#written += 1;
    this.rows.set(id, { plain, under, written: this.#written });
    this.acknowledged.set(id, plain);
  }
}

export interface StorePort {
  page(after: string | null, count: number): Promise<readonly (Row & { id: string })[]>;
  swap(id: string, seen: Row, under: string): Promise<boolean>;
  readonly options: StoreFaults;
  /** Hears of every slice before it is worked on. */
  given(slice: Slice): void;
  readonly sizes: { readonly ranges: number; readonly countRows: number };
}

const pageRows = 2;
const target = 'rows';

export const storeHook = defineReencrypt<{ readonly kind: 'memory' }, StorePort>({
  kind: 'memory',
  hook: z.object({ kind: z.literal('memory') }),
  check: () => null,
  statements: () => [],
  credentials: () => [],

  async divide(_hook, _slice, port) {
    if (port.sizes.ranges === 1) return null;
    const rows = await port.page(null, Number.POSITIVE_INFINITY);
    const step = Math.ceil(rows.length / port.sizes.ranges);
    const ends = rows.filter((_, index) => index % step === step - 1).slice(0, port.sizes.ranges - 1);
    const ranges = rangesBetween(
      target,
      ends.map(({ id }) => [id]),
    );
    return { ranges, atOnce: 2 };
  },

  async run(_hook, whole, port) {
    port.given(whole);
    const { ring, cursor, range } = whole;
    const from = found(cursor, port.options);
    const work = () => (range === undefined ? slice(ring, from, port) : rangeSlice(ring, from, port, range));
    const [report] = await Promise.all([work(), ...(port.options.beside ? [work()] : [])]);
    return report;
  },

  async count(_hook, whole, port) {
    port.given(whole);
    const { ring, cursor, work } = whole;
    const at = countedTo(cursor, work);
    const rows = await port.page(at.after, port.sizes.countRows);
    const left = rows.filter((row) => keyOf(row, ring) !== ring.write);
    const poisoned = left.filter((row) => keyOf(row, ring) === undefined);
    const sums = { left: at.left + left.length, poisoned: at.poisoned + poisoned.length };
    const finished = rows.length < port.sizes.countRows;
    const next = { work, after: rows.at(-1)?.id ?? null, ...sums };
    return {
      finished,
      cursor: finished ? null : JSON.stringify(next),
      targets: [{ target, total: null, moved: 0, ...sums }],
      setAside: poisoned.map(({ id }) => ({ target, row: id, poison: 'unknown-key' })),
    };
  },
});

function countedTo(cursor: string | null, work: Slice['work']) {
  const nothing = { after: null, left: 0, poisoned: 0 };
  if (cursor === null) return nothing;
  const at = JSON.parse(cursor);
  return at.work === work ? at : nothing;
}

/** What a slice finds as its cursor: once, another one than the slice before left. */
function found(cursor: string | null, faults: StoreFaults): string | null {
  if (cursor === null || faults.cursor === 'kept') return cursor;
  const wrong = faults.cursor === 'lost' ? null : 'row-0';
  faults.cursor = 'kept';
  return wrong;
}

/** The rows of a range are gone over once. */
async function rangeSlice(
  ring: KeyRing,
  from: string | null,
  port: StorePort,
  { after, upTo }: KeyRange,
): Promise<SliceReport> {
  if (port.options.failingRange && after === null && from !== null) {
    throw new KeyturnError({
      code: 'ReencryptionFailed',
      message: 'The range cannot be reached.',
      retryable: true,
    });
  }
  const page = await port.page(from ?? after?.[0] ?? null, pageRows);
  const rows = page.filter(({ id }) => upTo === null || id <= (upTo[0] ?? ''));
  let moved = 0;
  for (const row of rows) {
    if (row.under === ring.write.text.reveal() || keyOf(row, ring) === undefined) continue;
    if (await port.swap(row.id, row, ring.write.text.reveal())) moved += 1;
  }
  const finished = rows.length < pageRows;
  const cursor = finished ? null : (rows.at(-1)?.id ?? null);
  return { finished, cursor, targets: [{ target, total: null, moved, left: 0, poisoned: 0 }], setAside: [] };
}

async function slice(ring: KeyRing, from: string | null, port: StorePort): Promise<SliceReport> {
  const rows = await port.page(from, pageRows);
  for (const row of rows) {
    if (row.under !== ring.write.text.reveal() && keyOf(row, ring) !== undefined) {
      await port.swap(row.id, row, ring.write.text.reveal());
    }
  }
  const last = rows.at(-1)?.id ?? null;
  const all = await port.page(null, Number.POSITIVE_INFINITY);
  const movable = all.some((row) => row.under !== ring.write.text.reveal() && keyOf(row, ring) !== undefined);
  const atEnd = last === null || all.at(-1)?.id === last;
  // A pass that ends begins anew while anything is left that it could move.
  return counted(all, ring, !movable, atEnd ? null : last);
}

function keyOf({ under }: Row, { write, others }: KeyRing) {
  const id = keyId(new Sensitive(under));
  return [write, ...others].find((key) => key.id === id);
}

function counted(
  rows: readonly (Row & { id: string })[],
  ring: KeyRing,
  finished: boolean,
  cursor: string | null,
): SliceReport {
  const left = rows.filter((row) => keyOf(row, ring) !== ring.write);
  const poisoned = left.filter((row) => keyOf(row, ring) === undefined);
  return {
    finished,
    cursor: finished ? null : cursor,
    targets: [{ target, total: rows.length, moved: 0, left: left.length, poisoned: poisoned.length }],
    setAside: poisoned.map(({ id }) => ({ target, row: id, poison: 'unknown-key' })),
  };
}
