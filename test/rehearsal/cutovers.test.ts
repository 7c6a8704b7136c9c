import { describe, expect, it } from 'vitest';
import { Cutovers } from '../../lib/rehearsal/cutovers.ts';

/** One cutover of A, open from 100 to 200. */
function closed(): Cutovers {
  const cutovers = new Cutovers();
  cutovers.begin('A', 100);
  cutovers.end('A', 200);
  return cutovers;
}

const cases: readonly (readonly [string, string, number, number, boolean])[] = [
  ['before the window begins', 'A', 50, 99, false],
  ['in the window, of a token from before', 'A', 50, 150, true],
  ['in the window, of a token issued in it', 'A', 120, 150, true],
  ['after the window, of a token last good before it', 'A', 50, 250, true],
  ['after the window, of a token last good in it', 'A', 199, 250, true],
  ['after the window, of a token that was good after it', 'A', 201, 250, false],
  ['in the window of another secret', 'B', 50, 150, false],
];

describe('a refusal', () => {
  it.each(cases)('%s', (_what, secret, lastGood, refusedAt, explained) => {
    expect(closed().explains(secret, lastGood, refusedAt)).toBe(explained);
  });

  it('in a window that is still open, beginning twice or not', () => {
    const cutovers = new Cutovers();
    cutovers.begin('A', 100);
    cutovers.begin('A', 150);
    expect(cutovers.explains('A', 10, 120)).toBe(true);
    cutovers.end('A', 200);
    cutovers.end('A', 300);
    expect(cutovers.explains('A', 250, 350)).toBe(false);
  });

  it('between two windows of one secret, of a token that the first did not touch', () => {
    const cutovers = closed();
    cutovers.begin('A', 400);
    expect(cutovers.explains('A', 300, 350)).toBe(false);
    expect(cutovers.explains('A', 300, 450)).toBe(true);
  });
});
