/**
 * The four stores of KaireonAI that are encrypted, after its document on key rotation: connectors, platform settings,
 * OIDC client secrets of single sign-on, and TOTP secrets of people. Every row is one tenant's.
 */
import { createHash } from 'node:crypto';
import { packed, read, unpacked, written } from './kaireon-encryption.mjs';

/**
 * @typedef {import('./database.mjs').Query} Query
 * @typedef {import('./kaireon-encryption.mjs').Encryption} Encryption
 * @typedef {import('./kaireon-encryption.mjs').Sealed} Sealed
 *
 * @typedef {object} Store
 * @property {string} name as the answer of the rotation calls it
 * @property {string} path as the API calls it
 * @property {string} table
 * @property {string} column
 * @property {'text' | 'bytes'} kind `bytes`: the key's number is in the column "keyVersion"
 *
 * @typedef {object} StoreReport
 * @property {number} total values that are encrypted
 * @property {number} rotated values that were, or in a dry run would be, moved to the key that writes
 * @property {{ id: string, error: string }[]} errors
 */

/** @type {readonly Store[]} */
export const stores = [
  { name: 'connectors', path: 'connectors', table: '"Connector"', column: '"authConfig"', kind: 'text' },
  {
    name: 'platformSettings',
    path: 'platform-settings',
    table: '"PlatformSetting"',
    column: '"value"',
    kind: 'bytes',
  },
  {
    name: 'ssoConfigs',
    path: 'sso-configs',
    table: '"SsoConfig"',
    column: '"oidcClientSecret"',
    kind: 'text',
  },
  { name: 'mfaSecrets', path: 'mfa-secrets', table: '"User"', column: '"mfaSecret"', kind: 'text' },
];

/** What the call cannot move, and why: the document's own two. */
export const notRotated = [
  {
    store: 'User.mfaBackupCodes',
    reason: 'They are SHA-256 hashes: there is nothing to decrypt.',
  },
  {
    store: 'dsar_exports.payload',
    reason: 'It is plain JSON: there is no ciphertext in it.',
  },
];

/** Times that a row is taken anew when somebody else wrote it meanwhile. */
const tries = 3;

/** What a reader may be shown of a secret: the API never returns the secret itself. @param {string} text */
export function digestOf(text) {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/**
 * @param {Query} query
 * @param {Encryption} encryption
 */
export function storesOf(query, encryption) {
  return {
    /**
     * @param {Store} store
     * @param {string} tenant
     * @param {string} id
     * @returns {Promise<{ is: 'missing' | 'unreadable' } | { is: 'open', text: string, version: number }>}
     */
    async readOne(store, tenant, id) {
      const { rows } = await query(
        `SELECT ${columnsOf(store)} FROM ${store.table} WHERE id = $1 AND "tenantId" = $2`,
        [id, tenant],
      );
      const [row] = rows;
      if (row === undefined || row.sealed === null) return { is: 'missing' };
      const sealed = sealedOf(store, row);
      const text = sealed === null ? null : encryption.open(sealed);
      return text === null ? { is: 'unreadable' } : { is: 'open', text, version: sealed?.version ?? 0 };
    },

    /**
     * Made, or written over. Resolves once the database has committed it.
     *
     * @param {Store} store
     * @param {string} tenant
     * @param {string} id
     * @param {string} text
     * @returns {Promise<boolean>} false: the row is another tenant's
     */
    async writeOne(store, tenant, id, text) {
      const { names, values } = columnsFor(store, encryption.seal(text));
      const { rowCount } = await query(
        `INSERT INTO ${store.table} (id, "tenantId", ${names.join(', ')})
         VALUES ($1, $2, ${names.map((_, index) => `$${index + 3}`).join(', ')})
         ON CONFLICT (id) DO UPDATE SET ${names.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}
         WHERE ${store.table}."tenantId" = EXCLUDED."tenantId"`,
        [id, tenant, ...values],
      );
      return rowCount === 1;
    },

    /**
     * Moves a tenant's values to the key that writes; those that are under it stay as they are.
     *
     * @param {Store} store
     * @param {string} tenant
     * @param {boolean} dryRun
     * @returns {Promise<StoreReport>}
     */
    async rotate(store, tenant, dryRun) {
      const { rows } = await query(
        `SELECT id, ${columnsOf(store)} FROM ${store.table}
         WHERE "tenantId" = $1 AND ${store.column} IS NOT NULL ORDER BY id`,
        [tenant],
      );
      /** @type {StoreReport} */
      const report = { total: rows.length, rotated: 0, errors: [] };
      for (const row of rows) {
        const outcome = await rotateOne(store, row, dryRun, tries);
        if (outcome === 'rotated') report.rotated += 1;
        else if (outcome !== 'current') report.errors.push({ id: row.id, error: outcome });
      }
      return report;
    },
  };

  /**
   * @param {Store} store
   * @param {any} row
   * @param {boolean} dryRun
   * @param {number} left
   * @returns {Promise<string>} `rotated`, `current`, or a sentence
   */
  async function rotateOne(store, row, dryRun, left) {
    const sealed = sealedOf(store, row);
    const text = sealed === null ? null : encryption.open(sealed);
    if (sealed === null || text === null) return 'It cannot be decrypted with the keys that are held.';
    if (sealed.version === encryption.version) return 'current';
    if (dryRun) return 'rotated';
    const { names, values } = columnsFor(store, encryption.seal(text));
    // Only over what was read: a write that came in between must not be undone.
    const { rowCount } = await query(
      `UPDATE ${store.table} SET ${names.map((name, index) => `${name} = $${index + 3}`).join(', ')}
       WHERE id = $1 AND ${store.column} = $2`,
      [row.id, row.sealed, ...values],
    );
    if (rowCount === 1) return 'rotated';
    if (left === 1) return 'It was written again and again while it was rotated.';
    const { rows } = await query(`SELECT id, ${columnsOf(store)} FROM ${store.table} WHERE id = $1`, [
      row.id,
    ]);
    return rows[0]?.sealed == null ? 'current' : rotateOne(store, rows[0], dryRun, left - 1);
  }
}

/** @param {Store} store */
function columnsOf({ column, kind }) {
  return kind === 'text' ? `${column} AS sealed` : `${column} AS sealed, "keyVersion" AS version`;
}

/**
 * @param {Store} store
 * @param {{ sealed: any, version?: number }} row
 */
function sealedOf({ kind }, row) {
  return kind === 'text' ? read(row.sealed) : unpacked(row.sealed, row.version ?? 0);
}

/**
 * @param {Store} store
 * @param {Sealed} sealed
 * @returns {{ names: string[], values: unknown[] }}
 */
export function columnsFor({ column, kind }, sealed) {
  return kind === 'text'
    ? { names: [column], values: [written(sealed)] }
    : { names: [column, '"keyVersion"'], values: [packed(sealed), sealed.version] };
}
