/** Ports for servers of this machine that are started a little later, and by others. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that systems give to connections of their own (Linux: from 32768, IANA: from 49152): one of those
 * may be some connection's before its server has begun to listen.
 */
const first = 10_000;
const last = 32_000;

/** Ports in use that may be met one after the other. */
const tries = 100;

const given = new Set<number>();

/**
 * A port of 127.0.0.1 on which nothing listens, and which this process has not given before.
 *
 * @throws Error when none is found.
 */
export async function freePort(): Promise<number> {
  for (let left = tries; left > 0; left -= 1) {
    const port = randomInt(first, last);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new Error(`No port of 127.0.0.1 between ${first} and ${last} was free in ${tries} tries.`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
