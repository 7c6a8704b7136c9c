/**
 * What went wrong at a PostgreSQL server, as our errors. A driver's error carries the statement's values in
 * `detail`, `where` and `query`, so nothing of it goes on but its code.
 */
import { KeyturnError } from '../../contract/errors.ts';
import { codeOf, type Meaning, meaningOfCode } from '../server-errors.ts';

/**
 * SQLSTATEs (PostgreSQL documentation, appendix A) that need their own answer; a key of two characters stands
 * for its class.
 */
const states: Readonly<Record<string, Meaning>> = {
  '28P01': {
    code: 'CredentialRejected',
    says: 'does not let the user in with this password',
    // The server does not tell a client that rolvaliduntil has passed: it answers the same.
    hint: 'An expired password (rolvaliduntil) and a role that does not exist are answered in the same way.',
  },
  '28000': {
    code: 'CredentialRejected',
    says: 'does not let the user in from here',
    hint: 'See pg_hba.conf (on RDS: rds.force_ssl) and whether the role may log in.',
  },
  '3D000': { code: 'DatabaseMissing', says: 'has no database of that name' },
  '42501': { code: 'PrivilegeMissing', says: 'does not allow that to this user' },
  '25006': {
    code: 'TargetReadOnly',
    says: 'takes no writes',
    hint: 'Name the writer endpoint, not that of a replica.',
  },
  '53': { code: 'TargetFull', says: 'lacks a resource', retryable: true },
  '53300': { code: 'TargetFull', says: 'has no connection left', retryable: true },
  '57P01': { code: 'TargetNotReady', says: 'ended the connection', retryable: true },
  '57P02': { code: 'TargetNotReady', says: 'ended the connection after a crash', retryable: true },
  '57P03': { code: 'TargetNotReady', says: 'starts, stops or recovers', retryable: true },
  '57P05': { code: 'TargetNotReady', says: 'ended the connection, which was idle', retryable: true },
  '55P03': { code: 'TargetNotReady', says: 'did not get a lock in time', retryable: true },
  '57014': { code: 'TargetNotReady', says: 'gave a statement up, which took too long', retryable: true },
  '08': { code: 'TargetUnreachable', says: 'lost the connection', retryable: true },
  '40': { code: 'TargetNotReady', says: 'gave way to another transaction', retryable: true },
};

/** Messages of the driver (pg, connection.js) that come without a code. */
const driverMessages: Readonly<Record<string, Meaning>> = {
  'The server does not support SSL connections': {
    code: 'TargetTlsFailed',
    says: 'offers no TLS, and there is no fallback',
    hint: 'Turn TLS on at the server (ssl = on).',
  },
  'There was an error establishing an SSL connection': {
    code: 'TargetUnreachable',
    says: 'answered the request for TLS with an error',
    retryable: true,
  },
  'Query read timeout': {
    code: 'TargetUnreachable',
    says: 'did not answer a statement in time; whether it ran is not known',
    retryable: true,
  },
};

/** The driver itself ended the exchange of SCRAM: the server asked for too much, or did not prove that it knows the password. */
const scramFailed: Meaning = {
  code: 'CredentialRejected',
  says: 'did not complete the exchange of SCRAM as it must',
};

/**
 * @param target what the sentence calls the server: a host and a port, or a name of the deployment.
 * @returns an error without a cause: the driver's may hold values.
 */
export function postgresError(caught: unknown, target: string): KeyturnError {
  if (caught instanceof KeyturnError) return caught;
  const { meaning, reason } = meaningOf(caught);
  return new KeyturnError({
    code: meaning.code,
    message: `${target} ${meaning.says} (${reason}).`,
    ...(meaning.hint === undefined ? {} : { hint: meaning.hint }),
    retryable: meaning.retryable ?? false,
  });
}

function meaningOf(caught: unknown): { meaning: Meaning; reason: string } {
  const code = codeOf(caught);
  if (code !== null && /^[0-9A-Z]{5}$/.test(code)) {
    const meaning = states[code] ?? states[code.slice(0, 2)];
    return {
      meaning: meaning ?? { code: 'TargetRefused', says: 'refused a statement' },
      reason: `SQLSTATE ${code}`,
    };
  }
  const known = meaningOfCode(code);
  if (known !== null) return { meaning: known, reason: code ?? '' };
  const text = caught instanceof Error ? caught.message : '';
  return {
    meaning: driverMessages[text] ??
      (text.startsWith('SASL: ') ? scramFailed : null) ?? {
        code: 'TargetUnreachable',
        says: 'cannot be reached',
        retryable: true,
      },
    reason: code ?? 'no code',
  };
}
