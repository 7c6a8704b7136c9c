/** A sweep over all declared columns: one slice of it. */

import type { Cipher } from '../../contract/ciphers.ts';
import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import type { ReencryptPorts, Slice, SliceReport } from '../../contract/reencryption.ts';
import { type Column, codecOfColumn, targetOf } from './columns.ts';
import type { Connection } from './connection.ts';
import { begin, type Cursor, parseCursor, workOf } from './cursor.ts';
import { factsOf, type TableFacts } from './facts.ts';
import { OwnWrites } from './own-writes.ts';
import { type PaceLimits, paceOf } from './pace.ts';
import { pagesOf } from './pages.ts';
import { demandRightCodec, runPass } from './pass.ts';
import { demandNoObstacle, notesOn } from './plan-check.ts';
import { Tally } from './tally.ts';

export interface Sweep {
  readonly columns: readonly Column[];
  readonly batch: number;
  readonly limits: PaceLimits;
  readonly random: Random;
  connect(): Promise<Connection>;
}

/** Times in a row that a slice goes on, without having got further, after a connection was lost or the server said "again". */
const mostRetries = 5;

/** Milliseconds before it does, times the number of the try. */
const retryPause = 1_000;

/** Passes of one slice over a column that all find something: somebody else takes the writes back. */
const mostPasses = 20;

/** Milliseconds before a pass, from the third one on: whoever still writes under another key is given time. */
const passPause = 500;

/**
 * Passes over each column until one finds nothing. A dry run looks at everything once and writes nothing.
 *
 * @throws KeyturnError HookRefused before anything was changed, when one of the declared columns is not what the
 *   database has; ReencryptionFailed when a column does not come to an end.
 */
export async function runSweep(sweep: Sweep, slice: Slice, ports: ReencryptPorts): Promise<SliceReport> {
  const work = new Work(sweep, slice, ports);
  let stood = work.position();
  for (let tried = 0; ; ) {
    try {
      return await work.goOn();
    } catch (caught) {
      if (work.position() !== stood) tried = 0;
      stood = work.position();
      if (!(caught instanceof KeyturnError && caught.retryable) || tried >= mostRetries) throw caught;
      tried += 1;
      await ports.clock.sleep(retryPause * tried);
    }
  }
}

/** A column that nothing keeps from being swept. */
interface Ready {
  readonly column: Column;
  readonly facts: TableFacts;
  readonly cipher: Cipher;
}

/** One slice: what it knows survives a lost connection, and is told to nobody but the report. */
class Work {
  readonly #sweep: Sweep;
  readonly #slice: Slice;
  readonly #ports: ReencryptPorts;
  readonly #work: string;
  readonly #tally: Tally;
  #passes = 0;
  #cursor: Cursor;

  constructor(sweep: Sweep, slice: Slice, ports: ReencryptPorts) {
    this.#sweep = sweep;
    this.#slice = slice;
    this.#ports = ports;
    this.#work = workOf(sweep.columns, slice);
    this.#cursor = parseCursor(slice.cursor, this.#work, sweep.columns.length);
    this.#tally = new Tally(slice.dryRun, ports.clock, this.#cursor);
  }

  position(): string {
    return JSON.stringify(this.#cursor);
  }

  async goOn(): Promise<SliceReport> {
    const clients: Connection[] = [];
    try {
      for (let opened = 0; opened < 2; opened += 1) clients.push(await this.#sweep.connect());
      const [reader, writer] = clients;
      if (reader === undefined || writer === undefined) throw new TypeError('two connections were opened');
      const ready = await this.#prepare(reader);
      let own = new OwnWrites();
      for (;;) {
        const next = ready[this.#cursor.column];
        if (next === undefined) return this.#tally.report(null);
        const inTime = await this.#pass(next, own, reader, writer);
        if (ready[this.#cursor.column] !== next) own = new OwnWrites();
        if (this.#cursor.column >= ready.length) return this.#tally.report(null);
        if (!inTime || this.#ports.remaining() <= 0) return this.#tally.report(this.#cursor);
      }
    } finally {
      await Promise.all(clients.map((client) => client.end()));
    }
  }

  /** Looks at every column before the first row is changed. */
  async #prepare(reader: Connection): Promise<Ready[]> {
    const { ring, dryRun } = this.#slice;
    const { columns, random } = this.#sweep;
    const intent = { writes: !dryRun, versioned: ring.write.version !== undefined };
    const ready: Ready[] = [];
    for (const column of columns) {
      const facts = await factsOf(column, reader);
      demandNoObstacle(column, facts, intent);
      ready.push({ column, facts, cipher: codecOfColumn(column).bind(ring, random, this.#ports.clock) });
    }
    if (this.#cursor.column === 0 && this.#cursor.pass === 1 && this.#cursor.after === null) {
      for (const one of ready) await this.#demandReadable(one, reader);
      this.#tally.note(ready.flatMap(({ column, facts }) => notesOn(column, facts)));
    }
    this.#tally.expect(ready.slice(this.#cursor.column));
    return ready;
  }

  async #demandReadable({ column, facts, cipher }: Ready, reader: Connection): Promise<void> {
    const { rows } = await pagesOf(column, facts, new OwnWrites(), reader, reader).read(
      null,
      this.#sweep.batch,
    );
    demandRightCodec(column, cipher, this.#slice.ring, rows);
  }

  /** @returns false when the time ran short. */
  async #pass(
    { column, facts, cipher }: Ready,
    own: OwnWrites,
    reader: Connection,
    writer: Connection,
  ): Promise<boolean> {
    const { ring, dryRun } = this.#slice;
    const { limits, batch } = this.#sweep;
    const { clock, remaining } = this.#ports;
    if (this.#cursor.after === null && this.#cursor.pass > 2) await clock.sleep(passPause);
    const { cursor, ended } = await runPass(this.#cursor, {
      column,
      ring,
      cipher,
      pages: pagesOf(column, facts, own, reader, writer),
      batch,
      pace: paceOf(limits, writer, clock, remaining),
      writes: !dryRun,
      ports: this.#ports,
      done: (at, setAside) => {
        this.#cursor = at;
        this.#tally.at(column, at, setAside);
        this.#tally.tell(at, this.#ports.progress);
      },
    });
    if (!ended) return false;
    own.close();
    this.#tally.end(column, cursor);
    this.#passes += 1;
    // What was moved, or changed while it was looked at, may have left something behind.
    if (dryRun || cursor.found === 0) {
      this.#cursor = begin(this.#work, cursor.column + 1);
      this.#passes = 0;
      return true;
    }
    if (this.#passes >= mostPasses) throw endless(column, cursor);
    this.#cursor = begin(this.#work, cursor.column, cursor.pass + 1, cursor.moved);
    return true;
  }
}

function endless(column: Column, { found }: Cursor): KeyturnError {
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message: `After ${mostPasses} passes in a row, ${found} rows of ${targetOf(column)} were still under another key.`,
    hint: 'Something still writes under the other key, or a trigger or rule of the table takes the writes back. Nothing was lost.',
  });
}
