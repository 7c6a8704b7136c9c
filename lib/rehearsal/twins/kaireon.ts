import { fileURLToPath } from 'node:url';
import { type Behaviour, type ClientRequest, isRecord, type Token, tokenClient } from '../behaviour.ts';
import { loginInUrl, loginParts, redisUrl, urlOf } from './database-login.ts';
import { stored, tenantKeys } from './kaireon-stored.ts';
import { redisSessionsHeld, sessionsHeld } from './session-clients.ts';
import type { Twin, TwinConsumer, TwinSecret, TwinWorld } from './twin.ts';

/** The secret that holds an admin's API key of each tenant, under the tenant's name: nothing rotates it. */
export const adminKeys = 'kaireon/admin-api-keys';

const key = 'CONNECTOR_ENCRYPTION_KEY';

const member = (name: string, secret = name) => ({ variable: name, secret, member: name });

/** The key, its number, and the one other key with its number: four variables of one secret. */
const keyMembers = ['', '_VERSION', '_PREVIOUS', '_PREVIOUS_VERSION'].map((rest) =>
  member(`${key}${rest}`, key),
);

function service(
  part: string,
  rest: Pick<TwinConsumer, 'environment' | 'secrets' | 'healthPath' | 'desiredCount'>,
): TwinConsumer {
  return {
    command: [process.execPath, fileURLToPath(new URL(`./kaireon-${part}.mjs`, import.meta.url))],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    ...rest,
  };
}

export const kaireon: Twin = {
  platform: 'kaireon',

  credentials: { [adminKeys]: tenantKeys },

  consumers: {
    api: service('api', {
      environment: (world, urls) => ({
        NODE_ENV: 'production',
        ...sessionsHeld(world),
        ...redisSessionsHeld(world),
        API_KEY_PEPPER: generated(world, 'API_KEY_PEPPER'),
        WEBHOOK_SIGNING_SECRET: generated(world, 'WEBHOOK_SIGNING_SECRET'),
        ML_WORKER_URL: urls['ml-worker'] ?? '',
      }),
      secrets: [
        member('DATABASE_URL'),
        member('NEXTAUTH_SECRET'),
        member('JWT_SIGNING_SECRET'),
        ...keyMembers,
        member('WORKER_SECRET'),
        member('ML_WORKER_API_KEY'),
        member('CRON_SECRET'),
        member('REDIS_URL'),
      ],
      healthPath: '/api/health',
      desiredCount: 2,
    }),
    worker: service('worker', {
      environment: (world, urls) => ({
        ...sessionsHeld(world),
        ...redisSessionsHeld(world),
        API_URL: urls.api ?? '',
      }),
      secrets: [member('DATABASE_URL'), ...keyMembers, member('WORKER_SECRET'), member('REDIS_URL')],
      healthPath: '/health',
      desiredCount: 1,
    }),
    'ml-worker': service('ml-worker', {
      environment: sessionsHeld,
      secrets: [member('DATABASE_URL'), member('ML_WORKER_API_KEY')],
      healthPath: '/health',
      desiredCount: 1,
    }),
    // In deployments of the login only: nothing else that rotates reaches it.
    cleanup: service('cleanup', {
      environment: sessionsHeld,
      secrets: [member('DATABASE_URL')],
      healthPath: '/health',
      desiredCount: 1,
    }),
  },

  secrets: {
    DATABASE_URL: kept((world) => ({
      DATABASE_URL: urlOf('postgresql', loginParts(world, 'kaireon', 'kaireon_a')),
    })),
    REDIS_URL: kept((world) => ({ REDIS_URL: redisUrl(world, 'kaireon') })),
    NEXTAUTH_SECRET: made('NEXTAUTH_SECRET'),
    JWT_SIGNING_SECRET: made('JWT_SIGNING_SECRET'),
    [key]: {
      initial: (world) => ({
        [key]: generated(world, key),
        [`${key}_VERSION`]: '1',
        [`${key}_PREVIOUS`]: '',
        [`${key}_PREVIOUS_VERSION`]: '0',
      }),
      supplied: null,
      probeUrl: () => null,
    },
    WORKER_SECRET: made('WORKER_SECRET'),
    ML_WORKER_API_KEY: made('ML_WORKER_API_KEY'),
    CRON_SECRET: made('CRON_SECRET'),
  },

  behaviours: [
    tokenClient({
      name: 'users',
      secret: 'NEXTAUTH_SECRET',
      signedBy: 'NEXTAUTH_SECRET',
      clients: 2,
      pause: 80,
      login: {
        path: '/api/auth/login',
        body: { email: 'user@example.com', password: 'any' },
        member: 'token',
      },
      call: { method: 'GET', path: '/api/v1/me' },
    }),
    tokenClient({
      name: 'oauth clients',
      secret: 'JWT_SIGNING_SECRET',
      signedBy: 'JWT_SIGNING_SECRET',
      clients: 2,
      pause: 80,
      login: {
        path: '/api/v1/oauth/token',
        body: { grant_type: 'client_credentials', client_id: 'channel', client_secret: 'any' },
        member: 'access_token',
      },
      call: { method: 'GET', path: '/api/v1/decisions' },
    }),
    between('seed jobs', 'WORKER_SECRET', { method: 'POST', at: 'worker', path: '/jobs/seed' }),
    between('analyses', 'ML_WORKER_API_KEY', { method: 'POST', path: '/api/v1/ai/analyze' }),
    scheduler(),
  ],

  stored: (world) =>
    stored(world, key, {
      API_KEY_PEPPER: generated(world, 'API_KEY_PEPPER'),
      ...kaireon.secrets[key]?.initial(world),
    }),

  database: {
    secret: 'DATABASE_URL',
    databases: ['kaireon'],
    login: (variables) => loginInUrl(variables, 'DATABASE_URL'),
  },

  redis: {
    secret: 'REDIS_URL',
    databases: ['0'],
    path: '/redis',
    login: (variables) => loginInUrl(variables, 'REDIS_URL'),
  },
};

