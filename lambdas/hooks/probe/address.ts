import { BlockList, isIP } from 'node:net';

/** Where a machine's own credentials are served (EC2 user guide, instance metadata), in every form of writing. */
const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');
linkLocal.addSubnet('fd00:ec2::', 32, 'ipv6');

/**
 * Whether a probe may go to this address: https, or http on a loopback address (a rehearsal). The link-local
 * range is refused, since the credentials of a machine are served there.
 *
 * @returns the sentence of the broken rule, or null.
 */
export function addressBreaks(field: string, address: string): string | null {
  if (!URL.canParse(address)) return `${field} must be an address; received "${address}".`;
  const { protocol, hostname, username, password } = new URL(address);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (username !== '' || password !== '') return `${field} must not carry a user or a password.`;
  if (protocol === 'http:' && !isLoopback(host)) {
    return `${field} must be https (http only on a loopback address); received "${address}".`;
  }
  if (protocol !== 'https:' && protocol !== 'http:') return `${field} must be https; received "${address}".`;
  const family = isIP(host);
  if (family !== 0 && linkLocal.check(host, family === 6 ? 'ipv6' : 'ipv4')) {
    return `${field} must not be a link-local address; received "${address}".`;
  }
  return null;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
