import { isIP } from 'node:net';
import {
  addressIn,
  isLoopbackLiteral,
  privateRangeBreaks,
  refusedRange,
} from '../contract/network-address.ts';

/**
 * What can be said of an address before its name is resolved: https (http only on a loopback address), no
 * credentials, no range that is not declared. The rest is checked at every request.
 *
 * @returns the sentence of the first broken rule, or null.
 */
export function urlBreaks(field: string, text: string, allowPrivate: readonly string[]): string | null {
  const opened = allowPrivate
    .map((range) => privateRangeBreaks('allowPrivate', range))
    .find((broken) => broken !== null);
  if (opened !== undefined) return opened;
  if (!URL.canParse(text)) return `${field} must be an address; received "${text}".`;
  const { protocol, username, password } = new URL(text);
  const host = hostOf(text);
  if (username !== '' || password !== '') return `${field} must not carry a user or a password.`;
  if (isIP(host) !== 0 && !text.toLowerCase().includes(host)) {
    return `${field} must have its IP address in the usual form; received "${text}".`;
  }
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopbackLiteral(host))) {
    return `${field} must be https (http only on a loopback address); received "${text}".`;
  }
  if (isIP(host) === 0 || isLoopbackLiteral(host)) return null;
  const range = refusedRange(host, allowPrivate);
  return range === null ? null : `${field} must not lead to ${addressIn(range)}; received "${text}".`;
}

/** Without the brackets of an IPv6 address. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}
