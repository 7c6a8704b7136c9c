import { broken } from './broken.ts';
import type { Dsn, Endpoint } from './dsn.ts';

/**
 * Hosts and ports side by side (libpq, section 34.1.2, port): one port stands for all hosts, otherwise there
 * are as many as hosts.
 *
 * @throws KeyturnError DocumentInvalid
 */
export function endpoints(
  hosts: readonly string[],
  ports: readonly string[],
  defaultPort: number,
): Dsn['hosts'] {
  if (ports.length > 1 && ports.length !== hosts.length) {
    throw broken(
      `must name one port or one for each host; it has ${hosts.length} hosts and ${ports.length} ports`,
    );
  }
  const [first, ...others] = hosts.map(
    (host, index): Endpoint => ({
      host: host === '' ? null : host,
      port: portOf(ports.length === 1 ? (ports[0] ?? '') : (ports[index] ?? ''), defaultPort),
    }),
  );
  if (first === undefined) throw broken('must name a host');
  return [first, ...others];
}

function portOf(text: string, defaultPort: number): number {
  if (text === '') return defaultPort;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  // The text stays out: a password with a colon in it ends up here.
  if (port < 1 || port > 65_535) throw broken('must have ports from 1 to 65535; one is something else');
  return port;
}
