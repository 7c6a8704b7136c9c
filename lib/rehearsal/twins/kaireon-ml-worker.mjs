/** A stand-in of KaireonAI's ml-worker (FastAPI): it scores for callers that hold ML_WORKER_API_KEY. */
import { databaseSessions } from './database-sessions.mjs';
import { serve } from './http-server.mjs';
import { listeningPort, required, settingsOrExit } from './variables.mjs';

const { databaseUrl, key, port } = settingsOrExit('kaireon-ml-worker', (environment) => ({
  // Scoring as it is done here reads nothing.
  databaseUrl: required(environment, 'DATABASE_URL'),
  key: required(environment, 'ML_WORKER_API_KEY'),
  port: listeningPort(environment, 'ML_WORKER_PORT', 8000),
}));
const held = await databaseSessions('kaireon-ml-worker', { connectionString: databaseUrl });

/** @param {object} body @returns {import('./http-server.mjs').Handler} */
const guarded =
  (body) =>
  ({ bearer }) =>
    bearer === key ? { status: 200, body } : { status: 401, body: { detail: 'the key is not ours' } };

serve({
  twin: 'kaireon-ml-worker',
  port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),
    'GET /models': guarded({ models: [] }),
    'POST /score': guarded({ score: 0.5 }),
  },
});
