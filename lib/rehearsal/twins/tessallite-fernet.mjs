/**
 * Fernet (github.com/fernet/spec) with a list of keys, as Tessallite's document says that its MultiFernet does: the
 * current key writes, and every listed one reads.
 *
 * Written from the specification alone and without Keyturn's own codecs: what these read and write, this proves.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { InvalidVariable, required } from './variables.mjs';

const version = 0x80;
const timestampBytes = 8;
const ivAt = 1 + timestampBytes;
const ciphertextAt = ivAt + 16;
const tagBytes = 32;

/**
 * @typedef {object} Key
 * @property {Buffer} signing
 * @property {Buffer} encryption
 *
 * @typedef {object} MultiFernet
 * @property {(text: string) => string} encrypt
 * @property {(token: string) => string | null} decrypt null: no key that is held opens it
 * @property {(token: string) => string | null} rotate the same text and the same timestamp under the current key
 */

/**
 * @param {import('./variables.mjs').Environment} environment
 * @returns {MultiFernet}
 */
export function multiFernetOf(environment) {
  const name = 'CREDENTIAL_ENCRYPTION_KEY';
  const current = keyOf(name, required(environment, name).trim());
  const previous = (environment[`${name}_PREVIOUS`] ?? '')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => keyOf(`Each key of ${name}_PREVIOUS`, text));
  const keys = [current, ...previous];

  /** @param {string} token */
  const opened = (token) => {
    const bytes = bytesOf(token);
    if (bytes === null) return null;
    for (const key of keys) {
      const plain = openedBy(key, bytes);
      if (plain !== null) return { plain, timestamp: bytes.subarray(1, ivAt) };
    }
    return null;
  };

  return {
    encrypt: (text) => sealed(current, Buffer.from(text, 'utf8'), now()),
    decrypt: (token) => opened(token)?.plain.toString('utf8') ?? null,
    rotate(token) {
      const found = opened(token);
      return found === null ? null : sealed(current, found.plain, found.timestamp);
    },
  };
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {Key}
 */
function keyOf(name, text) {
  if (!/^[\w-]{43}=$/.test(text)) {
    throw new InvalidVariable(`${name} must be 32 bytes in URL-safe base64, 44 characters; it is not.`);
  }
  const bytes = Buffer.from(text, 'base64url');
  return { signing: bytes.subarray(0, 16), encryption: bytes.subarray(16) };
}

/** Seconds since 1970, as a token holds them. */
function now() {
  const bytes = Buffer.alloc(timestampBytes);
  bytes.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)));
  return bytes;
}

/**
 * @param {Key} key
 * @param {Buffer} plain
 * @param {Buffer} timestamp
 */
function sealed(key, plain, timestamp) {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-128-cbc', key.encryption, iv);
  const signed = Buffer.concat([Buffer.from([version]), timestamp, iv, cipher.update(plain), cipher.final()]);
  const bytes = Buffer.concat([signed, createHmac('sha256', key.signing).update(signed).digest()]);
  return bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}

/**
 * @param {string} token
 * @returns {Buffer | null} null: it is not laid out as a token
 */
function bytesOf(token) {
  if (!/^[\w-]+={0,2}$/.test(token) || token.length % 4 !== 0) return null;
  const bytes = Buffer.from(token, 'base64url');
  const blocks = bytes.length - ciphertextAt - tagBytes;
  return bytes[0] === version && blocks > 0 && blocks % 16 === 0 ? bytes : null;
}

/**
 * @param {Key} key
 * @param {Buffer} bytes
 */
function openedBy({ signing, encryption }, bytes) {
  const signed = bytes.subarray(0, -tagBytes);
  const tag = createHmac('sha256', signing).update(signed).digest();
  if (!timingSafeEqual(tag, bytes.subarray(-tagBytes))) return null;
  const decipher = createDecipheriv('aes-128-cbc', encryption, signed.subarray(ivAt, ciphertextAt));
  try {
    return Buffer.concat([decipher.update(signed.subarray(ciphertextAt)), decipher.final()]);
  } catch {
    return null;
  }
}
