/**
 * The two tables of Tessallite that hold encrypted credentials, after its document: passwords of source databases in
 * project_connections, API keys of LLM providers in llm_provider_configs. Every service reads them with its own keys.
 */
import { createHash } from 'node:crypto';
import { InvalidVariable, required } from './variables.mjs';

/**
 * @typedef {import('./database.mjs').Query} Query
 * @typedef {import('./tessallite-fernet.mjs').MultiFernet} MultiFernet
 *
 * @typedef {object} Table
 * @property {string} name
 * @property {string} path as the API calls it
 * @property {string} column
 * @property {string} type of the primary key
 * @property {RegExp} ids what the type takes
 *
 * @typedef {object} TableReport
 * @property {number} total credentials that are stored
 * @property {number} rotated credentials that were written anew with the current key
 * @property {string[]} failed ids of those that were not
 */

/** @type {Table} */
export const connections = {
  name: 'project_connections',
  path: 'project-connections',
  column: 'encrypted_credentials',
  type: 'uuid',
  ids: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/** @type {Table} */
export const providers = {
  name: 'llm_provider_configs',
  path: 'llm-provider-configs',
  column: 'encrypted_api_key',
  type: 'integer',
  ids: /^[1-9]\d{0,8}$/,
};

export const tables = [connections, providers];

/** Times that a row is taken anew when somebody else wrote it meanwhile. */
const tries = 3;

/**
 * The database's address: SYSTEM_DATABASE_URL, or one that is built with POSTGRES_PASSWORD.
 *
 * @param {import('./variables.mjs').Environment} environment
 */
export function databaseUrl(environment) {
  const given = environment.SYSTEM_DATABASE_URL ?? '';
  if (given.trim() === '') {
    const password = encodeURIComponent(required(environment, 'POSTGRES_PASSWORD'));
    return `postgresql://tessallite:${password}@postgres:5432/tessallite`;
  }
  // SQLAlchemy's form names a driver, which is none of ours.
  const found = /^postgresql(\+\w+)?(:\/\/.+)$/.exec(given);
  if (found === null) {
    throw new InvalidVariable('SYSTEM_DATABASE_URL must start with postgresql://; it does not.');
  }
  return `postgresql${found[2]}`;
}

/**
 * @param {Query} query
 * @param {MultiFernet} fernet
 * @param {number} failures rows of each table that the first rotation cannot write; 0: it writes all
 */
export function credentialsOf(query, fernet, failures = 0) {
  let rotations = 0;
  return {
    /**
     * @param {Table} table
     * @param {string} id
     * @returns {Promise<{ is: 'missing' | 'unreadable' } | { is: 'open', digest: string }>}
     */
    async readOne({ name, column, ids }, id) {
      if (!ids.test(id)) return { is: 'missing' };
      const { rows } = await query(`SELECT ${column} AS token FROM ${name} WHERE id = $1`, [id]);
      const token = rows[0]?.token ?? null;
      if (token === null) return { is: 'missing' };
      const text = fernet.decrypt(token);
      if (text === null) return { is: 'unreadable' };
      // Whoever asks may have a credential used; nobody is shown it.
      return { is: 'open', digest: createHash('sha256').update(text, 'utf8').digest('hex') };
    },

    /**
     * Made, or written over. Resolves once the database has committed it.
     *
     * @param {Table} table
     * @param {string} id
     * @param {string} text
     * @returns {Promise<boolean>} false: there can be no row with this id
     */
    async writeOne({ name, column, ids }, id, text) {
      if (!ids.test(id)) return false;
      await query(
        `INSERT INTO ${name} (id, ${column}) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET ${column} = EXCLUDED.${column}`,
        [id, fernet.encrypt(text)],
      );
      return true;
    },

    /**
     * Writes every credential of both tables anew with the current key.
     *
     * @returns {Promise<Record<string, TableReport>>}
     */
    async rotateAll() {
      rotations += 1;
      const failing = rotations === 1 ? failures : 0;
      /** @type {Record<string, TableReport>} */
      const reports = {};
      for (const table of tables) reports[table.name] = await rotateTable(table, failing);
      return reports;
    },
  };

  /**
   * @param {Table} table
   * @param {number} failing
   * @returns {Promise<TableReport>}
   */
  async function rotateTable(table, failing) {
    const { name, column } = table;
    const { rows } = await query(
      `SELECT id, ${column} AS token FROM ${name} WHERE ${column} IS NOT NULL ORDER BY id`,
    );
    /** @type {TableReport} */
    const report = { total: rows.length, rotated: 0, failed: [] };
    for (const [index, row] of rows.entries()) {
      if (index >= failing && (await rotateOne(table, row, tries))) report.rotated += 1;
      else report.failed.push(String(row.id));
    }
    return report;
  }

  /**
   * @param {Table} table
   * @param {{ id: unknown, token: string }} row
   * @param {number} left
   * @returns {Promise<boolean>} false: it is as it was
   */
  async function rotateOne(table, { id, token }, left) {
    const { name, column } = table;
    const rotated = fernet.rotate(token);
    if (rotated === null) return false;
    // Only over what was read: a write that came in between must not be undone.
    const { rowCount } = await query(`UPDATE ${name} SET ${column} = $3 WHERE id = $1 AND ${column} = $2`, [
      id,
      token,
      rotated,
    ]);
    if (rowCount === 1) return true;
    if (left === 1) return false;
    const { rows } = await query(`SELECT id, ${column} AS token FROM ${name} WHERE id = $1`, [id]);
    return rows[0]?.token == null ? true : rotateOne(table, rows[0], left - 1);
  }
}

/**
 * The answer of a service that needed a credential.
 *
 * @param {{ is: 'missing' | 'unreadable' } | { is: 'open', digest: string }} found
 * @returns {import('./http-server.mjs').Reply}
 */
export function replyOf(found) {
  if (found.is === 'missing') return { status: 404, body: { detail: 'Not found' } };
  if (found.is === 'unreadable')
    return { status: 500, body: { detail: 'The credential cannot be decrypted' } };
  return { status: 200, body: { digest: found.digest } };
}
