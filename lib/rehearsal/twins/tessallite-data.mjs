/**
 * Makes the tables of Tessallite's stand-in and fills them under CREDENTIAL_ENCRYPTION_KEY, as a platform that has run
 * for a while: source connections whose ids are in CONNECTIONS (separated by commas), PROVIDERS provider configs with
 * ids from 1, and one config of a provider that needs no key. A process of its own, run once before the platform
 * starts; running it again does no harm.
 */
import { createHash } from 'node:crypto';
import { databaseOf } from './database.mjs';
import { databaseUrl } from './tessallite-credentials.mjs';
import { multiFernetOf } from './tessallite-fernet.mjs';
import { integer, required, settingsOrExit } from './variables.mjs';

const settings = settingsOrExit('tessallite-data', (environment) => ({
  databaseUrl: databaseUrl(environment),
  fernet: multiFernetOf(environment),
  connections: required(environment, 'CONNECTIONS').split(','),
  providers: integer(environment, 'PROVIDERS', { preset: 10, least: 1, most: 1_000_000 }),
}));
const { query, end } = databaseOf(settings.databaseUrl);

/** Of a config without a key: none that clients write. */
const keylessId = 1_000_000_000;

await query(`
  CREATE TABLE IF NOT EXISTS project_connections (
    id uuid PRIMARY KEY, connector text NOT NULL DEFAULT 'postgresql', encrypted_credentials text NOT NULL);
  CREATE TABLE IF NOT EXISTS llm_provider_configs (
    id integer PRIMARY KEY, provider text NOT NULL DEFAULT 'openai', encrypted_api_key text);
`);
await query(
  `INSERT INTO project_connections (id, encrypted_credentials)
   SELECT u.id, u.token FROM unnest($1::uuid[], $2::text[]) AS u (id, token) ON CONFLICT DO NOTHING`,
  [
    settings.connections,
    settings.connections.map((id) => settings.fernet.encrypt(textOf(`connection ${id}`))),
  ],
);
const providers = Array.from({ length: settings.providers }, (_, index) => index + 1);
await query(
  `INSERT INTO llm_provider_configs (id, encrypted_api_key)
   SELECT u.id, u.token FROM unnest($1::integer[], $2::text[]) AS u (id, token) ON CONFLICT DO NOTHING`,
  [providers, providers.map((id) => settings.fernet.encrypt(textOf(`provider ${id}`)))],
);
await query(`INSERT INTO llm_provider_configs (id, provider) VALUES ($1, 'ollama') ON CONFLICT DO NOTHING`, [
  keylessId,
]);
await end();

/** @param {string} of */
function textOf(of) {
  return JSON.stringify({ of, password: createHash('sha256').update(of).digest('hex') });
}
