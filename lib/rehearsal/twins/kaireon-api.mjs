/**
 * A stand-in of KaireonAI's API, after its documents "Environment variables" and "Key rotation": the same variables,
 * read at start only, the same refusals to start in production, sessions of NEXTAUTH_SECRET, OAuth2 tokens of
 * JWT_SIGNING_SECRET, the tokens of schedulers and workers, and four encrypted stores in PostgreSQL with the call that
 * moves a tenant's values to the key that writes.
 *
 * What it leaves out: cookies (a session is a bearer here) and everything that decides. The API never returns a stored
 * secret; where the real one would use it, this one returns its SHA-256.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { isText, notFound, serve } from './http-server.mjs';
import { encryptionOf } from './kaireon-encryption.mjs';
import { digestOf, notRotated, stores, storesOf } from './kaireon-stores.mjs';
import { redisSessions } from './redis-sessions.mjs';
import { tokensOf } from './tokens.mjs';
import { InvalidVariable, listeningPort, longEnough, required, settingsOrExit } from './variables.mjs';

/** Characters: the document's floor for every key. */
const leastCharacters = 32;

/** Lives of a session and of an OAuth2 token in milliseconds. The document gives none. */
const sessionLifetime = 12 * 3_600_000;
const oauthLifetime = 15 * 60_000;

/** Milliseconds that the ml-worker may take. */
const scoringDeadline = 10_000;

const settings = settingsOrExit('kaireon-api', (environment) => {
  const key = (/** @type {string} */ name) => longEnough(name, required(environment, name), leastCharacters);
  return {
    databaseUrl: databaseUrl(environment),
    redisUrl: environment.REDIS_URL ?? '',
    sessions: tokensOf(key('NEXTAUTH_SECRET')),
    oauth: tokensOf(key('JWT_SIGNING_SECRET')),
    encryption: encryptionOf(environment),
    pepper: key('API_KEY_PEPPER'),
    webhookSecret: key('WEBHOOK_SIGNING_SECRET'),
    workerSecret: environment.WORKER_SECRET || 'worker-internal',
    cronSecret: environment.CRON_SECRET ?? '',
    cronToken: environment.CRON_TOKEN ?? '',
    drainQueuesToken: environment.DRAIN_QUEUES_TOKEN ?? '',
    mlWorkerUrl: environment.ML_WORKER_URL ?? '',
    mlWorkerKey: environment.ML_WORKER_API_KEY ?? '',
    port: listeningPort(environment, 'PORT', 3000),
  };
});
const { encryption, sessions, oauth } = settings;
const { query } = databaseOf(settings.databaseUrl);
const { readOne, writeOne, rotate } = storesOf(query, encryption);
const held = {
  ...(await databaseSessions('kaireon-api', { connectionString: settings.databaseUrl })),
  ...(await redisSessions('kaireon-api', settings.redisUrl)),
};

/** @typedef {import('./http-server.mjs').Reply} Reply */
/** @typedef {import('./http-server.mjs').Received} Received */

const unauthorized = refusal(401, 'UNAUTHORIZED', 'the credential is missing, expired or not ours');

serve({
  twin: 'kaireon-api',
  port: settings.port,
  routes: {
    ...held,

    'GET /api/health': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /api/auth/login': async ({ body }) => {
      if (!isText(body.email) || !isText(body.password)) {
        return refusal(400, 'BAD_REQUEST', 'email and password must be given');
      }
      const token = await sessions.issue({ sub: body.email, use: 'session' }, sessionLifetime);
      return { status: 200, body: { token } };
    },
    'GET /api/v1/me': async ({ bearer }) => opened(await sessions.verify(bearer)),

    // Client credentials (RFC 6749 section 4.4), as JSON.
    'POST /api/v1/oauth/token': async ({ body }) => {
      if (
        body.grant_type !== 'client_credentials' ||
        !isText(body.client_id) ||
        !isText(body.client_secret)
      ) {
        return { status: 400, body: { error: 'invalid_request' } };
      }
      const token = await oauth.issue({ sub: body.client_id, use: 'oauth' }, oauthLifetime);
      return {
        status: 200,
        body: { access_token: token, token_type: 'Bearer', expires_in: oauthLifetime / 1000 },
      };
    },
    'GET /api/v1/decisions': async ({ bearer }) => opened(await oauth.verify(bearer)),

    'GET /api/v1/cron/cleanup': ofScheduler(() => settings.cronSecret, { lastRun: null }),
    'POST /api/v1/cron/cleanup': ofScheduler(() => settings.cronSecret, { removed: 0 }),
    'POST /api/v1/cron/drain-queues': ofScheduler(
      () => settings.drainQueuesToken || settings.cronSecret || settings.cronToken,
      { drained: 0 },
    ),
    'GET /api/cron/tick': ofScheduler(() => settings.cronToken, { ticked: true }),

    'GET /api/v1/internal/seed': ofWorker,
    'POST /api/v1/internal/seed': ofWorker,

    'POST /api/v1/ai/analyze': analyze,

    ...Object.fromEntries(stores.flatMap(routesOf)),

    'POST /api/v1/encryption/rotate': ofTenant(async (tenant, role, { body }) => {
      if (role !== 'admin') return refusal(403, 'FORBIDDEN', 'only an admin may rotate');
      const dryRun = body.dryRun ?? false;
      if (typeof dryRun !== 'boolean') return refusal(400, 'BAD_REQUEST', 'dryRun must be true or false');
      /** @type {Record<string, import('./kaireon-stores.mjs').StoreReport>} */
      const reports = {};
      for (const store of stores) reports[store.name] = await rotate(store, tenant, dryRun);
      // A text, as the document's example has it.
      return {
        status: 200,
        body: { dryRun, keyVersion: String(encryption.version), ...reports, notRotated },
      };
    }),
  },
});

