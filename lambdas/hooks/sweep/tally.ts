/** What a slice has counted so far, as its report tells it. */
import type { Clock } from '../../contract/ports.ts';
import {
  listed,
  type SetAside,
  type Slice,
  type SliceReport,
  type TargetCount,
} from '../../contract/reencryption.ts';
import { type Column, targetOf } from './columns.ts';
import type { Cursor } from './cursor.ts';
import type { TableFacts } from './facts.ts';

/** Milliseconds between two words on the progress. */
const tellEvery = 250;

/** Characters of a cursor that a report may hold (`SliceReport`): the texts of a key may be longer. */
const mostCursor = 2_048;

/** Notes that a report holds; a state's payload has an end. */
const mostNotes = 20;
/** Characters of a note (`SliceReport`). */
const mostNote = 400;

export class Tally {
  readonly #slice: Slice;
  readonly #clock: Clock;
  readonly #began: number;
  readonly #targets = new Map<string, TargetCount>();
  /** Rows that no pass has come to yet; null: their number is not known. */
  readonly #unseen = new Map<string, number | null>();
  readonly #estimates = new Map<string, number>();
  readonly #setAside = new Map<string, SetAside[]>();
  #notes: readonly string[] = [];
  #kept: string | null = null;
  #told = Number.NEGATIVE_INFINITY;
  /** Rows gone over by this slice. */
  #rows = 0;
  #before: Cursor;

  constructor(slice: Slice, clock: Clock, start: Cursor) {
    this.#slice = slice;
    this.#clock = clock;
    this.#before = start;
    this.#began = clock.now().getTime();
  }

  note(notes: readonly string[]): void {
    this.#notes = notes.slice(0, mostNotes);
  }

  /** What lies ahead; not what an earlier slice has ended. */
  expect(columns: readonly { readonly column: Column; readonly facts: TableFacts }[]): void {
    for (const { column, facts } of columns) {
      const target = targetOf(column);
      // How much of the table a range is, nobody knows.
      const total = facts.estimatedRows < 0 || this.#slice.range !== undefined ? null : facts.estimatedRows;
      if (this.#targets.has(target)) continue;
      if (total !== null) this.#estimates.set(target, total);
      this.#unseen.set(target, total);
      this.#targets.set(target, { target, total, moved: 0, left: total ?? 0, poisoned: 0 });
    }
  }

  /** @param setAside of the rows since the call before. */
  at(column: Column, cursor: Cursor, setAside: readonly SetAside[]): void {
    this.#set(column, cursor, false);
    const continues = this.#before.pass === cursor.pass && this.#before.column === cursor.column;
    this.#rows += cursor.seen - (continues ? this.#before.seen : 0);
    this.#before = cursor;
    const target = targetOf(column);
    // A pass sees everything again: what was repaired since is no longer set aside.
    const known = continues ? (this.#setAside.get(target) ?? []) : [];
    const all = setAside.length === 0 ? known : listed([...known, ...setAside], this.#slice);
    this.#setAside.set(target, all);
  }

  end(column: Column, cursor: Cursor): void {
    this.#set(column, cursor, true);
    if (cursor.seen === 0) this.#setAside.delete(targetOf(column));
  }

  #set(column: Column, cursor: Cursor, ended: boolean): void {
    const target = targetOf(column);
    const estimate = this.#estimates.get(target) ?? null;
    const unseen =
      ended || cursor.pass > 1 ? 0 : estimate === null ? null : Math.max(0, estimate - cursor.seen);
    this.#unseen.set(target, unseen);
    this.#targets.set(target, {
      target,
      total: ended ? cursor.seen : estimate === null ? null : Math.max(cursor.seen, estimate),
      moved: cursor.moved,
      left: (this.#slice.dryRun ? cursor.found : 0) + cursor.poisoned + (unseen ?? 0),
      poisoned: cursor.poisoned,
      ...(this.#slice.dryRun ? { under: cursor.under } : {}),
    });
  }

  tell(cursor: Cursor, progress: (report: SliceReport) => void): void {
    const now = this.#clock.now().getTime();
    if (now - this.#told < tellEvery) return;
    this.#told = now;
    progress(this.report(cursor));
  }

  /** @param cursor null: finished. */
  report(cursor: Cursor | null): SliceReport {
    const text = cursor === null ? null : JSON.stringify(cursor);
    // A position that is too long to be kept is done again from the last one that was not.
    if (text === null || text.length <= mostCursor) this.#kept = text;
    const seconds = (this.#clock.now().getTime() - this.#began) / 1_000;
    const rowsPerSecond = seconds > 0 ? this.#rows / seconds : 0;
    return {
      finished: cursor === null,
      cursor: this.#kept,
      targets: [...this.#targets.values()],
      setAside: listed([...this.#setAside.values()].flat(), this.#slice),
      notes: [...this.#notes, ...this.#advice()].map((note) => note.slice(0, mostNote)),
      ...(rowsPerSecond === 0
        ? {}
        : {
            speed: {
              rowsPerSecond: Math.round(rowsPerSecond),
              secondsLeft: this.#secondsLeft(rowsPerSecond),
            },
          }),
    };
  }

  #advice(): string[] {
    return [...this.#setAside].flatMap(([target, rows]) =>
      rows.some(({ poison }) => poison === 'unknown-key')
        ? [
            `${target}: rows that no key of the ring opens are under a retired key, as after the restore of a backup, or damaged. Bring that key back from the version that held it (KEYTURN_BEFORE pins the one from before the youngest overlap; older ones have no label and may be deleted), repair or remove the rows, or acknowledge each.`,
          ]
        : [],
    );
  }

  #secondsLeft(rowsPerSecond: number): number | null {
    let rows = 0;
    for (const unseen of this.#unseen.values()) {
      if (unseen === null) return null;
      rows += unseen;
    }
    return Math.ceil(rows / rowsPerSecond);
  }
}
