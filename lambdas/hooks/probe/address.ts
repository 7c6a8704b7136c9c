import { isIP } from 'node:net';

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
  if (/^169\.254\./.test(host) || /^fe[89ab]/i.test(host) || host.toLowerCase().startsWith('fd00:ec2:')) {
    return `${field} must not be a link-local address; received "${address}".`;
  }
  return null;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
