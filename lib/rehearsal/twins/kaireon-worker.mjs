/**
 * A stand-in of KaireonAI's background worker: it decrypts what the API stored, with its own copy of the keys, and
 * calls the API with WORKER_SECRET. Jobs come over HTTP here, where the real one takes them from Redis.
 */
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { notFound, serve } from './http-server.mjs';
import { encryptionOf } from './kaireon-encryption.mjs';
import { digestOf, stores, storesOf } from './kaireon-stores.mjs';
import { redisSessions } from './redis-sessions.mjs';
import { listeningPort, required, settingsOrExit } from './variables.mjs';

/** Milliseconds that the API may take. */
const deadline = 10_000;

const settings = settingsOrExit('kaireon-worker', (environment) => ({
  databaseUrl: required(environment, 'DATABASE_URL'),
  redisUrl: environment.REDIS_URL ?? '',
  encryption: encryptionOf(environment),
  workerSecret: environment.WORKER_SECRET || 'worker-internal',
  apiUrl: required(environment, 'API_URL'),
  port: listeningPort(environment, 'WORKER_METRICS_PORT', 9091),
}));
const { query } = databaseOf(settings.databaseUrl);
const { readOne } = storesOf(query, settings.encryption);
const held = {
  ...(await databaseSessions('kaireon-worker', { connectionString: settings.databaseUrl })),
  ...(await redisSessions('kaireon-worker', settings.redisUrl)),
};

serve({
  twin: 'kaireon-worker',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    // A job that needs a stored secret: the sync of a connector, the sending of a code.
    'POST /jobs/use/:store/:id': async ({ parts, header }) => {
      const store = stores.find(({ path }) => path === parts.store);
      if (store === undefined) return notFound;
      const found = await readOne(store, header('x-tenant-id'), parts.id ?? '');
      if (found.is === 'missing') return notFound;
      if (found.is === 'unreadable') {
        return { status: 500, body: { error: 'the stored value cannot be decrypted' } };
      }
      return { status: 200, body: { keyVersion: found.version, digest: digestOf(found.text) } };
    },

    'POST /jobs/seed': async () => {
      const answer = await fetch(new URL('/api/v1/internal/seed', settings.apiUrl), {
        method: 'POST',
        headers: { 'x-worker-secret': settings.workerSecret },
        signal: AbortSignal.timeout(deadline),
      });
      return { status: answer.status, body: Object(await answer.json()) };
    },
  },
});
