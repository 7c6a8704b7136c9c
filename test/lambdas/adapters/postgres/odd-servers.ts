/** Servers that are not what they should be. Each ends with the test that started it. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { onTestFinished } from 'vitest';
import type { Certificate } from '../../../../lib/rehearsal/certificates.ts';

/**
 * A server on a port of its own that does with a connection what it is told.
 *
 * @param open filled with the connections that are open.
 */
export async function serverThat(
  does: (socket: Socket) => void,
  open: Set<Socket> = new Set(),
): Promise<number> {
  const listening = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => open.delete(socket));
    does(socket);
  });
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    listening.close();
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  return (listening.address() as AddressInfo).port;
}

/** A server of PostgreSQL's protocol that agrees to TLS and shows this certificate; it never lets anybody in. */
export const showing = (shown: Certificate, options: object = {}) =>
  serverThat((socket) => {
    socket.once('data', () => {
      socket.write('S');
      const context = createSecureContext({ cert: shown.certificate, key: shown.key, ...options });
      new TLSSocket(socket, { isServer: true, secureContext: context }).on('error', () => {});
    });
  });
