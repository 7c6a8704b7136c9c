import { fileURLToPath } from 'node:url';
import { type Behaviour, isRecord, loggedIn, type Token, textAt, tokenClient } from '../behaviour.ts';
import { loginInUrl, loginParts, urlOf } from './database-login.ts';
import { prepared } from './prepare.ts';
import { sessionsHeld } from './session-clients.ts';
import { readingClients, type StoredRow, writingClients } from './stored-clients.ts';
import type { StoredData, Twin, TwinUrls, TwinWorld } from './twin.ts';
import { WriteRecord } from './write-record.ts';

const program = fileURLToPath(new URL('./ocore.mjs', import.meta.url));

const login = {
  path: '/api/auth/login',
  body: { email: 'user@example.com', password: 'any' },
  member: 'accessToken',
} as const;

export const ocore: Twin = {
  platform: 'ocore',

  consumers: {
    backend: {
      command: [process.execPath, program],
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      environment: (world) => ({ ENVIRONMENT: 'production', ...sessionsHeld(world) }),
      secrets: [
        { variable: 'DATABASE_URL', secret: 'DATABASE_URL', member: 'DATABASE_URL' },
        { variable: 'JWT_SECRET', secret: 'JWT_SECRET', member: 'JWT_SECRET' },
        { variable: 'HEALTH_CHECK_TOKEN', secret: 'HEALTH_CHECK_TOKEN', member: 'HEALTH_CHECK_TOKEN' },
        { variable: 'SSH_ENCRYPTION_KEY', secret: 'SSH_ENCRYPTION_KEY', member: 'SSH_ENCRYPTION_KEY' },
      ],
      healthPath: '/api/health',
      desiredCount: 2,
    },
  },

  secrets: {
    DATABASE_URL: {
      initial: (world) => ({ DATABASE_URL: databaseUrl(world) }),
      supplied: null,
      probeUrl: () => null,
    },
    JWT_SECRET: {
      // The document's own command, `openssl rand -base64 48`.
      initial: ({ seeded }) => ({ JWT_SECRET: seeded.bytes('JWT_SECRET', 48).toString('base64') }),
      supplied: null,
      probeUrl: () => null,
    },
    HEALTH_CHECK_TOKEN: {
      initial: ({ seeded }) => ({
        HEALTH_CHECK_TOKEN: seeded.bytes('HEALTH_CHECK_TOKEN', 20).toString('hex'),
      }),
      supplied: null,
      probeUrl: () => null,
    },
    SSH_ENCRYPTION_KEY: {
      // The document's own command, `openssl rand -base64 48`.
      initial: ({ seeded }) => ({
        SSH_ENCRYPTION_KEY: seeded.bytes('SSH_ENCRYPTION_KEY', 48).toString('base64'),
      }),
      supplied: null,
      probeUrl: () => null,
    },
  },

  behaviours: [
    tokenClient({
      name: 'users',
      secret: 'JWT_SECRET',
      signedBy: 'JWT_SECRET',
      clients: 3,
      pause: 60,
      login,
      call: { method: 'GET', path: '/api/auth/me' },
    }),
    refreshing(),
    monitoring(),
  ],

  stored,

  database: {
    secret: 'DATABASE_URL',
    databases: ['ocore'],
    login: (variables) => loginInUrl(variables, 'DATABASE_URL'),
  },
};

/** As the document writes it, password URL-encoded. */
function databaseUrl(world: TwinWorld): string {
  return urlOf('postgres', loginParts(world, 'ocore', 'ocore_a'));
}

/** Clients that live on refresh tokens: each refresh gives the next one. */
function refreshing(): Behaviour {
  return {
    name: 'refreshing users',
    secret: 'JWT_SECRET',
    clients: 1,
    pause: 90,
    client(session) {
      let token: Token | null = null;
      return async () => {
        token ??= await loggedIn(session, { ...login, member: 'refreshToken' }, 'JWT_SECRET');
        if (token === null) return;
        const outcome = await session.send(
          { method: 'POST', path: '/api/auth/refresh', body: { refreshToken: token.value }, token },
          (body) => textAt(body, 'refreshToken'),
        );
        token = outcome.kind === 'served' ? session.issued(outcome.value, 'JWT_SECRET') : null;
        if (token !== null) session.whole();
      };
    },
  };
}

/**
 * A monitoring system that wants the rich health payload. It learns of a new token by the minimal answer,
 * and then reads the secret again. While instances of both values serve, it may get either answer.
 */
function monitoring(): Behaviour {
  const secret = 'HEALTH_CHECK_TOKEN';
  return {
    name: 'monitoring',
    secret,
    clients: 1,
    pause: 100,
    client(session) {
      let bearer: string | null = null;
      return async () => {
        bearer ??= await session.variable(secret, secret);
        const outcome = await session.send(
          { method: 'GET', path: '/api/health', ...(bearer === null ? {} : { bearer }) },
          (body) => (isRecord(body) && body.status === 'ok' ? body : null),
        );
        if (outcome.kind !== 'served') return;
        if (typeof outcome.value.version === 'string') session.whole();
        else {
          session.degraded();
          bearer = null;
        }
      };
    },
  };
}

/** Rows before the platform starts. */
const rowsAtStart = 40;

function stored(world: TwinWorld): StoredData {
  const secret = 'SSH_ENCRYPTION_KEY';
  const record = new WriteRecord();
  const rows = Array.from({ length: rowsAtStart }, (_, index): StoredRow => {
    const path = `/api/ssh/credentials/credential-${index + 1}`;
    return {
      name: `credential-${index + 1}`,
      reads: [{ method: 'GET', path }],
      write: (value) => ({ method: 'POST', path, body: { value } }),
    };
  });
  const signedIn = { ...login, signedBy: 'JWT_SECRET' };
  return {
    prepare: () =>
      prepared('ocore-data', {
        DATABASE_URL: world.databaseUrl?.('ocore') ?? '',
        ROWS: String(rowsAtStart),
        ...ocore.secrets[secret]?.initial(world),
      }),
    behaviours: [
      readingClients({ name: 'SSH sessions', secret, clients: 2, pause: 60, rows, login: signedIn }),
      // Every fifth row is written over and over; the others stay as they are until something moves them.
      writingClients({
        name: 'people who change SSH credentials',
        secret,
        clients: 2,
        pause: 60,
        rows: rows.filter((_, index) => index % 5 === 0),
        login: signedIn,
        record,
      }),
    ],
    acknowledged: () => record.count,
    lost: (urls) => lost(record, urls),
  };
}

async function lost(record: WriteRecord, urls: TwinUrls): Promise<readonly string[]> {
  const answer = await fetch(new URL(login.path, urls.backend), {
    method: 'POST',
    body: JSON.stringify(login.body),
  });
  const authorization = `Bearer ${textAt(await answer.json(), login.member)}`;
  return record.lost(async (name) => {
    const read = await fetch(new URL(`/api/ssh/credentials/${name}`, urls.backend), {
      headers: { authorization },
    });
    return read.ok ? textAt(await read.json(), 'digest') : null;
  });
}
