/**
 * SCRAM-SHA-256 verifiers (RFC 5802 section 3, RFC 7677) in the form in which PostgreSQL stores them. A server
 * that is given one never sees the password, so no log of its statements can hold it.
 */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import saslprep from '@mongodb-js/saslprep';
import { checkCredential } from '../contract/credential-text.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { Random } from '../contract/ports.ts';
import { Sensitive } from '../contract/sensitive.ts';

/** PostgreSQL's default of `scram_iterations`, and the least that RFC 7677 section 4 allows. */
export const defaultIterations = 4096;

/** Bytes; as many as PostgreSQL takes itself. */
const saltLength = 16;

/**
 * @param iterations the server's `scram_iterations`; 4,096–2,147,483,647. Default: 4,096.
 * @returns `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Sensitive: it lets a password be guessed
 *   offline, and the server be imitated.
 * @throws KeyturnError ValueRejected
 */
export function scramVerifier(
  password: Sensitive,
  random: Random,
  iterations: number = defaultIterations,
): Sensitive {
  return verifierOf(password, random.bytes(saltLength), iterations);
}

/** As `scramVerifier`, with a salt that is given. */
export function verifierOf(password: Sensitive, salt: Uint8Array, iterations: number): Sensitive {
  checkCredential('The password', password.reveal());
  if (!Number.isInteger(iterations) || iterations < defaultIterations || iterations > 2_147_483_647) {
    throw new KeyturnError({
      code: 'ValueRejected',
      message: `The iterations of a SCRAM verifier must be from ${defaultIterations} to 2147483647; received ${iterations}.`,
    });
  }
  const salted = pbkdf2Sync(prepared(password.reveal()), salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return new Sensitive(
    `SCRAM-SHA-256$${iterations}:${Buffer.from(salt).toString('base64')}$${storedKey}:${serverKey}`,
  );
}

/**
 * SASLprep (RFC 4013). What it prohibits is taken as it is, as PostgreSQL does (pg_saslprep in
 * src/common/saslprep.c): the server would otherwise refuse passwords that it accepts today.
 */
function prepared(password: string): string {
  try {
    return saslprep(password);
  } catch {
    return password;
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
