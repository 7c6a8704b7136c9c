/** A stand-in of Tessallite’s optimizer: it profiles source databases, and asks LLM providers for suggestions. */
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { serve } from './http-server.mjs';
import { connections, credentialsOf, databaseUrl, providers, replyOf } from './tessallite-credentials.mjs';
import { multiFernetOf } from './tessallite-fernet.mjs';
import { listeningPort, settingsOrExit } from './variables.mjs';

const settings = settingsOrExit('tessallite-optimizer', (environment) => ({
  databaseUrl: databaseUrl(environment),
  fernet: multiFernetOf(environment),
  port: listeningPort(environment, 'OPTIMIZER_PORT', 8003),
}));
const { query } = databaseOf(settings.databaseUrl);
const { readOne } = credentialsOf(query, settings.fernet);

const held = await databaseSessions('tessallite-optimizer', {
  connectionString: settings.databaseUrl,
});

serve({
  twin: 'tessallite-optimizer',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /jobs/profile/:id': async ({ parts }) => replyOf(await readOne(connections, parts.id ?? '')),
    'POST /jobs/suggest/:id': async ({ parts }) => replyOf(await readOne(providers, parts.id ?? '')),
  },
});
