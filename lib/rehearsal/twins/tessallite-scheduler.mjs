/** A stand-in of Tessallite’s scheduler: it refreshes aggregates out of source databases at their cadences. */
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { serve } from './http-server.mjs';
import { connections, credentialsOf, databaseUrl, replyOf } from './tessallite-credentials.mjs';
import { multiFernetOf } from './tessallite-fernet.mjs';
import { listeningPort, settingsOrExit } from './variables.mjs';

const settings = settingsOrExit('tessallite-scheduler', (environment) => ({
  databaseUrl: databaseUrl(environment),
  fernet: multiFernetOf(environment),
  port: listeningPort(environment, 'SCHEDULER_PORT', 8004),
}));
const { query } = databaseOf(settings.databaseUrl);
const { readOne } = credentialsOf(query, settings.fernet);

const held = await databaseSessions('tessallite-scheduler', {
  connectionString: settings.databaseUrl,
});

serve({
  twin: 'tessallite-scheduler',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /jobs/refresh/:id': async ({ parts }) => replyOf(await readOne(connections, parts.id ?? '')),
  },
});
