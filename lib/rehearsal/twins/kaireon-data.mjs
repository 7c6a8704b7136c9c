/**
 * Makes the tables of KaireonAI's stand-in and fills them, as a platform that has run for a while: rows of several
 * tenants in four stores, all under the key that writes now, and an admin's API key for each tenant. A process of its
 * own, run once before the platform starts; running it again does no harm.
 *
 * TENANT_KEYS is a JSON object, tenant -> API key. ROWS is how many rows each tenant has in each store.
 */
import { createHash, createHmac } from 'node:crypto';
import { databaseOf } from './database.mjs';
import { encryptionOf } from './kaireon-encryption.mjs';
import { columnsFor, stores } from './kaireon-stores.mjs';
import { InvalidVariable, integer, required, settingsOrExit } from './variables.mjs';

const settings = settingsOrExit('kaireon-data', (environment) => ({
  databaseUrl: required(environment, 'DATABASE_URL'),
  encryption: encryptionOf(environment),
  pepper: required(environment, 'API_KEY_PEPPER'),
  tenantKeys: tenantKeys(required(environment, 'TENANT_KEYS')),
  rows: integer(environment, 'ROWS', { preset: 20, least: 1, most: 1_000_000 }),
}));
const { query, end } = databaseOf(settings.databaseUrl);

/** Rows of one INSERT. */
const batch = 1000;

await query(`
  CREATE TABLE IF NOT EXISTS "ApiKey" (hash text PRIMARY KEY, "tenantId" text NOT NULL, role text NOT NULL);
  CREATE TABLE IF NOT EXISTS "Connector" (
    id text PRIMARY KEY, "tenantId" text NOT NULL, "authConfig" text NOT NULL);
  CREATE TABLE IF NOT EXISTS "PlatformSetting" (
    id text PRIMARY KEY, "tenantId" text NOT NULL, "value" bytea NOT NULL, "keyVersion" integer NOT NULL);
  CREATE TABLE IF NOT EXISTS "SsoConfig" (
    id text PRIMARY KEY, "tenantId" text NOT NULL, "oidcClientSecret" text NOT NULL);
  CREATE TABLE IF NOT EXISTS "User" (
    id text PRIMARY KEY, "tenantId" text NOT NULL, "mfaSecret" text, "mfaBackupCodes" text[] NOT NULL DEFAULT '{}');
`);
for (const [tenant, key] of Object.entries(settings.tenantKeys)) {
  const hash = createHmac('sha256', settings.pepper).update(key).digest('hex');
  await query('INSERT INTO "ApiKey" VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [hash, tenant, 'admin']);
  for (const store of stores) {
    for (let from = 1; from <= settings.rows; from += batch) {
      await fill(store, tenant, from, Math.min(from + batch - 1, settings.rows));
    }
  }
  await query(
    `INSERT INTO "User" (id, "tenantId", "mfaBackupCodes") VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
    [`${tenant}-without-mfa`, tenant, [createHash('sha256').update('a backup code').digest('hex')]],
  );
}
await end();

/**
 * @param {import('./kaireon-stores.mjs').Store} store
 * @param {string} tenant
 * @param {number} from
 * @param {number} to
 */
async function fill(store, tenant, from, to) {
  const ids = Array.from({ length: to - from + 1 }, (_, index) => `${tenant}-${from + index}`);
  const rows = ids.map((id) => columnsFor(store, settings.encryption.seal(textOf(store, id))));
  const names = rows[0]?.names ?? [];
  const types = store.kind === 'text' ? ['text'] : ['bytea', 'integer'];
  await query(
    `INSERT INTO ${store.table} (id, "tenantId", ${names.join(', ')})
     SELECT u.id, $2, ${names.map((_, index) => `u.c${index}`).join(', ')}
     FROM unnest($1::text[], ${types.map((type, index) => `$${index + 3}::${type}[]`).join(', ')})
       AS u (id, ${names.map((_, index) => `c${index}`).join(', ')})
     ON CONFLICT DO NOTHING`,
    [ids, tenant, ...names.map((_, index) => rows.map(({ values }) => values[index]))],
  );
}

/**
 * @param {import('./kaireon-stores.mjs').Store} store
 * @param {string} id
 */
function textOf({ name }, id) {
  return JSON.stringify({
    of: `${name} ${id}`,
    secret: createHash('sha256').update(`${name} ${id}`).digest('hex'),
  });
}

/** @param {string} text @returns {Record<string, string>} */
function tenantKeys(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new InvalidVariable('TENANT_KEYS must be a JSON object; it is not.');
  }
}
