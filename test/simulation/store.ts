/**
 * Data under keys, what reads and writes it, and the hook that moves it: slices of a page, compare-and-swap by a
 * row's version, rows that nothing can read. A row tells its key's text in place of a ciphertext: what is under test
 * is which key is where and when, not ciphers.
 */
import * as z from 'zod/mini';
import { type KeyRing, keyId } from '../../lambdas/contract/ciphers.ts';
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
}

/** What goes wrong with the hook itself. */
export interface StoreFaults {
  /** The next cursor is lost, or is one from before. */
  cursor: 'kept' | 'lost' | 'stale';
  /** A second worker runs beside each slice. */
  beside: boolean;
}
export const noStoreFaults: StoreFaults = { cursor: 'kept', beside: false };

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
}

const pageRows = 2;

export const storeHook = defineReencrypt<{ readonly kind: 'memory' }, StorePort>({
  kind: 'memory',
  hook: z.object({ kind: z.literal('memory') }),
  check: () => null,
  statements: () => [],
  credentials: () => [],

  async run(_hook, whole, port) {
    port.given(whole);
    const { ring, cursor } = whole;
    const from = found(cursor, port.options);
    const [report] = await Promise.all([
      slice(ring, from, port),
      ...(port.options.beside ? [slice(ring, from, port)] : []),
    ]);
    return report;
  },

  async count(_hook, whole, port) {
    port.given(whole);
    const { ring } = whole;
    const rows = await port.page(null, Number.POSITIVE_INFINITY);
    return counted(rows, ring, true, null);
  },
});

/** What a slice finds as its cursor: once, another one than the slice before left. */
function found(cursor: string | null, faults: StoreFaults): string | null {
  if (cursor === null || faults.cursor === 'kept') return cursor;
  const wrong = faults.cursor === 'lost' ? null : 'row-0';
  faults.cursor = 'kept';
  return wrong;
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
  const target = 'rows';
  return {
    finished,
    cursor: finished ? null : cursor,
    targets: [{ target, total: rows.length, moved: 0, left: left.length, poisoned: poisoned.length }],
    setAside: poisoned.map(({ id }) => ({ target, row: id, poison: 'unknown-key' })),
  };
}
