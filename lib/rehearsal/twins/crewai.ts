import { fileURLToPath } from 'node:url';
import { type Behaviour, isRecord, type Token, tokenClient } from '../behaviour.ts';
import { loginParts, urlOf } from './database-login.ts';
import { sessionsHeld } from './session-clients.ts';
import type { Twin, TwinConsumer, TwinVariables, TwinWorld } from './twin.ts';

const person = { email: 'user@example.com', password: 'any' };

/** The secret that holds what authorises the platform's API: no deployment of ours rotates it. */
const apiToken = 'crewai/platform-api-token';

const member = (name: string, secret = name) => ({ variable: name, secret, member: name });

/** What Rails logs in with; the trace collector reads the address that the chart builds from it. */
const databaseMembers = [member('DB_USER', 'DB_PASSWORD'), member('DB_PASSWORD')];

/** A service of the platform: one task each, since there are many of them. */
function service(part: string, rest: Pick<TwinConsumer, 'environment' | 'secrets'>): TwinConsumer {
  return {
    command: [process.execPath, fileURLToPath(new URL(`./crewai-${part}.mjs`, import.meta.url))],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    healthPath: '/health',
    desiredCount: 1,
    ...rest,
  };
}

export const crewai: Twin = {
  platform: 'crewai',

  companions: {
    automations: service('automations', {
      environment: (_world, urls) => ({ WEB_URL: urls.web ?? '' }),
      secrets: [],
    }),
  },

  credentials: { [apiToken]: (world) => ({ PLATFORM_API_TOKEN: apiTokenOf(world) }) },

  consumers: {
    web: service('web', {
      environment: (world, urls) => ({
        ...databasePlace(world),
        SECRET_KEY_BASE: generated(world, 'SECRET_KEY_BASE'),
        PLATFORM_API_TOKEN: apiTokenOf(world),
        AUTOMATIONS_URL: urls.automations ?? '',
        INTEGRATIONS_URL: urls.integrations ?? '',
      }),
      secrets: [
        ...databaseMembers,
        member('DEPLOYMENT_INSTANCE_JWT_SECRET'),
        member('WHARF_JWT_SECRET'),
        member('CUBE_JWT_SECRET'),
        member('CREWAI_OAUTH_API_KEY', 'OAUTH_INTERNAL_API_KEY'),
        member('FACTORY_DEBUG_TOKEN'),
      ],
    }),
    worker: service('worker', {
      environment: (world, urls) => ({
        ...databasePlace(world),
        AUTOMATIONS_URL: urls.automations ?? '',
      }),
      secrets: [...databaseMembers, member('DEPLOYMENT_INSTANCE_JWT_SECRET')],
    }),
    collector: service('collector', {
      environment: (world) => ({ ...sessionsHeld(world), ...verified(world) }),
      secrets: [member('WHARF_POSTGRES_URL', 'DB_PASSWORD'), member('WHARF_JWT_SECRET')],
    }),
    analytics: service('analytics', { environment: () => ({}), secrets: [member('CUBE_JWT_SECRET')] }),
    integrations: service('integrations', {
      environment: () => ({}),
      secrets: [member('OAUTH_INTERNAL_API_KEY')],
    }),
  },

  secrets: {
    DB_PASSWORD: {
      initial(world) {
        const { user, password, ...place } = loginParts(world, 'crewai', 'crewai');
        // As the chart writes it: another database, and no word on TLS.
        const url = urlOf('postgres', { ...place, user, password, database: 'wharf', settings: {} });
        return { DB_PASSWORD: password, DB_USER: user, WHARF_POSTGRES_URL: url };
      },
      supplied: null,
      probeUrl: () => null,
    },
    DEPLOYMENT_INSTANCE_JWT_SECRET: {
      // The document's own command, `openssl rand -hex 32`.
      initial: ({ seeded }) => ({
        DEPLOYMENT_INSTANCE_JWT_SECRET: seeded.bytes('DEPLOYMENT_INSTANCE_JWT_SECRET', 32).toString('hex'),
      }),
      supplied: null,
      probeUrl: () => null,
    },
    WHARF_JWT_SECRET: made('WHARF_JWT_SECRET'),
    CUBE_JWT_SECRET: made('CUBE_JWT_SECRET'),
    OAUTH_INTERNAL_API_KEY: {
      initial: (world) => {
        const key = generated(world, 'OAUTH_INTERNAL_API_KEY');
        return { OAUTH_INTERNAL_API_KEY: key, CREWAI_OAUTH_API_KEY: key };
      },
      supplied: null,
      probeUrl: () => null,
    },
    FACTORY_DEBUG_TOKEN: made('FACTORY_DEBUG_TOKEN'),
  },

  behaviours: [
    tokenClient({
      name: 'users',
      secret: 'DEPLOYMENT_INSTANCE_JWT_SECRET',
      signedBy: 'SECRET_KEY_BASE',
      clients: 1,
      pause: 100,
      login: { path: '/api/v1/login', body: person, member: 'token' },
      call: { method: 'GET', path: '/api/v1/me' },
    }),
    ofService('traces', 'WHARF_JWT_SECRET', 'collector', '/v1/traces'),
    ofService('analytics queries', 'CUBE_JWT_SECRET', 'analytics', '/cube/v1/load'),
    connecting(),
    monitoring(),
    refreshing(['automation-001', 'automation-003', 'automation-007', 'automation-137', 'automation-500']),
  ],

  database: {
    secret: 'DB_PASSWORD',
    databases: ['crewai', 'wharf'],
    login: ({ DB_USER = '', DB_PASSWORD = '' }) => ({ user: DB_USER, password: DB_PASSWORD }),
  },

  async heal({ urls }) {
    await fetch(new URL('/control/heal', urls.automations), { method: 'POST' });
  },
};

