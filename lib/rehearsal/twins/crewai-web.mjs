/**
 * A stand-in of the web service of the CrewAI platform (Rails), after its chart's reference: the same variables, read
 * at start only, `GET /health/debug` behind FACTORY_DEBUG_TOKEN, tokens of WHARF_JWT_SECRET and CUBE_JWT_SECRET for
 * the services beside it, and the tokens of deployed automations.
 *
 * The document names no path of the API by which automations are listed and redeployed; the paths here are examples.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { railsSessions } from './crewai-database.mjs';
import { isText, notFound, serve } from './http-server.mjs';
import { inside, instanceTokens } from './instance-tokens.mjs';
import { tokensOf } from './tokens.mjs';
import { listeningPort, longEnough, required, settingsOrExit } from './variables.mjs';

/** Characters below which an HS256 key is weak (RFC 7518 section 3.2). */
const leastCharacters = 32;

/** Lives of a user's session and of a token for another service, in milliseconds. The document gives none. */
const sessionLifetime = 12 * 3_600_000;
const serviceLifetime = 15 * 60_000;

/** Instances that get their first tokens in one call. */
const batch = 50;

const settings = settingsOrExit('crewai-web', (environment) => {
  const key = (/** @type {string} */ name) => longEnough(name, required(environment, name), leastCharacters);
  return {
    sessions: tokensOf(key('SECRET_KEY_BASE')),
    traces: tokensOf(key('WHARF_JWT_SECRET')),
    analytics: tokensOf(key('CUBE_JWT_SECRET')),
    instances: instanceTokens(environment),
    oauthKey: required(environment, 'CREWAI_OAUTH_API_KEY'),
    debugToken: required(environment, 'FACTORY_DEBUG_TOKEN'),
    apiToken: required(environment, 'PLATFORM_API_TOKEN'),
    automationsUrl: required(environment, 'AUTOMATIONS_URL'),
    integrationsUrl: required(environment, 'INTEGRATIONS_URL'),
    port: listeningPort(environment, 'PORT', 3000),
  };
});
const { sessions, traces, analytics, instances, automationsUrl } = settings;

/** @type {import('./http-server.mjs').Reply} */
const unauthorized = { status: 401, body: { error: 'the token is missing, expired or not ours' } };

await provisionNewInstances();
const held = await railsSessions('crewai-web');

serve({
  twin: 'crewai-web',
  port: settings.port,
  routes: {
    ...held,

    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'GET /health/debug': ({ header }) =>
      same(header('x-factory-debug-token'), settings.debugToken)
        ? { status: 200, body: { status: 'ok', checks: { database: 'ok', oauth_key: 'consistent' } } }
        : notFound,

    'POST /api/v1/login': login(sessions, 'session', sessionLifetime),
    'POST /api/v1/traces/token': login(traces, 'traces', serviceLifetime),
    'POST /api/v1/analytics/token': login(analytics, 'analytics', serviceLifetime),

    'GET /api/v1/me': async ({ bearer }) => {
      const claims = await sessions.verify(bearer);
      return claims === null ? unauthorized : { status: 200, body: { sub: claims.sub } };
    },

    // What a person's click on "connect" does: Rails asks the Built-in Integrations service with the shared key.
    'POST /api/v1/integrations/connect': () =>
      inside(settings.integrationsUrl, 'GET /internal/providers', { bearer: settings.oauthKey }),

    'GET /api/v1/automations': ({ bearer, query }) =>
      authorised(bearer, () => inside(automationsUrl, `GET /instances?${query}`)),

    'POST /api/v1/automations/:id/redeploy': ({ bearer, parts: { id } }) =>
      authorised(bearer, async () => {
        const refresh_token = await instances.refreshToken(id);
        return inside(automationsUrl, `POST /instances/${id}/deploy`, { body: { refresh_token } });
      }),

    'GET /api/v1/automations/:id': ({ bearer, parts: { id } }) =>
      authorised(bearer, () => inside(automationsUrl, `GET /instances/${id}`)),

    // Whether the token that the instance presents now is one of ours.
    'GET /api/v1/automations/:id/token': ({ bearer, parts: { id } }) =>
      authorised(bearer, async () => {
        const { status, body } = await inside(automationsUrl, `POST /instances/${id}/present`);
        if (status === 404) return notFound;
        const claims = await instances.verify(isText(body.refresh_token) ? body.refresh_token : null);
        return claims?.sub === id && claims.use === 'refresh'
          ? { status: 200, body: { issued_at: claims.iat } }
          : { status: 409, body: { error: 'the instance holds no token of ours' } };
      }),

    'GET /internal_api/v1/token': async ({ bearer }) => {
      const claims = await instances.verify(bearer);
      return claims?.use === 'access' ? { status: 200, body: { sub: claims.sub } } : unauthorized;
    },

    'POST /internal_api/v1/refresh': async ({ bearer }) => {
      const claims = await instances.verify(bearer);
      if (claims?.sub === undefined || claims.use !== 'refresh') return unauthorized;
      return { status: 200, body: { access_token: await instances.accessToken(claims.sub) } };
    },
  },
});

/**
 * @param {import('./tokens.mjs').Tokens} tokens
 * @param {string} use
 * @param {number} lifetime milliseconds
 * @returns {import('./http-server.mjs').Handler}
 */
function login(tokens, use, lifetime) {
  return async ({ body }) => {
    if (!isText(body.email) || !isText(body.password)) {
      return { status: 400, body: { error: 'email and password must be given' } };
    }
    return { status: 200, body: { token: await tokens.issue({ sub: body.email, use }, lifetime) } };
  };
}

/**
 * @param {string | null} bearer
 * @param {() => Promise<import('./http-server.mjs').Reply>} then
 */
async function authorised(bearer, then) {
  return bearer !== null && same(bearer, settings.apiToken) ? then() : unauthorized;
}

/** The platform gives a token to each automation that never had one; to no other, whatever its token is worth. */
async function provisionNewInstances() {
  for (;;) {
    const { body } = await inside(automationsUrl, `GET /unprovisioned?limit=${batch}`);
    if (body.instances.length === 0) return;
    const tokens = await Promise.all(
      body.instances.map(async (/** @type {{ id: string, age: number }} */ { id, age }) => [
        id,
        await instances.refreshToken(id, age),
      ]),
    );
    await inside(automationsUrl, 'POST /provision', { body: { tokens: Object.fromEntries(tokens) } });
  }
}

/**
 * Digests have one length, so the comparison tells by its time neither content nor length.
 *
 * @param {string} one
 * @param {string} other
 */
function same(one, other) {
  const digest = (/** @type {string} */ text) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
