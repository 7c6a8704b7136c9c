/**
 * What MySQL and MariaDB store of a password. A server that is given one never sees the password, so no log of its
 * statements can hold it.
 */
import { createHash } from 'node:crypto';
import { checkCredential } from '../contract/credential-text.ts';
import type { Random } from '../contract/ports.ts';
import { Sensitive } from '../contract/sensitive.ts';

/** Of SHA-crypt ("Unix crypt using SHA-256 and SHA-512", U. Drepper): 64 signs of 6 bits. */
const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Characters; MySQL takes 20, where SHA-crypt ends at 16. */
const saltLength = 20;

/** MySQL's default of `caching_sha2_password_digest_rounds`. */
const rounds = 5_000;

/**
 * For mysql_native_password.
 *
 * @returns `*` and 40 hexadecimal digits. Sensitive: it has no salt, and what it was made from in between is enough to
 *   log in.
 * @throws KeyturnError ValueRejected
 */
export function nativeHash(password: Sensitive): Sensitive {
  checkCredential('The password', password.reveal());
  const once = createHash('sha1').update(password.reveal(), 'utf8').digest();
  return new Sensitive(`*${createHash('sha1').update(once).digest('hex').toUpperCase()}`);
}

/**
 * For caching_sha2_password.
 *
 * @returns `$A$005$`, the salt, and SHA-crypt's digest: 70 characters of the alphabet of SHA-crypt and `$`. Sensitive: it
 *   lets a password be guessed offline.
 * @throws KeyturnError ValueRejected
 */
export function cachingSha2Hash(password: Sensitive, random: Random): Sensitive {
  // Any byte would do, but these need no quoting, and are the same in every character set.
  const salt = Buffer.from([...random.bytes(saltLength)].map((byte) => alphabet.charCodeAt(byte & 63)));
  return cachingSha2HashOf(password, salt);
}

/** As `cachingSha2Hash`, with a salt that is given. As MySQL reads it, in bytes: `latin1` shows each as one character. */
export function cachingSha2HashOf(password: Sensitive, salt: Uint8Array): Sensitive {
  checkCredential('The password', password.reveal());
  const digest = sha256Crypt(Buffer.from(password.reveal(), 'utf8'), salt, rounds);
  const thousands = (rounds / 1000).toString(16).padStart(3, '0').toUpperCase();
  return new Sensitive(`$A$${thousands}$${Buffer.from(salt).toString('latin1')}${digest}`);
}

/**
 * SHA-crypt with SHA-256, its steps numbered as in the specification, without its limit on the salt.
 *
 * @returns 43 characters.
 */
export function sha256Crypt(key: Uint8Array, salt: Uint8Array, iterations: number): string {
  // Steps 4–8.
  const alternate = sha256(key, salt, key);
  // Steps 1–3, 9–12.
  const parts: Uint8Array[] = [key, salt, repeated(alternate, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push((bits & 1) === 1 ? alternate : key);
  let digest = sha256(...parts);
  // Steps 13–16, and 17–20.
  const p = repeated(sha256(...Array.from({ length: key.length }, () => key)), key.length);
  const s = repeated(sha256(...Array.from({ length: 16 + (digest[0] ?? 0) }, () => salt)), salt.length);
  // Step 21.
  for (let round = 0; round < iterations; round += 1) {
    const odd = round % 2 === 1;
    digest = sha256(
      odd ? p : digest,
      ...(round % 3 === 0 ? [] : [s]),
      ...(round % 7 === 0 ? [] : [p]),
      odd ? digest : p,
    );
  }
  return encoded(digest);
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function repeated(bytes: Uint8Array, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

/** Step 22: groups of three bytes in an order of their own, the least six bits first. */
function encoded(digest: Buffer): string {
  const at = (index: number) => digest[index] ?? 0;
  const group = (high: number, middle: number, low: number, signs: number) => {
    let bits = (high << 16) | (middle << 8) | low;
    let text = '';
    for (let sign = 0; sign < signs; sign += 1, bits >>= 6) text += alphabet[bits & 63];
    return text;
  };
  let text = '';
  let [a, b, c] = [0, 10, 20];
  for (let count = 0; count < 10; count += 1) {
    text += group(at(a), at(b), at(c), 4);
    [a, b, c] = [c + 1, a + 1, b + 1];
  }
  return text + group(0, at(31), at(30), 3);
}
