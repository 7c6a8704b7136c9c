/**
 * What went wrong at a MySQL or MariaDB server, as our errors. A driver's error carries the statement in `sql`, with a
 * password perhaps, and the server's words, so nothing of it goes on but its number.
 */
import { KeyturnError } from '../../contract/errors.ts';
import { codeOf, type Meaning, meaningOfCode } from '../server-errors.ts';

/** `login`: until the server has let us in. The same number means another thing after it. */
export type Moment = 'before-tls' | 'login' | 'statement';

const full = (hint: string): Meaning => ({
  code: 'TargetFull',
  says: 'has no connection left',
  hint,
  retryable: true,
});
const denied: Meaning = { code: 'PrivilegeMissing', says: 'does not allow that to this user' };
const rejected: Meaning = {
  code: 'CredentialRejected',
  says: 'does not let the user in with this password',
  hint: 'A user that does not exist, or not for this client’s address, is answered in the same way; so is one that must use TLS and does not.',
};
const locked: Meaning = {
  code: 'CredentialRejected',
  says: 'has locked the account of this user',
  hint: 'ALTER USER … ACCOUNT UNLOCK lets it in again.',
};
const expired: Meaning = {
  code: 'CredentialExpired',
  says: 'wants another password first: this one has expired',
  hint: 'Have an administrator set it (ALTER USER … IDENTIFIED BY …), and store it as the current value.',
};
const readOnly: Meaning = {
  code: 'TargetReadOnly',
  says: 'takes no writes',
  hint: 'Name the writer endpoint, not that of a replica.',
};
const ended: Meaning = { code: 'TargetNotReady', says: 'ended the connection', retryable: true };
const gaveWay: Meaning = {
  code: 'TargetNotReady',
  says: 'did not get a lock in time, or gave way to another transaction',
  retryable: true,
};

/** Numbers of errors ("MySQL error message reference", "MariaDB error codes") that need their own answer. */
const numbers: Readonly<Record<number, Meaning>> = {
  1040: full('See max_connections.'),
  1203: full('See max_user_connections of the server and of the user.'),
  1226: full('The user has used up one of its limits (ALTER USER … WITH MAX_…).'),
  1041: { code: 'TargetFull', says: 'lacks memory', retryable: true },
  1042: { code: 'TargetNotReady', says: 'cannot resolve the client’s address', retryable: true },
  1129: {
    code: 'TargetRefused',
    says: 'refuses this client after too many broken connections',
    hint: 'FLUSH HOSTS, or TRUNCATE performance_schema.host_cache, lets it in again.',
  },
  1130: {
    code: 'TargetRefused',
    says: 'lets nobody in from this client’s address',
    hint: 'There is no account whose host fits the address of the function.',
  },
  1045: rejected,
  1698: rejected,
  3118: locked,
  4151: locked,
  3955: {
    code: 'TargetRefused',
    says: 'has locked the account for a time, after too many wrong passwords',
    hint: 'See FAILED_LOGIN_ATTEMPTS and PASSWORD_LOCK_TIME of the user.',
    retryable: true,
  },
  1820: expired,
  1862: expired,
  3159: {
    code: 'TargetTlsFailed',
    says: 'demands TLS (require_secure_transport)',
    hint: 'Leave tls out, and give the certificate authority of the server.',
  },
  1049: { code: 'DatabaseMissing', says: 'has no database of that name' },
  1044: denied,
  1142: denied,
  1143: denied,
  1227: denied,
  1370: denied,
  1095: denied,
  1290: readOnly,
  1792: readOnly,
  1836: readOnly,
  1819: {
    code: 'ValueRejected',
    says: 'finds the password too weak',
    hint: 'See the variables validate_password.% of the server, and options.format.',
  },
  3638: {
    code: 'ValueRejected',
    says: 'has seen the password before, which its history of passwords forbids',
  },
  1053: { code: 'TargetNotReady', says: 'is shutting down', retryable: true },
  1152: ended,
  1927: ended,
  4031: ended,
  1317: { code: 'TargetNotReady', says: 'gave a statement up', retryable: true },
  1969: { code: 'TargetNotReady', says: 'gave a statement up, which took too long', retryable: true },
  3024: { code: 'TargetNotReady', says: 'gave a statement up, which took too long', retryable: true },
  1205: gaveWay,
  1213: gaveWay,
};

