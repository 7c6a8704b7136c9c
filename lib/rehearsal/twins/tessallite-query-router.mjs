/** A stand-in of Tessallite’s query router: it opens source databases with the stored credentials. */
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { serve } from './http-server.mjs';
import { connections, credentialsOf, databaseUrl, replyOf } from './tessallite-credentials.mjs';
import { multiFernetOf } from './tessallite-fernet.mjs';
import { listeningPort, settingsOrExit } from './variables.mjs';

const settings = settingsOrExit('tessallite-query-router', (environment) => ({
  databaseUrl: databaseUrl(environment),
  fernet: multiFernetOf(environment),
  port: listeningPort(environment, 'QUERY_ROUTER_PORT', 8002),
}));
const { query } = databaseOf(settings.databaseUrl);
const { readOne } = credentialsOf(query, settings.fernet);

const held = await databaseSessions('tessallite-query-router', {
  connectionString: settings.databaseUrl,
});

serve({
  twin: 'tessallite-query-router',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /queries/:id': async ({ parts }) => replyOf(await readOne(connections, parts.id ?? '')),
  },
});