/** A value of an operator's own making, at least 32 characters as the document asks. */
function generated({ seeded }: TwinWorld, name: string): string {
  return seeded.bytes(name, 32).toString('hex');
}

function made(name: string): TwinSecret {
  return kept((world) => ({ [name]: generated(world, name) }));
}

/** What nobody supplies, and no probe on another machine is sent with. */
function kept(initial: TwinSecret['initial']): TwinSecret {
  return { initial, supplied: null, probeUrl: () => null };
}

/** People whose click makes one service call another with a key that both must hold. */
function between(name: string, secret: string, request: ClientRequest): Behaviour {
  return {
    name,
    secret,
    clients: 1,
    pause: 80,
    client(session) {
      let token: Token | null = null;
      return async () => {
        token ??= session.issued('held by the caller', secret);
        const outcome = await session.send({ ...request, token }, (body) => (isRecord(body) ? body : null));
        if (outcome.kind === 'served') session.whole();
      };
    },
  };
}

/** A scheduler that reads its bearer again when it is refused: the document asks that it gets the new value too. */
function scheduler(): Behaviour {
  const secret = 'CRON_SECRET';
  return {
    name: 'scheduler',
    secret,
    clients: 1,
    pause: 100,
    client(session) {
      let bearer: string | null = null;
      return async () => {
        bearer ??= await session.variable(secret, secret);
        const outcome = await session.send(
          {
            method: 'POST',
            path: '/api/v1/cron/cleanup',
            lesser: 401,
            ...(bearer === null ? {} : { bearer }),
          },
          (body) => (isRecord(body) ? body : null),
        );
        if (outcome.kind !== 'served') return;
        if (typeof outcome.value.removed === 'number') session.whole();
        else {
          session.degraded();
          bearer = null;
        }
      };
    },
  };
}