/** Codes of the driver (mysql2). */
const driverCodes: Readonly<Record<string, Meaning>> = {
  HANDSHAKE_NO_SSL_SUPPORT: {
    code: 'TargetTlsFailed',
    says: 'offers no TLS, and there is no fallback',
    hint: 'Turn TLS on at the server (ssl_cert, ssl_key).',
  },
  HANDSHAKE_SSL_ERROR: {
    code: 'TargetTlsFailed',
    says: 'could not be verified by TLS',
    hint: 'See whether the server speaks TLS 1.2 or newer.',
  },
  MYSQL_CLEAR_PASSWORD_NOT_ENABLED: {
    code: 'TargetRefused',
    says: 'asks for the password in clear (mysql_clear_password)',
    hint: 'A user that is known by LDAP, PAM or IAM has no password of its own to rotate here.',
  },
  AUTH_SWITCH_PLUGIN_ERROR: {
    code: 'TargetRefused',
    says: 'asks for a way to log in that is not taken',
    hint: 'Users with mysql_native_password, caching_sha2_password (without TLS: by a Unix socket only) and sha256_password (with TLS) are let in.',
  },
  PROTOCOL_CONNECTION_LOST: {
    code: 'TargetUnreachable',
    says: 'lost the connection',
    retryable: true,
  },
  PROTOCOL_SEQUENCE_TIMEOUT: {
    code: 'TargetUnreachable',
    says: 'did not answer a statement in time; whether it ran is not known',
    retryable: true,
  },
};

/** Anybody on the way may say that before TLS has begun: it is no evidence against a password. */
const unproven: Meaning = {
  code: 'TargetTlsFailed',
  says: 'refused the login before TLS had begun, so that nobody knows who said it',
};

/**
 * @param target what the sentence calls the server: a host and a port.
 * @returns an error without a cause: the driver's may hold values.
 */
export function mysqlError(caught: unknown, target: string, moment: Moment): KeyturnError {
  if (caught instanceof KeyturnError) return caught;
  const { meaning, reason } = meaningOf(caught, moment);
  return new KeyturnError({
    code: meaning.code,
    message: `${target} ${meaning.says} (${reason}).`,
    ...(meaning.hint === undefined ? {} : { hint: meaning.hint }),
    retryable: meaning.retryable ?? false,
  });
}

/** The number of a server's error; null: it is none of a server. */
export function numberOf(caught: unknown): number | null {
  if (!(caught instanceof Error) || !('errno' in caught) || typeof caught.errno !== 'number') return null;
  // Errors of sockets have negative ones.
  return caught.errno >= 1000 && caught.errno < 100_000 ? caught.errno : null;
}

function meaningOf(caught: unknown, moment: Moment): { meaning: Meaning; reason: string } {
  const number = numberOf(caught);
  if (number !== null) return { meaning: ofNumber(number, moment), reason: `error ${number}` };
  const code = codeOf(caught);
  // A connection that is cut during the handshake of TLS has the code of a failed one.
  const cut = caught instanceof Error && code === 'HANDSHAKE_SSL_ERROR' && wasCut(caught);
  const known = meaningOfCode(cut ? 'ECONNRESET' : code) ?? driverCodes[code ?? ''];
  return {
    meaning: known ?? { code: 'TargetUnreachable', says: 'cannot be reached', retryable: true },
    reason: code ?? 'no code',
  };
}

function ofNumber(number: number, moment: Moment): Meaning {
  // After the login it says that a right is missing (GRANT, SET PASSWORD).
  if (number === 1045 && moment === 'statement') return denied;
  const meaning = numbers[number] ?? { code: 'TargetRefused', says: 'refused what was asked of it' };
  const ofCredential = meaning.code === 'CredentialRejected' || meaning.code === 'CredentialExpired';
  return moment === 'before-tls' && ofCredential ? unproven : meaning;
}

function wasCut(error: Error): boolean {
  return 'syscall' in error || error.message.startsWith('Client network socket disconnected');
}
