/**
 * The two clocks of the endpoint: one that follows the wall clock (optionally faster), and one that moves only
 * when a simulator says so.
 */
import type { WorldClock } from './wire.ts';

export interface WallClock extends WorldClock {
  /** Jumps `ms` milliseconds ahead; what became due runs at once, in order. @throws RangeError below 0. */
  advance(ms: number): void;
  /** Drops everything that is planned. */
  close(): void;
}

export interface VirtualClock extends WorldClock {
  /**
   * Moves `ms` milliseconds ahead, stopping at every planned action on the way. After each action it waits
   * until all promises that need neither I/O nor a timer have settled, so that work the action started, and
   * actions which that work planned inside the span, are done as well. @throws RangeError below 0.
   */
  advance(ms: number): Promise<void>;
  /** How many actions are planned. */
  readonly planned: number;
  /** When the next planned action is due (milliseconds since the epoch); null: nothing is planned. */
  readonly nextAt: number | null;
}

/** setTimeout overflows above 2^31-1 ms and would fire at once (Node documentation, timers). */
const longestTimer = 2_000_000_000;

interface Entry {
  readonly at: number;
  readonly action: () => void;
}

/**
 * A clock that starts at the wall clock's time and runs `speed` times as fast.
 *
 * @param speed seconds of the endpoint's time per real second; above 0; default 1.
 * @throws RangeError when the speed is not above 0.
 */
export function wallClock({ speed = 1 }: { readonly speed?: number } = {}): WallClock {
  if (!(speed > 0)) throw new RangeError(`speed must be above 0, received ${speed}`);
  const agenda = new Agenda();
  const began = Date.now();
  // Monotonic, so that a correction of the machine's time neither repeats nor skips anything.
  const origin = performance.now();
  let jumped = 0;
  let timer: NodeJS.Timeout | null = null;

  const now = () => Math.floor(began + jumped + (performance.now() - origin) * speed);

  function rearm(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const next = agenda.nextAt;
    if (next === null) return;
    timer = setTimeout(run, Math.min(Math.max(0, next - now()) / speed, longestTimer));
    // A forgotten window three months ahead must not keep the process alive.
    timer.unref();
  }

  function run(): void {
    for (let due = agenda.takeDue(now()); due !== null; due = agenda.takeDue(now())) due.action();
    rearm();
  }

  return {
    now,
    after(delay, action) {
      const cancel = agenda.add(now() + Math.max(0, delay), action);
      rearm();
      return () => {
        cancel();
        rearm();
      };
    },
    advance(ms) {
      jumped += forwards(ms);
      run();
    },
    close() {
      agenda.clear();
      rearm();
    },
  };
}

/**
 * A clock that stands still until `advance` is called.
 *
 * @param start milliseconds since the epoch; default 2026-01-01T00:00:00Z.
 */
export function virtualClock({
  start = Date.UTC(2026, 0, 1),
}: {
  readonly start?: number;
} = {}): VirtualClock {
  const agenda = new Agenda();
  let time = start;
  return {
    now: () => time,
    after: (delay, action) => agenda.add(time + Math.max(0, delay), action),
    async advance(ms) {
      const until = time + forwards(ms);
      await settled();
      for (let due = agenda.takeDue(until); due !== null; due = agenda.takeDue(until)) {
        time = Math.max(time, due.at);
        due.action();
        await settled();
      }
      time = until;
    },
    get planned() {
      return agenda.size;
    },
    get nextAt() {
      return agenda.nextAt;
    },
  };
}

/** A turn of the event loop comes only after the queue of microtasks is empty. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function forwards(ms: number): number {
  if (!(ms >= 0)) throw new RangeError(`a clock moves only forwards, received ${ms} ms`);
  return ms;
}

/** What is planned, earliest first; entries of the same instant keep the order in which they were planned. */
class Agenda {
  readonly #entries: Entry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  get nextAt(): number | null {
    return this.#entries[0]?.at ?? null;
  }

  add(at: number, action: () => void): () => void {
    const entry: Entry = { at, action };
    let index = this.#entries.length;
    while (index > 0 && (this.#entries[index - 1]?.at ?? at) > at) index -= 1;
    this.#entries.splice(index, 0, entry);
    return () => {
      const found = this.#entries.indexOf(entry);
      if (found >= 0) this.#entries.splice(found, 1);
    };
  }

  takeDue(until: number): Entry | null {
    const first = this.#entries[0];
    if (first === undefined || first.at > until) return null;
    this.#entries.shift();
    return first;
  }

  clear(): void {
    this.#entries.length = 0;
  }
}
