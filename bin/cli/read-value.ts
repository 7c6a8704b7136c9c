/** What a person types or a pipe brings. A value goes into its wrapper at once, and nowhere else. */
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { withoutLineBreak } from '../../lib/operations/supply.ts';
import type { Terminal } from './terminal.ts';

/** Bytes that are read at most: more than any value may have, and no more than memory takes lightly. */
const mostBytes = 1_048_576;

/** Keys as a terminal in raw mode sends them. */
const keys = { interrupt: '\u0003', end: '\u0004', backspace: '\u007f', erase: '\b' } as const;

/**
 * Reads a value: from a pipe to its end, from a terminal to the end of the line, without echo.
 *
 * @returns null when the person gave up.
 * @throws KeyturnError ValueRejected when it is not text, or too long.
 */
export async function readValue(question: string, terminal: Terminal): Promise<Sensitive | null> {
  if (terminal.stdin.isTTY !== true) return fromPipe(terminal);
  const typed = await hidden(question, terminal);
  return typed === null || typed === '' ? null : withoutLineBreak(typed);
}

/** Asks a question that takes yes or no. Anything but `y` or `yes` is no. */
export async function confirmed(question: string, { stdin, stderr }: Terminal): Promise<boolean> {
  stderr.write(`${question} [y/N] `);
  let answer = '';
  for await (const chunk of stdin) {
    answer += String(chunk);
    if (/[\r\n]/.test(answer)) break;
  }
  return /^y(es)?$/i.test(answer.trim());
}

async function fromPipe({ stdin }: Terminal): Promise<Sensitive> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const some = Buffer.from(chunk);
    bytes += some.length;
    if (bytes > mostBytes) throw rejected(`must have at most ${mostBytes} bytes; more came`);
    chunks.push(some);
  }
  try {
    return withoutLineBreak(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw rejected('must be text (UTF-8); other bytes came');
  }
}

async function hidden(question: string, { stdin, stderr }: Terminal): Promise<string | null> {
  stderr.write(question);
  stdin.setRawMode?.(true);
  let typed = '';
  try {
    for await (const chunk of stdin) {
      for (const key of String(chunk)) {
        if (key === keys.interrupt || key === keys.end) return null;
        if (key === '\r' || key === '\n') return typed;
        typed = key === keys.backspace || key === keys.erase ? typed.slice(0, -1) : typed + key;
      }
    }
    return typed;
  } finally {
    stdin.setRawMode?.(false);
    stderr.write('\n');
  }
}

function rejected(sentence: string): KeyturnError {
  return new KeyturnError({ code: 'ValueRejected', message: `The value ${sentence}.` });
}
