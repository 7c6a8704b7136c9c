/**
 * A stand-in of Tessallite's model service, after its document "Credentials and the .env File": the same variables,
 * read at start only, sessions of JWT_SECRET_KEY, two encrypted tables in PostgreSQL, and the call of the system
 * administrator that writes every stored credential anew with the current key.
 *
 * What it leaves out: the models. The API never returns a stored credential; where the real one would use it, this one
 * returns its SHA-256. ROTATION_FAILURES is the stand-in's own: rows of each table that the first rotation since the
 * start does not write, for whoever must repeat it.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { isText, serve } from './http-server.mjs';
import { credentialsOf, databaseUrl, replyOf, tables } from './tessallite-credentials.mjs';
import { multiFernetOf } from './tessallite-fernet.mjs';
import { sessionsOf } from './tessallite-sessions.mjs';
import { integer, listeningPort, required, settingsOrExit } from './variables.mjs';

const settings = settingsOrExit('tessallite-model-service', (environment) => ({
  databaseUrl: databaseUrl(environment),
  fernet: multiFernetOf(environment),
  sessions: sessionsOf(environment),
  adminEmail: environment.SYSTEM_ADMIN_EMAIL || 'admin@tessallite.local',
  adminPassword: required(environment, 'SYSTEM_ADMIN_PASSWORD'),
  failures: integer(environment, 'ROTATION_FAILURES', { preset: 0, least: 0, most: 1_000 }),
  port: listeningPort(environment, 'MODEL_SERVICE_PORT', 8001),
}));
const { sessions } = settings;
const { query } = databaseOf(settings.databaseUrl);
const { readOne, writeOne, rotateAll } = credentialsOf(query, settings.fernet, settings.failures);

/** @typedef {import('./http-server.mjs').Reply} Reply */

/** @type {Reply} */
const badRequest = { status: 422, body: { detail: 'A member of the body is missing' } };

const held = await databaseSessions('tessallite-model-service', {
  connectionString: settings.databaseUrl,
});

serve({
  twin: 'tessallite-model-service',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /api/v1/auth/login': async ({ body: { email, password } }) => {
      if (!isText(email) || !isText(password)) return badRequest;
      const isAdmin = email === settings.adminEmail;
      if (isAdmin && !same(password, settings.adminPassword)) {
        return { status: 401, body: { detail: 'Invalid credentials' } };
      }
      const token = await sessions.begin(email, isAdmin ? 'system_admin' : 'user');
      return { status: 200, body: { access_token: token, token_type: 'bearer' } };
    },

    'GET /api/v1/auth/me': sessions.within(async ({ sub, role }) => ({
      status: 200,
      body: { email: sub, role },
    })),

    ...Object.fromEntries(tables.flatMap(routesOf)),

    'POST /api/v1/admin/rotate-credentials': sessions.within(async ({ role }) => {
      if (role !== 'system_admin') {
        return { status: 403, body: { detail: 'System administrator required' } };
      }
      const reports = await rotateAll();
      const sum = (
        /** @type {(report: import('./tessallite-credentials.mjs').TableReport) => number} */ of,
      ) => Object.values(reports).reduce((total, report) => total + of(report), 0);
      return {
        status: 200,
        body: {
          rotated: sum(({ rotated }) => rotated),
          failures: sum(({ failed }) => failed.length),
          tables: reports,
        },
      };
    }),
  },
});

/**
 * @param {import('./tessallite-credentials.mjs').Table} table
 * @returns {(readonly [string, import('./http-server.mjs').Handler])[]}
 */
function routesOf(table) {
  const path = `/api/v1/${table.path}/:id`;
  return [
    [
      `GET ${path}`,
      sessions.within(async (_claims, { parts }) => replyOf(await readOne(table, parts.id ?? ''))),
    ],
    [
      `POST ${path}`,
      sessions.within(async (_claims, { parts, body }) => {
        if (!isText(body.value)) return badRequest;
        const written = await writeOne(table, parts.id ?? '', body.value);
        return written ? { status: 200, body: { id: parts.id } } : replyOf({ is: 'missing' });
      }),
    ],
  ];
}

/**
 * @param {string} given
 * @param {string} wanted
 */
function same(given, wanted) {
  const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
