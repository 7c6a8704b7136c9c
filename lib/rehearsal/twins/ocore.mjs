/**
 * A stand-in of oCore's backend, after its document "Backend configuration": the same variables, read at
 * start only, the same refusals to start, tokens of JWT_SECRET, the health payload behind HEALTH_CHECK_TOKEN,
 * and SSH credentials that PostgreSQL keeps encrypted under SSH_ENCRYPTION_KEY.
 *
 * What it leaves out: the SSH gateway; where that would use a credential, this one shows its SHA-256.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { isText, notFound, serve } from './http-server.mjs';
import { credentialsOf, vaultOf } from './ocore-credentials.mjs';
import { tokensOf } from './tokens.mjs';
import {
  duration,
  InvalidVariable,
  integer,
  listeningPort,
  longEnough,
  required,
  settingsOrExit,
} from './variables.mjs';

/** Characters: the document's floor for JWT_SECRET and SSH_ENCRYPTION_KEY. */
const leastCharacters = 32;

const settings = settingsOrExit('ocore', (environment) => {
  const databaseUrl = required(environment, 'DATABASE_URL');
  const jwtSecret = longEnough('JWT_SECRET', required(environment, 'JWT_SECRET'), leastCharacters);
  const sshKey = environment.SSH_ENCRYPTION_KEY ?? '';
  // An unset ENVIRONMENT is not development: the strict rules apply.
  if (sshKey !== '' && environment.ENVIRONMENT !== 'development') {
    longEnough('SSH_ENCRYPTION_KEY', sshKey, leastCharacters);
  }
  const minimumConnections = integer(environment, 'DB_POOL_MIN_CONNS', { preset: 2, least: 0, most: 10_000 });
  const maximumConnections = integer(environment, 'DB_POOL_MAX_CONNS', {
    preset: 25,
    least: 1,
    most: 10_000,
  });
  if (maximumConnections < minimumConnections) {
    throw new InvalidVariable(
      `DB_POOL_MAX_CONNS must be at least DB_POOL_MIN_CONNS; ${maximumConnections} is less than ${minimumConnections}.`,
    );
  }
  return {
    databaseUrl,
    jwtSecret,
    // In development only, the document derives the key from the other secret.
    credentialText: sshKey !== '' || environment.ENVIRONMENT !== 'development' ? sshKey : jwtSecret,
    // The document names both variables and gives no default; these are usual.
    accessLifetime: duration(environment, 'JWT_ACCESS_EXPIRY', '15m'),
    refreshLifetime: duration(environment, 'JWT_REFRESH_EXPIRY', '168h'),
    healthCheckToken: environment.HEALTH_CHECK_TOKEN ?? '',
    minimumConnections,
    maximumConnections,
    port: listeningPort(environment, 'SERVER_PORT', 8080),
  };
});

const tokens = tokensOf(settings.jwtSecret);
const credentials =
  settings.credentialText === ''
    ? null
    : credentialsOf(databaseOf(settings.databaseUrl).query, vaultOf(settings.credentialText));
const sessions = await databaseSessions('ocore-backend', { connectionString: settings.databaseUrl });
const startedAt = new Date();
/** @type {import('./http-server.mjs').Reply} */
const unauthorized = { status: 401, body: { error: 'the token is missing, expired or not ours' } };

serve({
  twin: 'ocore',
  port: settings.port,
  routes: {
    ...sessions,

    'GET /api/health': ({ bearer }) => ({
      status: 200,
      body: holdsHealthToken(bearer) ? richHealth() : { status: 'ok' },
    }),

    'POST /api/auth/login': async ({ body }) => {
      if (!isText(body.email) || !isText(body.password)) {
        return { status: 400, body: { error: 'email and password must be given' } };
      }
      return { status: 200, body: await pair(body.email) };
    },

    'POST /api/auth/refresh': async ({ body }) => {
      const claims = await tokens.verify(isText(body.refreshToken) ? body.refreshToken : null);
      if (claims?.sub === undefined || claims.use !== 'refresh') return unauthorized;
      return { status: 200, body: await pair(claims.sub) };
    },

    'GET /api/auth/me': async ({ bearer }) => {
      const claims = await tokens.verify(bearer);
      // A refresh token opens nothing but the refresh call.
      if (claims === null || claims.use === 'refresh') return unauthorized;
      return { status: 200, body: { claims } };
    },

    'GET /api/ssh/credentials/:id': ofUser(async (held, { parts: { id } }) => {
      const found = await held.readOne(id ?? '');
      if (found.is === 'missing') return notFound;
      return found.is === 'open'
        ? { status: 200, body: { id, digest: found.digest } }
        : { status: 500, body: { error: 'the stored credential cannot be decrypted' } };
    }),

    'POST /api/ssh/credentials/:id': ofUser(async (held, { parts: { id }, body }) => {
      if (!isText(body.value)) return { status: 400, body: { error: 'value must be given' } };
      await held.writeOne(id ?? '', body.value);
      return { status: 200, body: { id } };
    }),
  },
});

/**
 * @param {(held: ReturnType<typeof credentialsOf>, received: import('./http-server.mjs').Received) =>
 *   Promise<import('./http-server.mjs').Reply>} then
 * @returns {import('./http-server.mjs').Handler}
 */
function ofUser(then) {
  return async (received) => {
    const claims = await tokens.verify(received.bearer);
    if (claims === null || claims.use === 'refresh') return unauthorized;
    if (credentials === null) return { status: 503, body: { error: 'the SSH gateway is not enabled' } };
    return then(credentials, received);
  };
}

/** @param {string} subject */
async function pair(subject) {
  const [accessToken, refreshToken] = await Promise.all([
    tokens.issue({ sub: subject, use: 'access' }, settings.accessLifetime),
    tokens.issue({ sub: subject, use: 'refresh' }, settings.refreshLifetime),
  ]);
  return { accessToken, refreshToken };
}

/**
 * Without HEALTH_CHECK_TOKEN nobody gets the rich payload, since a bearer is never blank. Digests have one
 * length, so the comparison tells by its time neither content nor length.
 *
 * @param {string | null} bearer
 */
function holdsHealthToken(bearer) {
  return bearer !== null && timingSafeEqual(digest(bearer), digest(settings.healthCheckToken));
}

/** @param {string} text */
function digest(text) {
  return createHash('sha256').update(text).digest();
}

/** What the document lists; the numbers of parts that the twin lacks are those of an idle system. */
function richHealth() {
  return {
    status: 'ok',
    version: '0.0.0-twin',
    commit: '0000000',
    startedAt: startedAt.toISOString(),
    database: {
      pool: {
        minConns: settings.minimumConnections,
        maxConns: settings.maximumConnections,
        acquiredConns: 0,
        idleConns: settings.minimumConnections,
      },
    },
    sshPool: { active: 0, idle: 0 },
    jobQueue: { running: 0, available: 0 },
    agents: { connected: 0 },
    backup: { ageSeconds: 0 },
    sshGateway: { listening: false },
  };
}
