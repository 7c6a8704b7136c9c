/**
 * How KaireonAI's stand-in encrypts what it stores: AES-256-GCM under SHA-256 of CONNECTOR_ENCRYPTION_KEY's text, each
 * value tagged with the number of its key. It holds one key more, for reading, and no third one.
 *
 * Written from the document alone and without Keyturn's own codecs: what these read and write, this proves.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { integer, longEnough, required } from './variables.mjs';

const algorithm = 'aes-256-gcm';
const leastCharacters = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * @typedef {object} Sealed
 * @property {number} version
 * @property {Buffer} nonce
 * @property {Buffer} tag
 * @property {Buffer} ciphertext
 *
 * @typedef {object} Encryption
 * @property {number} version the number of the key that writes
 * @property {(text: string) => Sealed} seal
 * @property {(sealed: Sealed) => string | null} open null: no key of that number is held, or the tag does not fit
 */

/**
 * @param {import('./variables.mjs').Environment} environment
 * @returns {Encryption}
 */
export function encryptionOf(environment) {
  const name = 'CONNECTOR_ENCRYPTION_KEY';
  const version = integer(environment, `${name}_VERSION`, { preset: 1, least: 0, most: 999_999 });
  const key = derived(longEnough(name, required(environment, name), leastCharacters));
  const previousText = environment[`${name}_PREVIOUS`] ?? '';
  const previousVersion = integer(environment, `${name}_PREVIOUS_VERSION`, {
    preset: 0,
    least: 0,
    most: 999_999,
  });
  const previous =
    previousText === '' ? null : derived(longEnough(`${name}_PREVIOUS`, previousText, leastCharacters));

  /** @param {number} tagged */
  const keyOf = (tagged) => (tagged === version ? key : tagged === previousVersion ? previous : null);

  return {
    version,
    seal(text) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return { version, nonce, tag: cipher.getAuthTag(), ciphertext };
    },
    open({ version: tagged, nonce, tag, ciphertext }) {
      const held = keyOf(tagged);
      if (held === null || nonce.length !== nonceBytes || tag.length !== tagBytes) return null;
      const decipher = createDecipheriv(algorithm, held, nonce, { authTagLength: tagBytes });
      decipher.setAuthTag(tag);
      try {
        return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString('utf8');
      } catch {
        return null;
      }
    },
  };
}

/** @param {string} text */
function derived(text) {
  return createHash('sha256').update(text, 'utf8').digest();
}

/**
 * The versioned text of connectors, OIDC client secrets and TOTP secrets: `v2:nonce:tag:ciphertext`, the three in
 * base64. The document does not give the real layout; this one is ours.
 *
 * @param {Sealed} sealed
 */
export function written({ version, nonce, tag, ciphertext }) {
  return [`v${version}`, ...[nonce, tag, ciphertext].map((part) => part.toString('base64'))].join(':');
}

/**
 * @param {string} text
 * @returns {Sealed | null} null: it is not laid out so
 */
export function read(text) {
  const [, version, ...parts] = /^v(\d{1,6}):([\w+/=]+):([\w+/=]+):([\w+/=]*)$/.exec(text) ?? [];
  const [nonce, tag, ciphertext] = parts.map((part) => Buffer.from(part, 'base64'));
  if (version === undefined || nonce === undefined || tag === undefined || ciphertext === undefined)
    return null;
  return { version: Number(version), nonce, tag, ciphertext };
}

/**
 * The bytes of a platform setting: nonce, tag, ciphertext; its key's number stands in a column of its own.
 *
 * @param {Sealed} sealed
 */
export function packed({ nonce, tag, ciphertext }) {
  return Buffer.concat([nonce, tag, ciphertext]);
}

/**
 * @param {Buffer} bytes
 * @param {number} version
 * @returns {Sealed | null} null: it is too short
 */
export function unpacked(bytes, version) {
  if (bytes.length < nonceBytes + tagBytes) return null;
  const from = nonceBytes + tagBytes;
  return {
    version,
    nonce: bytes.subarray(0, nonceBytes),
    tag: bytes.subarray(nonceBytes, from),
    ciphertext: bytes.subarray(from),
  };
}
