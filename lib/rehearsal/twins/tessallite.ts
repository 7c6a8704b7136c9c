import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { type ClientRequest, textAt, tokenClient } from '../behaviour.ts';
import { loginInUrl, loginParts, urlOf } from './database-login.ts';
import { prepared } from './prepare.ts';
import { sessionsHeld } from './session-clients.ts';
import { readingClients, type StoredRow, writingClients } from './stored-clients.ts';
import type { SecretReference, StoredData, Twin, TwinConsumer, TwinUrls, TwinWorld } from './twin.ts';
import { WriteRecord } from './write-record.ts';

/** The secret that holds the system administrator's password: nothing rotates it. */
export const administrator = 'tessallite/system-admin';

/** Rows of each table before the platform starts, and further ones that its clients make. */
const rowsAtStart = 40;
const rowsMade = 4;

/** Rows of each table that the first rotation since a start does not write: whoever calls it must call it again. */
const rotationFailures = 2;

const key = 'CREDENTIAL_ENCRYPTION_KEY';
const login = {
  path: '/api/v1/auth/login',
  body: { email: 'user@example.com', password: 'any' },
  member: 'access_token',
} as const;

const member = (name: string, secret = name) => ({ variable: name, secret, member: name });

/** Each of the five services decrypts with its own copy of the keys. */
const keyMembers = [member(key), member(`${key}_PREVIOUS`, key)];

/** Both variables of one login: the whole address counts where it is set. */
const databaseMembers = [member('POSTGRES_PASSWORD'), member('SYSTEM_DATABASE_URL', 'POSTGRES_PASSWORD')];

function service(
  name: string,
  secrets: readonly SecretReference[],
  environment: TwinConsumer['environment'] = () => ({}),
): TwinConsumer {
  return {
    command: [process.execPath, fileURLToPath(new URL(`./tessallite-${name}.mjs`, import.meta.url))],
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    environment: (world, urls) => ({
      ...sessionsHeld(world),
      ...environment(world, urls),
    }),
    secrets: [...keyMembers, ...databaseMembers, ...secrets],
    healthPath: '/health',
    // As in the document's docker-compose stack.
    desiredCount: 1,
  };
}

export const tessallite: Twin = {
  platform: 'tessallite',

  credentials: { [administrator]: (world) => ({ SYSTEM_ADMIN_PASSWORD: adminPassword(world) }) },

  consumers: {
    'model-service': service('model-service', [member('JWT_SECRET_KEY')], (world) => ({
      SYSTEM_ADMIN_PASSWORD: adminPassword(world),
      ROTATION_FAILURES: String(rotationFailures),
    })),
    gateway: service('gateway', [member('JWT_SECRET_KEY')], (_world, urls) => ({
      QUERY_ROUTER_URL: urls['query-router'] ?? '',
    })),
    'query-router': service('query-router', []),
    optimizer: service('optimizer', []),
    scheduler: service('scheduler', []),
  },

  secrets: {
    [key]: {
      initial: ({ seeded }) => ({
        // As `Fernet.generate_key()` writes it: with its padding.
        [key]: `${seeded.bytes(key, 32).toString('base64url')}=`,
        [`${key}_PREVIOUS`]: '',
      }),
      supplied: null,
      probeUrl: () => null,
    },
    POSTGRES_PASSWORD: {
      initial(world) {
        const parts = loginParts(world, 'tessallite', 'tessallite');
        return { POSTGRES_PASSWORD: parts.password, SYSTEM_DATABASE_URL: urlOf('postgresql', parts) };
      },
      supplied: null,
      probeUrl: () => null,
    },
    JWT_SECRET_KEY: {
      initial: ({ seeded }) => ({
        JWT_SECRET_KEY: seeded.bytes('JWT_SECRET_KEY', 48).toString('base64url'),
      }),
      supplied: null,
      probeUrl: () => null,
    },
  },

  behaviours: [
    tokenClient({
      name: 'users',
      secret: 'JWT_SECRET_KEY',
      signedBy: 'JWT_SECRET_KEY',
      clients: 2,
      pause: 80,
      login,
      call: { method: 'GET', path: '/api/v1/auth/me' },
    }),
    tokenClient({
      name: 'business intelligence tools',
      secret: 'JWT_SECRET_KEY',
      signedBy: 'JWT_SECRET_KEY',
      clients: 1,
      pause: 80,
      login,
      call: { method: 'POST', at: 'gateway', path: '/xmla' },
    }),
  ],

  stored,

  database: {
    secret: 'POSTGRES_PASSWORD',
    databases: ['tessallite'],
    login: (variables) => loginInUrl(variables, 'SYSTEM_DATABASE_URL'),
  },
};

