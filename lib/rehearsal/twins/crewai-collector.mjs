/** A stand-in of the trace collector (Wharf) of the CrewAI platform: it takes traces with tokens of WHARF_JWT_SECRET. */
import { serveVerifier } from './crewai-verifier.mjs';
import { databaseSessions } from './database-sessions.mjs';

serveVerifier({
  twin: 'crewai-collector',
  variable: 'WHARF_JWT_SECRET',
  more: await databaseSessions('crewai-collector', {
    connectionString: process.env.WHARF_POSTGRES_URL ?? '',
  }),
  routes: { 'GET /v1/whoami': {}, 'POST /v1/traces': { partialSuccess: {} } },
});
