/**
 * The envelope of Exo's stand-in: EXO_ENCRYPTION_KEY, 32 bytes of text, wraps one key-encryption key, and that key
 * encrypts every sensitive column. The document names AES-256 and no layout; ours is nonce, ciphertext, tag.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** @param {Buffer} key 32 bytes */
export function vaultOf(key) {
  return {
    /** @param {Buffer} plain */
    seal(plain) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    /**
     * @param {Buffer} sealed
     * @returns {Buffer | null} null: another key's, altered, or too short
     */
    open(sealed) {
      if (sealed.length < nonceBytes + tagBytes) return null;
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      try {
        return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
      } catch {
        return null;
      }
    },
  };
}

/**
 * The vault of the columns, once the root key has unwrapped its key; null when it cannot, or when there is none.
 *
 * @param {import('./database.mjs').Query} query
 * @param {string} root
 */
export async function unwrapped(query, root) {
  const { rows } = await query('SELECT wrapped_key FROM encryption_keyring ORDER BY id LIMIT 1');
  const key = rows[0] === undefined ? null : vaultOf(Buffer.from(root)).open(rows[0].wrapped_key);
  return key === null ? null : vaultOf(key);
}

/**
 * @param {import('./database.mjs').Query} query
 * @param {ReturnType<typeof vaultOf>} vault
 */
export function credentialsOf(query, vault) {
  return {
    /**
     * @param {string} id
     * @returns {Promise<{ is: 'missing' | 'unreadable' } | { is: 'open', digest: string }>}
     */
    async readOne(id) {
      const { rows } = await query('SELECT credential FROM integration_credentials WHERE id = $1', [id]);
      if (rows[0] === undefined) return { is: 'missing' };
      const plain = vault.open(rows[0].credential);
      if (plain === null) return { is: 'unreadable' };
      // Whoever asks may use a credential; nobody is shown it.
      return { is: 'open', digest: createHash('sha256').update(plain).digest('hex') };
    },
    /**
     * Resolves once the database has committed it.
     *
     * @param {string} id
     * @param {string} text
     */
    async writeOne(id, text) {
      await query(
        `INSERT INTO integration_credentials (id, credential) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET credential = EXCLUDED.credential`,
        [id, vault.seal(Buffer.from(text))],
      );
    },
  };
}

/**
 * The DSN as the document writes it, keyword=value, as a URL. Values may be quoted, with backslashes before what would
 * end them (PostgreSQL documentation, section 34.1.1.1).
 *
 * @param {string} dsn
 */
export function urlOf(dsn) {
  const parts = new Map(
    [...dsn.matchAll(/(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))/g)].map(
      ([, name = '', quoted, plain = '']) => [name, (quoted ?? plain).replace(/\\(.)/g, '$1')],
    ),
  );
  const of = (/** @type {string} */ name) => encodeURIComponent(parts.get(name) ?? '');
  const rest = ['sslmode', 'sslrootcert'].flatMap((name) => (parts.has(name) ? [`${name}=${of(name)}`] : []));
  return `postgresql://${of('user')}:${of('password')}@${parts.get('host')}:${parts.get('port') ?? '5432'}/${of('dbname')}?${rest.join('&')}`;
}