function adminPassword({ seeded }: TwinWorld): string {
  return seeded.bytes('SYSTEM_ADMIN_PASSWORD', 24).toString('base64url');
}

/** The id of the connection with this number: a UUID (RFC 9562 section 5.8, version 8) of its own making. */
export function connectionId(number: number): string {
  const hex = createHash('sha256').update(`connection ${number}`).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function stored(world: TwinWorld): StoredData {
  const record = new WriteRecord();
  const numbers = Array.from({ length: rowsAtStart + rowsMade }, (_, index) => index + 1);
  const rows = numbers.flatMap((number) => [connectionRow(connectionId(number)), providerRow(number)]);
  const there = rows.slice(0, 2 * rowsAtStart);
  const made = rows.slice(2 * rowsAtStart);
  const byName = new Map(rows.map((row) => [row.name, row]));
  const signedIn = { ...login, signedBy: 'JWT_SECRET_KEY' };
  return {
    prepare: () =>
      prepared('tessallite-data', {
        SYSTEM_DATABASE_URL: world.databaseUrl?.('tessallite') ?? '',
        CONNECTIONS: numbers.slice(0, rowsAtStart).map(connectionId).join(','),
        PROVIDERS: String(rowsAtStart),
        ...tessallite.secrets[key]?.initial(world),
      }),
    behaviours: [
      readingClients({
        name: 'users of stored credentials',
        secret: key,
        clients: 3,
        pause: 60,
        rows: there,
        login: signedIn,
      }),
      // Every fifth row is written over and over; the others stay as they are until something moves them.
      writingClients({
        name: 'people who change credentials',
        secret: key,
        clients: 2,
        pause: 60,
        rows: [...there.filter((_, index) => index % 5 === 0), ...made],
        login: signedIn,
        record,
      }),
    ],
    acknowledged: () => record.count,
    lost: (urls) => lost(record, byName, urls),
  };
}

/** A source database: each of the five services opens it. */
function connectionRow(id: string): StoredRow {
  return storedRow(`project-connections/${id}`, [
    { method: 'POST', at: 'gateway', path: `/xmla/${id}` },
    { method: 'POST', at: 'gateway', path: `/sql/${id}` },
    { method: 'POST', at: 'query-router', path: `/queries/${id}` },
    { method: 'POST', at: 'optimizer', path: `/jobs/profile/${id}` },
    { method: 'POST', at: 'scheduler', path: `/jobs/refresh/${id}` },
  ]);
}

function providerRow(number: number): StoredRow {
  return storedRow(`llm-provider-configs/${number}`, [
    { method: 'POST', at: 'optimizer', path: `/jobs/suggest/${number}` },
  ]);
}

function storedRow(name: string, uses: readonly ClientRequest[]): StoredRow {
  const path = `/api/v1/${name}`;
  return {
    name,
    reads: [{ method: 'GET', path }, ...uses],
    write: (value) => ({ method: 'POST', path, body: { value } }),
  };
}

async function lost(
  record: WriteRecord,
  rows: ReadonlyMap<string, StoredRow>,
  urls: TwinUrls,
): Promise<readonly string[]> {
  const platform = urls['model-service'];
  const answer = await fetch(new URL(login.path, platform), {
    method: 'POST',
    body: JSON.stringify(login.body),
  });
  const authorization = `Bearer ${textAt(await answer.json(), login.member)}`;
  return record.lost(async (name) => {
    const read = await fetch(new URL(rows.get(name)?.reads[0]?.path ?? '', platform), {
      headers: { authorization },
    });
    return read.ok ? textAt(await read.json(), 'digest') : null;
  });
}
