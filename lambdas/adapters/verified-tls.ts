/** TLS to a server: verified, or none at all on the way to this machine. Nothing falls back from it. */
import type { Socket } from 'node:net';
import { KeyturnError } from '../contract/errors.ts';
import { isLoopbackLiteral } from '../contract/network-address.ts';
import type { Authorities, TargetTls } from '../contract/target.ts';
import { authoritiesOf } from './authorities.ts';

/** As Node's TLS takes it. */
export interface VerifiedTls {
  readonly ca?: string[];
  readonly minVersion: 'TLSv1.2';
  readonly rejectUnauthorized: true;
}

/** @throws KeyturnError DeploymentInvalid when a file of authorities cannot be read. */
export function verifiedBy(authorities: Authorities): VerifiedTls {
  const ca = authoritiesOf(authorities);
  return {
    ...(ca === undefined ? {} : { ca }),
    minVersion: 'TLSv1.2',
    // Given explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
    rejectUnauthorized: true,
  };
}

/**
 * @param host a name, an IP address, or the absolute path of a Unix socket
 * @returns null: the connection is in clear, and its socket has to go through `onlyThisMachine`.
 * @throws KeyturnError DeploymentInvalid for a connection in clear that would leave this machine.
 */
export function tlsTo({ host, tls }: { readonly host: string; readonly tls: TargetTls }): VerifiedTls | null {
  if (tls !== 'off') return verifiedBy(tls.authorities);
  if (host.startsWith('/') || isLoopbackLiteral(host) || host === 'localhost') return null;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `tls may be "off" only for a loopback address or a Unix socket; the host is ${host}.`,
    hint: 'Leave tls out, and give the certificate authority of the server.',
  });
}

/** The resolver says what localhost is: anything but this machine is left before a byte is sent. */
export function onlyThisMachine(socket: Socket): void {
  socket.on('lookup', (_error, address) => {
    if (typeof address === 'string' && !isLoopbackLiteral(address)) socket.destroy();
  });
}
