/**
 * How oCore's stand-in keeps SSH credentials: AES-256-GCM under a key derived from SSH_ENCRYPTION_KEY by HKDF-SHA256
 * (RFC 5869). One key, no second one, no number on the rows, no call that re-encrypts them.
 *
 * The document names the cipher and HKDF, but neither salt nor info nor the layout. Ours: salt `ocore`, info
 * `ssh-credentials`, and nonce, ciphertext, tag, as Go's `Seal(nonce, nonce, …)` writes them.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** @param {string} text */
export function vaultOf(text) {
  const key = Buffer.from(hkdfSync('sha256', text, 'ocore', 'ssh-credentials', keyBytes));
  return {
    /** @param {string} credential */
    seal(credential) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
      const ciphertext = Buffer.concat([cipher.update(credential, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
    },
    /**
     * @param {Buffer} sealed
     * @returns {string | null} null: another key's, altered, or too short
     */
    open(sealed) {
      if (sealed.length < nonceBytes + tagBytes) return null;
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAuthTag(sealed.subarray(-tagBytes));
      try {
        const plain = decipher.update(sealed.subarray(nonceBytes, -tagBytes));
        return Buffer.concat([plain, decipher.final()]).toString('utf8');
      } catch {
        return null;
      }
    },
  };
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
      const { rows } = await query('SELECT credential FROM ssh_credentials WHERE id = $1', [id]);
      if (rows[0] === undefined) return { is: 'missing' };
      const text = vault.open(rows[0].credential);
      if (text === null) return { is: 'unreadable' };
      // Whoever asks may use a credential; nobody is shown it.
      return { is: 'open', digest: createHash('sha256').update(text, 'utf8').digest('hex') };
    },
    /**
     * Resolves once the database has committed it.
     *
     * @param {string} id
     * @param {string} text
     */
    async writeOne(id, text) {
      await query(
        `INSERT INTO ssh_credentials (id, kind, credential) VALUES ($1, 'key', $2)
         ON CONFLICT (id) DO UPDATE SET credential = EXCLUDED.credential`,
        [id, vault.seal(text)],
      );
    },
  };
}
