import { fileURLToPath } from 'node:url';
import { textAt, tokenClient } from '../behaviour.ts';
import { keywordsOf, loginParts } from './database-login.ts';
import { prepared } from './prepare.ts';
import { sessionsHeld } from './session-clients.ts';
import { readingClients, type StoredRow, writingClients } from './stored-clients.ts';
import type { StoredData, Twin, TwinUrls, TwinVariables, TwinWorld } from './twin.ts';
import { WriteRecord } from './write-record.ts';

const program = fileURLToPath(new URL('./exo.mjs', import.meta.url));

const user = {
  path: '/api/v1/login',
  body: { email: 'user@example.com', password: 'any' },
  member: 'token',
} as const;

/** A value as `openssl rand -hex 24` makes it: older than Keyturn, and not in the format that Keyturn makes. */
const handMadeBytes = 24;

export const exo: Twin = {
  platform: 'exo',

  consumers: {
    backend: {
      command: [process.execPath, program],
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      environment: (world) => ({
        EXO_DEV_MODE: 'false',
        EXO_CLAUDE_BASE_URL: world.provider.url,
        ...sessionsHeld(world),
      }),
      secrets: [
        { variable: 'EXO_ENCRYPTION_KEY', secret: 'EXO_ENCRYPTION_KEY', member: 'EXO_ENCRYPTION_KEY' },
        { variable: 'EXO_DATABASE_DSN', secret: 'EXO_DATABASE_DSN', member: 'EXO_DATABASE_DSN' },
        { variable: 'EXO_JWT_SECRET', secret: 'EXO_JWT_SECRET', member: 'EXO_JWT_SECRET' },
        { variable: 'EXO_CLAUDE_API_KEY', secret: 'EXO_CLAUDE_API_KEY', member: 'EXO_CLAUDE_API_KEY' },
      ],
      healthPath: '/healthz',
      desiredCount: 2,
    },
  },

  secrets: {
    EXO_ENCRYPTION_KEY: {
      // The document's own command, `openssl rand -hex 16`.
      initial: ({ seeded }) => ({
        EXO_ENCRYPTION_KEY: seeded.bytes('EXO_ENCRYPTION_KEY', 16).toString('hex'),
      }),
      supplied: null,
      probeUrl: () => null,
    },
    EXO_DATABASE_DSN: {
      initial: (world) => ({ EXO_DATABASE_DSN: keywordsOf(loginParts(world, 'exo', 'exo')) }),
      supplied: null,
      probeUrl: () => null,
    },
    EXO_JWT_SECRET: {
      initial: ({ seeded }) => ({
        EXO_JWT_SECRET: seeded.bytes('EXO_JWT_SECRET', handMadeBytes).toString('hex'),
      }),
      supplied: null,
      probeUrl: () => null,
    },
    EXO_CLAUDE_API_KEY: {
      initial: (world) => providerKey(world, 0),
      supplied: {
        supply: providerKey,
        revoke({ provider }, { EXO_CLAUDE_API_KEY = '' }) {
          provider.revoke(Buffer.from(EXO_CLAUDE_API_KEY, 'base64').toString('utf8'));
        },
      },
      probeUrl: ({ provider }) => `${provider.url}/v1/models`,
    },
  },

  behaviours: [
    tokenClient({
      name: 'users',
      secret: 'EXO_JWT_SECRET',
      signedBy: 'EXO_JWT_SECRET',
      clients: 3,
      pause: 60,
      login: user,
      call: { method: 'GET', path: '/api/v1/me' },
    }),
    tokenClient({
      name: 'oauth clients',
      secret: 'EXO_JWT_SECRET',
      signedBy: 'EXO_JWT_SECRET',
      clients: 1,
      pause: 80,
      login: {
        path: '/oauth/token',
        body: { grant_type: 'client_credentials', client_id: 'agent', client_secret: 'any' },
        member: 'access_token',
      },
      call: { method: 'GET', path: '/api/v1/me' },
    }),
    tokenClient({
      name: 'generate with AI',
      secret: 'EXO_CLAUDE_API_KEY',
      signedBy: 'EXO_JWT_SECRET',
      clients: 2,
      pause: 100,
      login: user,
      call: { method: 'POST', path: '/api/v1/generate', body: { prompt: 'a guardrail' } },
    }),
  ],

  stored,

  database: {
    secret: 'EXO_DATABASE_DSN',
    databases: ['exo'],
    login({ EXO_DATABASE_DSN: dsn = '' }) {
      const of = (keyword: string) => {
        const value = new RegExp(`(?:^| )${keyword}=('(?:[^'\\\\]|\\\\.)*'|\\S*)`).exec(dsn)?.[1] ?? '';
        return value.replace(/^'|'$/g, '').replace(/\\(.)/g, '$1');
      };
      return { user: of('user'), password: of('password') };
    },
  },
};

/** Rows before the platform starts. */
const rowsAtStart = 40;

function stored(world: TwinWorld): StoredData {
  const secret = 'EXO_ENCRYPTION_KEY';
  const record = new WriteRecord();
  const rows = Array.from({ length: rowsAtStart }, (_, index): StoredRow => {
    const path = `/api/v1/integrations/credential-${index + 1}/credential`;
    return {
      name: `credential-${index + 1}`,
      reads: [{ method: 'GET', path }],
      write: (value) => ({ method: 'POST', path, body: { value } }),
    };
  });
  const login = { ...user, signedBy: 'EXO_JWT_SECRET' };
  const clients = { secret, clients: 2, pause: 60, login };
  return {
    prepare: () =>
      prepared('exo-data', {
        EXO_DATABASE_DSN: exo.secrets.EXO_DATABASE_DSN?.initial(world).EXO_DATABASE_DSN ?? '',
        ROWS: String(rowsAtStart),
        ...exo.secrets[secret]?.initial(world),
      }),
    behaviours: [
      readingClients({ ...clients, name: 'integrations', rows }),
      // Every fifth row is written over and over; the others stay as they are.
      writingClients({
        ...clients,
        name: 'people who change integrations',
        rows: rows.filter((_, index) => index % 5 === 0),
        record,
      }),
    ],
    acknowledged: () => record.count,
    lost: (urls) => lost(record, urls),
  };
}

async function lost(record: WriteRecord, urls: TwinUrls): Promise<readonly string[]> {
  const answer = await fetch(new URL(user.path, urls.backend), {
    method: 'POST',
    body: JSON.stringify(user.body),
  });
  const authorization = `Bearer ${textAt(await answer.json(), user.member)}`;
  return record.lost(async (name) => {
    const read = await fetch(new URL(`/api/v1/integrations/${name}/credential`, urls.backend), {
      headers: { authorization },
    });
    return read.ok ? textAt(await read.json(), 'digest') : null;
  });
}

/** Key number `round`, alive at the provider, written as the document asks: base64 of it. */
function providerKey({ seeded, provider }: TwinWorld, round: number): TwinVariables {
  const key = `sk-ant-${seeded.bytes(`EXO_CLAUDE_API_KEY ${round}`, 30).toString('base64url')}`;
  provider.issue(key);
  return { EXO_CLAUDE_API_KEY: Buffer.from(key).toString('base64') };
}
