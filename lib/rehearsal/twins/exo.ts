import { fileURLToPath } from 'node:url';
import { tokenClient } from '../behaviour.ts';
import type { Twin, TwinVariables, TwinWorld } from './twin.ts';

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
      environment: ({ seeded, provider }) => ({
        EXO_DEV_MODE: 'false',
        EXO_ENCRYPTION_KEY: seeded.bytes('EXO_ENCRYPTION_KEY', 16).toString('hex'),
        EXO_DATABASE_DSN: 'host=localhost user=exo dbname=exo sslmode=disable',
        EXO_CLAUDE_BASE_URL: provider.url,
      }),
      secrets: [
        { variable: 'EXO_JWT_SECRET', secret: 'EXO_JWT_SECRET', member: 'EXO_JWT_SECRET' },
        { variable: 'EXO_CLAUDE_API_KEY', secret: 'EXO_CLAUDE_API_KEY', member: 'EXO_CLAUDE_API_KEY' },
      ],
      healthPath: '/healthz',
      desiredCount: 2,
    },
  },

  secrets: {
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
};

/** Key number `round`, alive at the provider, written as the document asks: base64 of it. */
function providerKey({ seeded, provider }: TwinWorld, round: number): TwinVariables {
  const key = `sk-ant-${seeded.bytes(`EXO_CLAUDE_API_KEY ${round}`, 30).toString('base64url')}`;
  provider.issue(key);
  return { EXO_CLAUDE_API_KEY: Buffer.from(key).toString('base64') };
}
