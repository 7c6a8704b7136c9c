/**
 * Makes the tables of Exo's stand-in: one key-encryption key, wrapped by EXO_ENCRYPTION_KEY, and ROWS credentials that
 * it encrypts. A process of its own, run once before the platform starts; running it again does no harm.
 */
import { randomBytes } from 'node:crypto';
import { databaseOf } from './database.mjs';
import { unwrapped, urlOf, vaultOf } from './exo-envelope.mjs';
import { integer, required, settingsOrExit } from './variables.mjs';

const { databaseUrl, root, rows } = settingsOrExit('exo-data', (environment) => ({
  databaseUrl: urlOf(required(environment, 'EXO_DATABASE_DSN')),
  root: required(environment, 'EXO_ENCRYPTION_KEY'),
  rows: integer(environment, 'ROWS', { preset: 40, least: 1, most: 1_000_000 }),
}));
const { query, end } = databaseOf(databaseUrl);

await query(
  'CREATE TABLE IF NOT EXISTS encryption_keyring (id text PRIMARY KEY, wrapped_key bytea NOT NULL)',
);
await query(
  'CREATE TABLE IF NOT EXISTS integration_credentials (id text PRIMARY KEY, credential bytea NOT NULL)',
);
await query(`INSERT INTO encryption_keyring VALUES ('kek-1', $1) ON CONFLICT DO NOTHING`, [
  vaultOf(Buffer.from(root)).seal(randomBytes(32)),
]);
const vault = await unwrapped(query, root);
if (vault === null) throw new Error('exo-data: the key-encryption key cannot be unwrapped');
const ids = Array.from({ length: rows }, (_, index) => `credential-${index + 1}`);
await query(
  `INSERT INTO integration_credentials SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING`,
  [ids, ids.map((id) => vault.seal(Buffer.from(`what was stored as ${id} before the platform started`)))],
);
await end();
