import { fileURLToPath } from 'node:url';
import {
  type Behaviour,
  type ClientRequest,
  isRecord,
  type Token,
  textAt,
  tokenClient,
} from '../behaviour.ts';
import { loginInUrl, loginParts, redisUrl, urlOf } from './database-login.ts';
import { prepared } from './prepare.ts';
import { redisSessionsHeld, sessionsHeld } from './session-clients.ts';
import { readingClients, type StoredRow, writingClients } from './stored-clients.ts';
import type {
  StoredData,
  Twin,
  TwinConsumer,
  TwinSecret,
  TwinUrls,
  TwinVariables,
  TwinWorld,
} from './twin.ts';
import { WriteRecord } from './write-record.ts';

/** Whose data it is: a rotation goes from one to the next. */
export const tenants = ['acme', 'globex', 'initech'] as const;

/** The secret that holds an admin's API key of each tenant, under the tenant's name: nothing rotates it. */
export const adminKeys = 'kaireon/admin-api-keys';

/** Rows of a tenant in a store before the platform starts. */
const rowsAtStart = 20;

const stores = ['connectors', 'platform-settings', 'sso-configs', 'mfa-secrets'] as const;
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

  stored,

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

function tenantKeys({ seeded }: TwinWorld): TwinVariables {
  return Object.fromEntries(
    tenants.map((tenant) => [tenant, `krn_${seeded.bytes(`API key of ${tenant}`, 24).toString('hex')}`]),
  );
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

function stored(world: TwinWorld): StoredData {
  const keys = tenantKeys(world);
  const record = new WriteRecord();
  const rowOf = (store: string, tenant: string, id: string): StoredRow => {
    const headers = { 'x-tenant-id': tenant };
    const bearer = keys[tenant] ?? '';
    const path = `/api/v1/${store}/${id}`;
    return {
      name: `${store}/${tenant}/${id}`,
      reads: [
        { method: 'GET', path, headers, bearer },
        { method: 'POST', at: 'worker', path: `/jobs/use/${store}/${id}`, headers },
      ],
      write: (value) => ({ method: 'POST', path, headers, bearer, body: { value } }),
    };
  };
  const rows = stores.flatMap((store) =>
    tenants.flatMap((tenant) =>
      Array.from({ length: rowsAtStart }, (_, index) => rowOf(store, tenant, `${tenant}-${index + 1}`)),
    ),
  );
  const byName = new Map(rows.map((row) => [row.name, row]));
  return {
    prepare: () =>
      prepared('kaireon-data', {
        DATABASE_URL: world.databaseUrl?.('kaireon') ?? '',
        API_KEY_PEPPER: generated(world, 'API_KEY_PEPPER'),
        TENANT_KEYS: JSON.stringify(keys),
        ROWS: String(rowsAtStart),
        ...kaireon.secrets[key]?.initial(world),
      }),
    behaviours: [
      readingClients({ name: 'readers of stored secrets', secret: key, clients: 3, pause: 60, rows }),
      // Every fifth row is written over and over; the others stay as they are until something moves them.
      writingClients({
        name: 'writers of stored secrets',
        secret: key,
        clients: 2,
        pause: 60,
        rows: rows.filter((_, index) => index % 5 === 0),
        record,
      }),
    ],
    acknowledged: () => record.count,
    lost: (urls) => record.lost((name) => digestAt(urls, byName.get(name))),
  };
}

/** What the API shows of a row now; null when it cannot. */
async function digestAt(urls: TwinUrls, row: StoredRow | undefined): Promise<string | null> {
  const read = row?.reads[0];
  if (read === undefined) return null;
  const answer = await fetch(new URL(read.path, urls.api), {
    headers: { ...read.headers, authorization: `Bearer ${read.bearer}` },
  });
  return answer.ok ? textAt(await answer.json(), 'digest') : null;
}
