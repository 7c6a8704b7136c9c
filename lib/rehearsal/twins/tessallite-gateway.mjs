/**
 * A stand-in of Tessallite's gateway, which business intelligence tools connect to. XMLA requests it answers itself, and
 * opens the source database with the stored credential for that; SQL it passes on to the query router. The real one
 * speaks XMLA and JDBC, this one JSON over HTTP.
 */
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { serve } from './http-server.mjs';
import { connections, credentialsOf, databaseUrl, replyOf } from './tessallite-credentials.mjs';
import { multiFernetOf } from './tessallite-fernet.mjs';
import { sessionsOf } from './tessallite-sessions.mjs';
import { listeningPort, settingsOrExit } from './variables.mjs';

/** Milliseconds that the query router may take. */
const deadline = 10_000;

const settings = settingsOrExit('tessallite-gateway', (environment) => ({
  databaseUrl: databaseUrl(environment),
  fernet: multiFernetOf(environment),
  sessions: sessionsOf(environment),
  queryRouterUrl: environment.QUERY_ROUTER_URL || 'http://query-router:8002',
  port: listeningPort(environment, 'XMLA_PORT', 8080),
}));
const { sessions } = settings;
const { query } = databaseOf(settings.databaseUrl);
const { readOne } = credentialsOf(query, settings.fernet);

const held = await databaseSessions('tessallite-gateway', {
  connectionString: settings.databaseUrl,
});

serve({
  twin: 'tessallite-gateway',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /xmla': sessions.within(async () => ({ status: 200, body: { catalogs: ['sales'] } })),

    'POST /xmla/:id': sessions.within(async (_claims, { parts }) =>
      replyOf(await readOne(connections, parts.id ?? '')),
    ),

    'POST /sql/:id': sessions.within(async (_claims, { parts }) => {
      const answer = await fetch(new URL(`/queries/${parts.id}`, settings.queryRouterUrl), {
        method: 'POST',
        signal: AbortSignal.timeout(deadline),
      });
      return { status: answer.status, body: Object(await answer.json()) };
    }),
  },
});
