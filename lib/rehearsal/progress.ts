/**
 * What a rehearsal says while it runs: on a terminal one line per secret that changes in place, in a pipe
 * one line per change.
 */
import { type Meaning, type Paint, paintFor } from './paint.ts';

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  /** A line of its own, above those that change. */
  note(text: string): void;
  /** A secret's line: what happens to it now. The same text again prints nothing in a pipe. */
  update(line: string, text: string): void;
  /** The last word on a line, until it is updated again. */
  finish(line: string, text: string, meaning: Extract<Meaning, 'good' | 'bad'>): void;
  /** Leaves what is shown where it is; what comes after begins below. */
  stop(): void;
}

/**
 * @param now milliseconds of a clock that never goes back: lines in a pipe begin with the seconds since the
 *   start. Default: performance.now.
 */
export function startProgress(stream: ProgressStream, now: () => number = () => performance.now()): Progress {
  return stream.isTTY === true ? live(stream, paintFor(stream)) : piped(stream, now);
}

function piped(stream: ProgressStream, now: () => number): Progress {
  const began = now();
  const last = new Map<string, string>();
  const print = (text: string) => {
    stream.write(`${((now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  return {
    note: print,
    update(line, text) {
      if (last.get(line) === text) return;
      last.set(line, text);
      print(`${line}: ${text}`);
    },
    finish(line, text) {
      last.delete(line);
      print(`${line}: ${text}`);
    },
    stop() {},
  };
}

interface Line {
  readonly text: string;
  readonly meaning: Meaning;
}

function live(stream: ProgressStream, paint: Paint): Progress {
  const lines = new Map<string, Line>();
  /** Lines on the screen that belong to us, above the cursor. */
  let drawn = 0;

  function draw(above = ''): void {
    const names = Math.max(0, ...[...lines.keys()].map((name) => name.length));
    const body = [...lines].map(([name, { text, meaning }]) => {
      // A line that wraps is two on the screen, and the count of lines to go up would be wrong.
      const whole = `${name.padEnd(names)}  ${text}`.slice(0, Math.max(1, (stream.columns ?? 80) - 1));
      return `${whole.slice(0, names)}${paint(meaning, whole.slice(names))}\n`;
    });
    // Up to the first of our lines, then erase to the end of the screen (ECMA-48 CPL and ED).
    stream.write(`${drawn === 0 ? '' : `\u001b[${drawn}F\u001b[J`}${above}${body.join('')}`);
    drawn = body.length;
  }

  return {
    note: (text) => draw(`${text}\n`),
    update(line, text) {
      lines.set(line, { text, meaning: 'waiting' });
      draw();
    },
    finish(line, text, meaning) {
      lines.set(line, { text, meaning });
      draw();
    },
    stop() {
      lines.clear();
      drawn = 0;
    },
  };
}
