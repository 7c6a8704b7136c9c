/** What a socket's or TLS's error code says of the way to a server, whatever its engine is. */
import type { ErrorCode } from '../contract/errors.ts';

export interface Meaning {
  readonly code: ErrorCode;
  /** What follows the server's name in a sentence. */
  readonly says: string;
  readonly hint?: string;
  readonly retryable?: true;
}

const unreachable = (says: string, hint: string): Meaning => ({
  code: 'TargetUnreachable',
  says: `cannot be reached: ${says}`,
  hint,
  retryable: true,
});

/** What keeps packets from a server without a word of refusal. */
export const silence =
  'See the route between the function’s subnets and the server, the security groups of both, and the network ACLs of their subnets.';

/** Errors of the resolver (getaddrinfo) and of sockets (errno). */
const sockets: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: unreachable(
    'the name cannot be resolved',
    'Check the host. A private name is known only in the VPCs that its hosted zone belongs to.',
  ),
  EAI_AGAIN: unreachable(
    'no resolver answers',
    'See the DNS settings of the VPC: enableDnsSupport, and the servers of its DHCP options.',
  ),
  ECONNREFUSED: unreachable('nothing listens there', 'Check the port, and whether the server runs.'),
  ETIMEDOUT: unreachable('there is no answer', silence),
  EHOSTUNREACH: unreachable('there is no way to it', silence),
  ENETUNREACH: unreachable('there is no way to its network', silence),
  ECONNRESET: unreachable(
    'the connection was cut',
    'Something in between may cut it, or the port belongs to a server of another kind.',
  ),
  EPIPE: unreachable('the connection was cut', 'See the server’s own log.'),
};

/** Errors of Node's TLS and of OpenSSL: the handshake ran, and something about the peer is wrong. */
const tlsCodes =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERROR_IN_CERT_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_|HOSTNAME_MISMATCH|EPROTO$)/;

/** By the beginning of the code; the first that fits. */
const tlsHints: readonly (readonly [RegExp, string])[] = [
  [
    /^(ERR_TLS_CERT_ALTNAME|HOSTNAME_MISMATCH)/,
    'The certificate is for other names than this host: use the name that the server was given (of RDS: its endpoint).',
  ],
  [
    // The signature fails where another authority has the same name.
    /^(SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED)/,
    'Another authority signed it than those that tls.authorities names; for Amazon RDS and Aurora that is "rds".',
  ],
  [/^CERT_(HAS_EXPIRED|NOT_YET_VALID)/, 'See the dates of the server’s certificate.'],
  [/^(ERR_SSL_|EPROTO)/, 'See whether the server speaks TLS on this port, and TLS 1.2 or newer.'],
];

/** @returns null for a code that tells nothing of the way. */
export function meaningOfCode(code: string | null): Meaning | null {
  if (code === null) return null;
  if (!tlsCodes.test(code)) return Object.hasOwn(sockets, code) ? (sockets[code] ?? null) : null;
  return {
    code: 'TargetTlsFailed',
    says: 'could not be verified by TLS',
    hint:
      tlsHints.find(([pattern]) => pattern.test(code))?.[1] ??
      'Check the certificate authority, the host name and the dates of the server’s certificate.',
  };
}

/** The code of a server's, socket's or TLS error: constants, never text of the peer. */
export function codeOf(caught: unknown): string | null {
  if (!(caught instanceof Error) || !('code' in caught) || typeof caught.code !== 'string') return null;
  return /^[0-9A-Z_]{2,80}$/.test(caught.code) ? caught.code : null;
}