/** @param {import('./variables.mjs').Environment} environment */
function databaseUrl(environment) {
  const url = required(environment, 'DATABASE_URL');
  if (url.startsWith('postgresql://')) return url;
  throw new InvalidVariable('DATABASE_URL must start with postgresql://; it does not.');
}

/**
 * The platform's form of an error.
 *
 * @param {number} status
 * @param {string} code
 * @param {string} message
 * @returns {Reply}
 */
function refusal(status, code, message) {
  return { status, body: { error: { code, message, status } } };
}

/** @param {import('jose').JWTPayload | null} claims @returns {Reply} */
function opened(claims) {
  return claims === null ? unauthorized : { status: 200, body: { sub: claims.sub } };
}

/**
 * @param {() => string} token blank: nothing opens it
 * @param {object} body
 * @returns {import('./http-server.mjs').Handler}
 */
function ofScheduler(token, body) {
  return ({ bearer }) => (same(bearer, token()) ? { status: 200, body } : unauthorized);
}

/** @param {Received} received @returns {Reply} */
function ofWorker({ header }) {
  return same(header('x-worker-secret'), settings.workerSecret)
    ? { status: 200, body: { accepted: true } }
    : unauthorized;
}

/** @returns {Promise<Reply>} */
async function analyze() {
  const answer = await fetch(new URL('/score', settings.mlWorkerUrl), {
    method: 'POST',
    headers: { authorization: `Bearer ${settings.mlWorkerKey}` },
    signal: AbortSignal.timeout(scoringDeadline),
  });
  return { status: answer.status, body: Object(await answer.json()) };
}

/**
 * @param {import('./kaireon-stores.mjs').Store} store
 * @returns {(readonly [string, import('./http-server.mjs').Handler])[]}
 */
function routesOf(store) {
  const path = `/api/v1/${store.path}/:id`;
  return [
    [
      `GET ${path}`,
      ofTenant(async (tenant, _role, { parts: { id } }) => {
        const found = await readOne(store, tenant, id ?? '');
        if (found.is === 'missing') return notFound;
        if (found.is === 'unreadable')
          return refusal(500, 'INTERNAL', 'the stored value cannot be decrypted');
        return { status: 200, body: { id, keyVersion: found.version, digest: digestOf(found.text) } };
      }),
    ],
    [
      `POST ${path}`,
      ofTenant(async (tenant, _role, { parts: { id }, body }) => {
        if (!isText(body.value)) return refusal(400, 'BAD_REQUEST', 'value must be given');
        return (await writeOne(store, tenant, id ?? '', body.value))
          ? { status: 200, body: { id } }
          : notFound;
      }),
    ],
  ];
}

/**
 * For callers with an API key (`krn_…`): each is one tenant's, and the header must name that tenant.
 *
 * @param {(tenant: string, role: string, received: Received) => Promise<Reply>} then
 * @returns {import('./http-server.mjs').Handler}
 */
function ofTenant(then) {
  return async (received) => {
    const tenant = received.header('x-tenant-id');
    if (received.bearer === null || tenant === '') return unauthorized;
    const hash = createHmac('sha256', settings.pepper).update(received.bearer).digest('hex');
    const { rows } = await query('SELECT role FROM "ApiKey" WHERE hash = $1 AND "tenantId" = $2', [
      hash,
      tenant,
    ]);
    const role = rows[0]?.role;
    return isText(role) ? then(tenant, role, received) : unauthorized;
  };
}

/**
 * @param {string | null} given
 * @param {string} wanted
 */
function same(given, wanted) {
  if (given === null || wanted === '') return false;
  const digest = (/** @type {string} */ text) => createHmac('sha256', 'compared').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