/** Where Rails finds its database: no secrets. */
function databasePlace(world: TwinWorld): TwinVariables {
  const { host, port, database } = loginParts(world, 'crewai', 'crewai');
  return { DB_HOST: host, DB_PORT: port, DB_NAME: database, ...sessionsHeld(world), ...verified(world) };
}

/** What libpq reads beside a connection string. */
function verified({ databaseServer }: TwinWorld): TwinVariables {
  return databaseServer === undefined
    ? {}
    : { PGSSLMODE: 'verify-full', PGSSLROOTCERT: databaseServer.authority };
}

/** A value as the chart's `randAlphaNum 64` makes it, in letters of base64url. */
function generated({ seeded }: TwinWorld, name: string): string {
  return seeded.bytes(name, 48).toString('base64url');
}

function apiTokenOf(world: TwinWorld): string {
  return generated(world, 'PLATFORM_API_TOKEN');
}

function made(name: string): Twin['secrets'][string] {
  return {
    initial: (world): TwinVariables => ({ [name]: generated(world, name) }),
    supplied: null,
    probeUrl: () => null,
  };
}

/** Clients that get a token from web and show it to another service: both must hold the same key. */
function ofService(name: string, secret: string, at: string, path: string): Behaviour {
  const kind = name.split(' ')[0] ?? name;
  return tokenClient({
    name,
    secret,
    signedBy: secret,
    clients: 1,
    pause: 80,
    login: { path: `/api/v1/${kind}/token`, body: person, member: 'token' },
    call: { method: 'POST', path, at, body: {} },
  });
}

/** A person who connects an integration: web asks another service with the shared key. */
function connecting(): Behaviour {
  const secret = 'OAUTH_INTERNAL_API_KEY';
  return {
    name: 'connecting users',
    secret,
    clients: 1,
    pause: 80,
    client(session) {
      let token: Token | null = null;
      return async () => {
        token ??= session.issued('held by web', secret);
        const outcome = await session.send(
          { method: 'POST', path: '/api/v1/integrations/connect', token },
          (body) => (isRecord(body) ? body : null),
        );
        if (outcome.kind === 'served') session.whole();
      };
    },
  };
}

/** Monitoring that reads the debug token again when it meets the 404 of a caller without a valid one. */
function monitoring(): Behaviour {
  const secret = 'FACTORY_DEBUG_TOKEN';
  return {
    name: 'monitoring',
    secret,
    clients: 1,
    pause: 100,
    client(session) {
      let token: string | null = null;
      return async () => {
        token ??= await session.variable(secret, secret);
        const outcome = await session.send(
          {
            method: 'GET',
            path: '/health/debug',
            lesser: 404,
            ...(token === null ? {} : { headers: { 'x-factory-debug-token': token } }),
          },
          (body) => (isRecord(body) ? body : null),
        );
        if (outcome.kind !== 'served') return;
        if (outcome.value.status === 'ok') session.whole();
        else {
          session.degraded();
          token = null;
        }
      };
    },
  };
}

/** Deployed automations that refresh their access tokens: each client is one of them, with the token it holds. */
function refreshing(ids: readonly string[]): Behaviour {
  const secret = 'DEPLOYMENT_INSTANCE_JWT_SECRET';
  let clients = 0;
  return {
    name: 'automations',
    secret,
    clients: ids.length,
    pause: 150,
    client(session) {
      const id = ids[clients % ids.length];
      clients += 1;
      let token: Token | null = null;
      return async () => {
        token ??= session.issued('held by the instance', secret);
        const outcome = await session.send(
          { method: 'POST', at: 'automations', path: `/instances/${id}/refresh`, token },
          (body) => (isRecord(body) ? body : null),
        );
        if (outcome.kind !== 'served') return;
        // Down, it asks nothing; that is less than it should do.
        if (outcome.value.refreshed === true) session.whole();
        else session.degraded();
      };
    },
  };
}
