/**
 * Makes the table of SSH credentials of oCore's stand-in and fills it with ROWS rows under SSH_ENCRYPTION_KEY. A process
 * of its own, run once before the platform starts; running it again does no harm.
 */
import { databaseOf } from './database.mjs';
import { vaultOf } from './ocore-credentials.mjs';
import { integer, required, settingsOrExit } from './variables.mjs';

const { databaseUrl, vault, rows } = settingsOrExit('ocore-data', (environment) => ({
  databaseUrl: required(environment, 'DATABASE_URL'),
  vault: vaultOf(required(environment, 'SSH_ENCRYPTION_KEY')),
  rows: integer(environment, 'ROWS', { preset: 40, least: 1, most: 1_000_000 }),
}));
const { query, end } = databaseOf(databaseUrl);

/** Rows of one INSERT. */
const batch = 1000;

await query(
  'CREATE TABLE IF NOT EXISTS ssh_credentials (id text PRIMARY KEY, kind text NOT NULL, credential bytea NOT NULL)',
);
for (let from = 1; from <= rows; from += batch) {
  const ids = Array.from(
    { length: Math.min(batch, rows - from + 1) },
    (_, index) => `credential-${from + index}`,
  );
  await query(
    `INSERT INTO ssh_credentials (id, kind, credential)
     SELECT u.id, u.kind, u.credential FROM unnest($1::text[], $2::text[], $3::bytea[]) AS u (id, kind, credential)
     ON CONFLICT DO NOTHING`,
    [
      ids,
      ids.map((_, index) => (index % 2 === 0 ? 'key' : 'password')),
      ids.map((id) => vault.seal(`what was stored as ${id} before the platform started`)),
    ],
  );
}
await end();
