import { describe, expect, it } from 'vitest';
import { type ProgressStream, startProgress } from '../../lib/rehearsal/progress.ts';

const control = '\\u001b\\[';
const redraw = new RegExp(`(${control}\\d+F${control}J)`);
const colour = new RegExp(`${control}\\d+m`, 'g');

/** A stream that keeps what is written; `screen` plays the two control sequences that progress uses. */
function stream(isTTY: boolean, columns = 80): ProgressStream & { written: string; screen(): string[] } {
  return {
    isTTY,
    columns,
    written: '',
    write(text) {
      this.written += text;
    },
    screen() {
      const lines: string[] = [];
      for (const part of this.written.split(redraw)) {
        const up = new RegExp(`^${control}(\\d+)F`).exec(part)?.[1];
        if (up === undefined) lines.push(...part.replaceAll(colour, '').split('\n').slice(0, -1));
        else lines.splice(lines.length - Number(up));
      }
      return lines;
    },
  };
}

describe('progress in a pipe', () => {
  it('is one line per change, with the time', () => {
    const out = stream(false);
    let now = 5_000;
    const progress = startProgress(out, () => now);
    progress.note('synthesised 2 stacks');
    now += 1_230;
    progress.update('exo JWT', 'create');
    progress.update('exo JWT', 'create');
    progress.update('ocore JWT', 'create');
    now += 20_000;
    progress.update('exo JWT', 'redeploy');
    progress.finish('exo JWT', 'completed', 'good');
    progress.stop();
    expect(out.written).toBe(`\
   0.0 s  synthesised 2 stacks
   1.2 s  exo JWT: create
   1.2 s  ocore JWT: create
  21.2 s  exo JWT: redeploy
  21.2 s  exo JWT: completed
`);
  });
});

describe('progress on a terminal', () => {
  it('changes one line per secret in place, with notes above', () => {
    const out = stream(true);
    const progress = startProgress(out);
    progress.update('exo JWT', 'create');
    progress.update('ocore TOKEN', 'create');
    progress.update('exo JWT', 'redeploy');
    progress.note('a note');
    progress.finish('exo JWT', 'completed', 'good');
    expect(out.screen()).toEqual(['a note', 'exo JWT      completed', 'ocore TOKEN  create']);
    progress.stop();
    progress.note('after');
    expect(out.screen()).toEqual(['a note', 'exo JWT      completed', 'ocore TOKEN  create', 'after']);
  });

  it('cuts a line before it wraps', () => {
    const out = stream(true, 20);
    startProgress(out).update('exo JWT', 'waits until the consumers are healthy');
    expect(out.screen()).toEqual(['exo JWT  waits unti']);
  });

  it('gives colour to the last word', () => {
    const out = stream(true);
    startProgress(out).finish('exo JWT', 'stalled', 'bad');
    expect(out.written).toBe('exo JWT\u001b[31m  stalled\u001b[39m\n');
  });
});
