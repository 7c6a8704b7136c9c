import type { Socket } from 'node:net';
import { KeyturnError } from '../../contract/errors.ts';
import { received } from '../reach.ts';
import { mysqlError } from './errors.ts';

/** Bytes of a packet's head: its length in three, the least first, and its number. */
const headLength = 4;

/** Of the flags in which a server and a client say what they can ("Capabilities Flags", MySQL source documentation). */
const clientSsl = 0x800;
const clientProtocol41 = 0x200;
const clientSecureConnection = 0x8000;

/** Bytes of a first packet: a greeting has about a hundred, a refusal a sentence. */
const longest = 4_096;

/** Bytes that an answer may have: what clients usually say. */
const maxPacket = 0x1000000;
/** utf8mb4_general_ci, which MySQL and MariaDB both know. */
const characterSet = 45;

/**
 * Waits for the server's greeting and asks for TLS, which then begins on the connection ("SSLRequest", MySQL source
 * documentation).
 *
 * @throws KeyturnError TargetTlsFailed when the server has none, TargetUnreachable when it is none of MySQL; another one
 *   when the server refuses the connection already.
 */
export async function askTls(socket: Socket): Promise<void> {
  let bytes = await received(socket);
  while (bytes.length < headLength || bytes.length < headLength + bytes.readUIntLE(0, 3)) {
    if (bytes.length >= headLength && bytes.readUIntLE(0, 3) > longest) throw notMysql();
    bytes = Buffer.concat([bytes, await received(socket)]);
  }
  const packet = bytes.subarray(headLength, headLength + bytes.readUIntLE(0, 3));
  if (packet[0] === 0xff && packet.length >= 3) {
    throw mysqlError(
      Object.assign(new Error(), { errno: packet.readUInt16LE(1) }),
      'The server',
      'before-tls',
    );
  }
  // More than the greeting would have come before TLS, and be taken for a part of it.
  if (packet[0] !== 10 || bytes.length !== headLength + packet.length) throw notMysql();
  // The text of the version ends with a zero; behind it are an id (4), a part of the challenge (8), a zero, the flags.
  const flagsAt = packet.indexOf(0, 1) + 1 + 4 + 8 + 1;
  if (flagsAt + 2 > packet.length) throw notMysql();
  if ((packet.readUInt16LE(flagsAt) & clientSsl) === 0) {
    throw new KeyturnError({
      code: 'TargetTlsFailed',
      message: 'The server offers no TLS, and there is no fallback.',
      hint: 'Turn TLS on at the server (ssl_cert, ssl_key).',
    });
  }
  socket.write(sslRequest());
}

/** A head, and 32 bytes: flags, the largest packet, the character set, and zeros. */
function sslRequest(): Buffer {
  const request = Buffer.alloc(headLength + 32);
  request.writeUIntLE(32, 0, 3);
  request.writeUInt8(1, 3);
  request.writeUInt32LE(clientSsl | clientProtocol41 | clientSecureConnection, 4);
  request.writeUInt32LE(maxPacket, 8);
  request.writeUInt8(characterSet, 12);
  return request;
}

function notMysql(): KeyturnError {
  return new KeyturnError({
    code: 'TargetUnreachable',
    message: 'The server did not greet as MySQL does.',
    hint: 'See whether the port is that of the database.',
  });
}
