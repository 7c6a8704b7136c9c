/** A sweep over all declared columns: one slice of it. */
import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import {
  mostSetAside,
  type ReencryptPorts,
  type SetAside,
  type Slice,
  type SliceReport,
  type TargetCount,
} from '../../contract/reencryption.ts';
import { type Column, codecOfColumn, targetOf } from './columns.ts';
import type { Connection } from './connection.ts';
import { begin, type Cursor, parseCursor } from './cursor.ts';
import { type PaceLimits, paceOf } from './pace.ts';
import { pagesOf } from './pages.ts';
import { runPass } from './pass.ts';
import { demandNoObstacle, factsOf, notesOn, type TableFacts } from './table.ts';

export interface Sweep {
  readonly columns: readonly Column[];
  readonly batch: number;
  readonly limits: PaceLimits;
  readonly random: Random;
  connect(): Promise<Connection>;
}

/** Times that a slice goes on after a connection was lost or the server said "again". */
const mostRetries = 5;

/** Milliseconds before it does, times the number of the try. */
const retryPause = 1_000;

/**
 * Passes over each column until one finds nothing. A dry run looks at everything once and writes nothing.
 *
 * @throws KeyturnError HookRefused before anything was changed, when the declared columns are not what the
 *   database has.
 */
export async function runSweep(sweep: Sweep, slice: Slice, ports: ReencryptPorts): Promise<SliceReport> {
  const progress = new Progress(sweep, slice, ports);
  for (let tried = 0; ; ) {
    try {
      return await progress.goOn();
    } catch (caught) {
      if (!(caught instanceof KeyturnError && caught.retryable) || tried >= mostRetries) throw caught;
      tried += 1;
      await ports.clock.sleep(retryPause * tried);
    }
  }
}

/** Where the slice stands: survives a lost connection, and is told to nobody but the report. */
class Progress {
  readonly #sweep: Sweep;
  readonly #slice: Slice;
  readonly #ports: ReencryptPorts;
  readonly #targets = new Map<string, TargetCount>();
  readonly #setAside = new Map<string, SetAside>();
  readonly #notes: string[] = [];
  #cursor: Cursor;

  constructor(sweep: Sweep, slice: Slice, ports: ReencryptPorts) {
    this.#sweep = sweep;
    this.#slice = slice;
    this.#ports = ports;
    this.#cursor = parseCursor(slice.cursor, sweep.columns.length);
  }

  async goOn(): Promise<SliceReport> {
    const clients: Connection[] = [];
    try {
      for (let opened = 0; opened < 2; opened += 1) clients.push(await this.#sweep.connect());
      const [reader, writer] = clients;
      if (reader === undefined || writer === undefined) throw new TypeError('two connections were opened');
      for (;;) {
        const column = this.#sweep.columns[this.#cursor.column];
        if (column === undefined) return this.#report(true);
        if (!(await this.#pass(column, reader, writer))) return this.#report(false);
      }
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  }

  /** @returns false when the time ran short. */
  async #pass(column: Column, reader: Connection, writer: Connection): Promise<boolean> {
    const { ring, dryRun } = this.#slice;
    const { random, limits, batch } = this.#sweep;
    const facts = await factsOf(column, reader);
    demandNoObstacle(column, facts, !dryRun);
    if (this.#cursor.pass === 1 && this.#cursor.after === null) this.#notes.push(...notesOn(column, facts));
    const cipher = codecOfColumn(column).bind(ring, random, this.#ports.clock);
    const remaining = () => this.#ports.remaining();
    const { cursor, ended } = await runPass(this.#cursor, {
      column,
      ring,
      cipher,
      pages: pagesOf(column, facts.types, reader, writer),
      batch,
      pace: paceOf(limits, writer, this.#ports.clock, remaining),
      writes: !dryRun,
      ports: this.#ports,
      done: (at, setAside) => this.#note(column, facts, at, setAside),
    });
    this.#count(column, facts, cursor, ended);
    if (!ended) return false;
    // What was moved, or changed while it was looked at, may have left something behind.
    const again = !dryRun && cursor.found > 0;
    this.#cursor = again ? begin(cursor.column, cursor.pass + 1, cursor.moved) : begin(cursor.column + 1);
    return true;
  }

  #note(column: Column, facts: TableFacts, cursor: Cursor, setAside: readonly SetAside[]): void {
    this.#cursor = cursor;
    for (const one of setAside) {
      if (this.#setAside.size < mostSetAside) this.#setAside.set(`${one.target} ${one.row}`, one);
    }
    this.#count(column, facts, cursor, false);
    this.#ports.progress(this.#report(false));
  }

  #count(column: Column, { estimatedRows }: TableFacts, cursor: Cursor, ended: boolean): void {
    const target = targetOf(column);
    const unseen = ended ? 0 : Math.max(0, estimatedRows - cursor.seen);
    const found = this.#slice.dryRun ? cursor.found : 0;
    this.#targets.set(target, {
      target,
      total: ended ? cursor.seen : Math.max(cursor.seen, estimatedRows, 0),
      moved: cursor.moved,
      left: found + cursor.poisoned + (cursor.pass === 1 ? unseen : 0),
      poisoned: cursor.poisoned,
    });
  }

  #report(finished: boolean): SliceReport {
    return {
      finished,
      cursor: finished ? null : JSON.stringify(this.#cursor),
      targets: [...this.#targets.values()],
      setAside: [...this.#setAside.values()],
      notes: this.#notes.slice(0, 20),
    };
  }
}
