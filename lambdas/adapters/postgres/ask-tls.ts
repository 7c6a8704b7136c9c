import type { Socket } from 'node:net';
import { KeyturnError } from '../../contract/errors.ts';
import { received } from '../reach.ts';

/** SSLRequest (PostgreSQL documentation, "Message Formats"): a length of 8 and the number 80877103. */
const sslRequest = Buffer.from('0000000804d2162f', 'hex');

/**
 * Asks a new connection for TLS, which then begins on it.
 *
 * @throws KeyturnError TargetTlsFailed when the server has none, TargetUnreachable when it is none of PostgreSQL.
 */
export async function askTls(socket: Socket): Promise<void> {
  socket.write(sslRequest);
  const answer = await received(socket);
  // More than one byte would have come before TLS, and be taken for a part of it (CVE-2021-23222).
  if (answer.toString('latin1') === 'S') return;
  if (answer.toString('latin1') === 'N') {
    throw new KeyturnError({
      code: 'TargetTlsFailed',
      message: 'The server offers no TLS, and there is no fallback.',
      hint: 'Turn TLS on at the server (ssl = on).',
    });
  }
  throw new KeyturnError({
    code: 'TargetUnreachable',
    message: 'The server did not answer the request for TLS as PostgreSQL does.',
    hint: 'See whether the port is that of the database.',
  });
}
