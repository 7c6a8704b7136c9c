/**
 * The automations that a CrewAI platform has deployed, with what the platform stores of them: 500 instances in one
 * process. Each holds a refresh token of a year, and gets another only by a redeploy, or by the daily job.
 *
 * Some are slow to start, some fail twice before they come up, and two never come up until they are healed.
 */
import { decodeJwt } from 'jose/jwt/decode';
import { isText, notFound, serve } from './http-server.mjs';
import { inside, refreshLifetime } from './instance-tokens.mjs';
import { integer, listeningPort, required, settingsOrExit } from './variables.mjs';

const { count, webUrl, port } = settingsOrExit('crewai-automations', (environment) => ({
  count: integer(environment, 'AUTOMATIONS', { preset: 500, least: 1, most: 10_000 }),
  webUrl: required(environment, 'WEB_URL'),
  port: listeningPort(environment, 'PORT', 4004),
}));

const hour = 3_600_000;

/**
 * @typedef {object} Instance
 * @property {string} id
 * @property {'active' | 'archived'} state what the list says
 * @property {'online' | 'deploying' | 'failed'} status
 * @property {string | null} token its refresh token
 * @property {number} expires milliseconds since 1970: what the platform stored of the token's end
 * @property {number} age milliseconds since its first token was made, in the platform's past
 * @property {number} startTime milliseconds
 * @property {number} failures redeploys that fail before one comes up
 * @property {string | null} accessToken
 */

/** @type {Map<string, Instance>} */
const instances = new Map(
  Array.from({ length: count + Math.ceil(count / 50) }, (_, index) => {
    const number = index + 1;
    const id = `automation-${String(number).padStart(3, '0')}`;
    return [id, instance(id, number)];
  }),
);

serve({
  twin: 'crewai-automations',
  port,
  routes: {
    'GET /health': () => ({ status: 200, body: { status: 'ok' } }),

    'GET /instances': ({ query }) => {
      const size = Math.min(Number(query.get('per_page') ?? 100), 100);
      const from = (Number(query.get('page') ?? 1) - 1) * size;
      const page = [...instances.values()].slice(from, from + size);
      return { status: 200, body: { automations: page.map(({ id, state }) => ({ id, state })) } };
    },

    'GET /instances/:id': ofInstance(({ id, status }) => ({ status: 200, body: { id, status } })),

    'POST /instances/:id/deploy': ofInstance((one, { body }) => {
      if (one.status === 'deploying') return { status: 409, body: { error: 'a deployment is under way' } };
      one.status = 'deploying';
      const fails = one.failures > 0;
      one.failures -= 1;
      setTimeout(() => {
        one.status = fails ? 'failed' : 'online';
        if (!fails) holds(one, body.refresh_token);
      }, one.startTime);
      return { status: 202, body: { status: one.status } };
    }),

    'POST /instances/:id/remint': ofInstance((one, { body }) => {
      holds(one, body.refresh_token);
      return { status: 200, body: {} };
    }),

    // The instance shows its token to the platform that asks for it.
    'POST /instances/:id/present': ofInstance(({ token }) => ({
      status: 200,
      body: { refresh_token: token },
    })),

    // What every instance does on its own before its access token ends: 401 is the platform's answer to it.
    'POST /instances/:id/refresh': ofInstance(async (one) => {
      if (one.status !== 'online' || one.token === null) return { status: 200, body: { refreshed: false } };
      const { status, body } = await inside(webUrl, 'POST /internal_api/v1/refresh', { bearer: one.token });
      if (status !== 200) return { status, body: { error: 'the platform refused the refresh token' } };
      one.accessToken = body.access_token;
      return { status: 200, body: { refreshed: true } };
    }),

    'GET /unprovisioned': ({ query }) => {
      const without = [...instances.values()].filter(({ token }) => token === null);
      const some = without.slice(0, Number(query.get('limit') ?? 50));
      return { status: 200, body: { instances: some.map(({ id, age }) => ({ id, age })) } };
    },

    'POST /provision': ({ body }) => {
      for (const [id, token] of Object.entries(Object(body.tokens))) {
        const one = instances.get(id);
        if (one !== undefined && one.token === null) holds(one, token);
      }
      return { status: 200, body: {} };
    },

    'GET /expiring': ({ query }) => {
      const until = Date.now() + Number(query.get('within'));
      const soon = [...instances.values()].filter(
        ({ state, expires }) => state === 'active' && expires <= until,
      );
      return { status: 200, body: { ids: soon.map(({ id }) => id) } };
    },

    // Somebody has repaired what kept them from starting.
    'POST /control/heal': () => {
      for (const one of instances.values()) one.failures = 0;
      return { status: 200, body: {} };
    },
  },
});

/**
 * @param {string} id
 * @param {number} number
 * @returns {Instance}
 */
function instance(id, number) {
  return {
    id,
    state: number <= count ? 'active' : 'archived',
    status: 'online',
    token: null,
    expires: 0,
    // Every two hundredth has a token that ends within a day, where the daily job finds it.
    age: number % 200 === 11 ? refreshLifetime - 24 * hour : (number % 300) * 24 * hour,
    startTime: number % 25 === 3 ? 300 : 15,
    failures: number === 137 || number === 404 ? Number.POSITIVE_INFINITY : number % 25 === 7 ? 2 : 0,
    accessToken: null,
  };
}

/**
 * @param {Instance} one
 * @param {unknown} token
 */
function holds(one, token) {
  if (!isText(token)) return;
  one.token = token;
  one.expires = (decodeJwt(token).exp ?? 0) * 1000;
}

/**
 * @param {(one: Instance, received: import('./http-server.mjs').Received) =>
 *   import('./http-server.mjs').Reply | Promise<import('./http-server.mjs').Reply>} handler
 * @returns {import('./http-server.mjs').Handler}
 */
function ofInstance(handler) {
  return (received) => {
    const one = instances.get(received.parts.id ?? '');
    return one === undefined ? notFound : handler(one, received);
  };
}
