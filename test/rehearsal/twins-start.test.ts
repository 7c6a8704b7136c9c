import { describe, expect, it } from 'vitest';
import { runTwin } from './twin-process.ts';

const canary = 'canary-value-that-must-not-be-printed';

const exo = {
  EXO_DEV_MODE: 'false',
  EXO_ENCRYPTION_KEY: '0123456789abcdef0123456789abcdef',
  EXO_JWT_SECRET: 'an-older-secret-that-somebody-made-by-hand',
  EXO_DATABASE_DSN: 'host=db user=exo dbname=exo sslmode=require',
};

const ocore = {
  DATABASE_URL: 'postgres://ocore@db:5432/ocore?sslmode=require',
  JWT_SECRET: 'an-older-secret-that-somebody-made-by-hand',
};

const kaireon = {
  NODE_ENV: 'production',
  DATABASE_URL: 'postgresql://kaireon@db:5432/kaireon?sslmode=require',
  NEXTAUTH_SECRET: 'x'.repeat(32),
  JWT_SIGNING_SECRET: 'x'.repeat(32),
  CONNECTOR_ENCRYPTION_KEY: 'x'.repeat(32),
  WEBHOOK_SIGNING_SECRET: 'x'.repeat(32),
  API_KEY_PEPPER: 'x'.repeat(32),
};

const tessallite = {
  SYSTEM_DATABASE_URL: 'postgresql://tessallite@db:5432/tessallite?sslmode=require',
  CREDENTIAL_ENCRYPTION_KEY: `${'x'.repeat(42)}w=`,
  JWT_SECRET_KEY: 'x'.repeat(32),
  SYSTEM_ADMIN_PASSWORD: 'x'.repeat(16),
};

const thirtyOne = 'x'.repeat(31);
const thirtyTwo = 'x'.repeat(32);

type Case = readonly [what: string, changes: Readonly<Record<string, string>>, sentence: string];

const exoRefuses: readonly Case[] = [
  [
    'a missing encryption key',
    { EXO_ENCRYPTION_KEY: '' },
    'EXO_ENCRYPTION_KEY must be set; it is missing or blank.',
  ],
  [
    'a key of 31 bytes',
    { EXO_ENCRYPTION_KEY: thirtyOne },
    'EXO_ENCRYPTION_KEY must be exactly 32 bytes; it has 31.',
  ],
  [
    'a key of 32 characters and 33 bytes',
    { EXO_ENCRYPTION_KEY: `${thirtyOne}é` },
    'EXO_ENCRYPTION_KEY must be exactly 32 bytes; it has 33.',
  ],
  [
    'no JWT secret in production',
    { EXO_JWT_SECRET: '' },
    'EXO_JWT_SECRET must be set; it is missing or blank.',
  ],
  [
    'the development default in production',
    { EXO_JWT_SECRET: 'changeme-secret-key' },
    'EXO_JWT_SECRET must not be the published development default in production.',
  ],
  [
    'a blank DSN in production',
    { EXO_DATABASE_DSN: ' ' },
    'EXO_DATABASE_DSN must be set; it is missing or blank.',
  ],
  [
    'a day as a duration',
    { EXO_JWT_EXPIRY: '1d' },
    'EXO_JWT_EXPIRY must be a positive Go duration such as 15m or 1h30m; it is not.',
  ],
  [
    'a duration of nothing',
    { EXO_JWT_EXPIRY: '0s' },
    'EXO_JWT_EXPIRY must be a positive Go duration such as 15m or 1h30m; it is not.',
  ],
  [
    'a development mode of neither',
    { EXO_DEV_MODE: 'no' },
    'EXO_DEV_MODE must be true or false; it is neither.',
  ],
  ['a port out of range', { PORT: '70000' }, 'PORT must be a whole number from 0 to 65535; it is not.'],
];

const ocoreRefuses: readonly Case[] = [
  ['a missing database', { DATABASE_URL: '' }, 'DATABASE_URL must be set; it is missing or blank.'],
  ['no JWT secret', { JWT_SECRET: '' }, 'JWT_SECRET must be set; it is missing or blank.'],
  [
    'a JWT secret of 31 characters',
    { JWT_SECRET: thirtyOne },
    'JWT_SECRET must have at least 32 characters; it has 31.',
  ],
  [
    'a short SSH key where nothing says development',
    { SSH_ENCRYPTION_KEY: thirtyOne },
    'SSH_ENCRYPTION_KEY must have at least 32 characters; it has 31.',
  ],
  [
    'a bare number as a duration',
    { JWT_ACCESS_EXPIRY: '15' },
    'JWT_ACCESS_EXPIRY must be a positive Go duration such as 15m or 1h30m; it is not.',
  ],
  [
    'an unreadable refresh lifetime',
    { JWT_REFRESH_EXPIRY: '7 days' },
    'JWT_REFRESH_EXPIRY must be a positive Go duration such as 15m or 1h30m; it is not.',
  ],
  [
    'a pool without connections',
    { DB_POOL_MAX_CONNS: '0' },
    'DB_POOL_MAX_CONNS must be a whole number from 1 to 10000; it is not.',
  ],
  [
    'a pool with its bounds crossed',
    { DB_POOL_MIN_CONNS: '5', DB_POOL_MAX_CONNS: '4' },
    'DB_POOL_MAX_CONNS must be at least DB_POOL_MIN_CONNS; 4 is less than 5.',
  ],
];

const kaireonRefuses: readonly Case[] = [
  [
    'an address of another database',
    { DATABASE_URL: 'postgres://kaireon@db/kaireon' },
    'DATABASE_URL must start with postgresql://; it does not.',
  ],
  [
    'no encryption key: the fallback is for development',
    { CONNECTOR_ENCRYPTION_KEY: '' },
    'CONNECTOR_ENCRYPTION_KEY must be set; it is missing or blank.',
  ],
  [
    'a previous key of 31 characters',
    { CONNECTOR_ENCRYPTION_KEY_PREVIOUS: thirtyOne },
    'CONNECTOR_ENCRYPTION_KEY_PREVIOUS must have at least 32 characters; it has 31.',
  ],
  [
    'a key version that is no number',
    { CONNECTOR_ENCRYPTION_KEY_VERSION: 'v2' },
    'CONNECTOR_ENCRYPTION_KEY_VERSION must be a whole number from 0 to 999999; it is not.',
  ],
  [
    'no signing key of its own for tokens in production',
    { JWT_SIGNING_SECRET: '' },
    'JWT_SIGNING_SECRET must be set; it is missing or blank.',
  ],
];

const tessalliteRefuses: readonly Case[] = [
  [
    'no encryption key',
    { CREDENTIAL_ENCRYPTION_KEY: '' },
    'CREDENTIAL_ENCRYPTION_KEY must be set; it is missing or blank.',
  ],
  [
    'an encryption key without its padding',
    { CREDENTIAL_ENCRYPTION_KEY: 'x'.repeat(43) },
    'CREDENTIAL_ENCRYPTION_KEY must be 32 bytes in URL-safe base64, 44 characters; it is not.',
  ],
  [
    'a second previous key that is none',
    { CREDENTIAL_ENCRYPTION_KEY_PREVIOUS: `${'y'.repeat(42)}w=,${thirtyTwo}` },
    'Each key of CREDENTIAL_ENCRYPTION_KEY_PREVIOUS must be 32 bytes in URL-safe base64, 44 characters; it is not.',
  ],
  [
    'neither an address of its database nor a password',
    { SYSTEM_DATABASE_URL: '' },
    'POSTGRES_PASSWORD must be set; it is missing or blank.',
  ],
  [
    'an address of another database',
    { SYSTEM_DATABASE_URL: 'mysql://tessallite@db/tessallite' },
    'SYSTEM_DATABASE_URL must start with postgresql://; it does not.',
  ],
  ['no signing key', { JWT_SECRET_KEY: '' }, 'JWT_SECRET_KEY must be set; it is missing or blank.'],
  [
    'another algorithm',
    { JWT_ALGORITHM: 'none' },
    'JWT_ALGORITHM must be HS256, the only one that this stand-in knows; it is not.',
  ],
  [
    'no administrator’s password',
    { SYSTEM_ADMIN_PASSWORD: '' },
    'SYSTEM_ADMIN_PASSWORD must be set; it is missing or blank.',
  ],
];

describe('exo refuses to start with', () => {
  it.concurrent.for(exoRefuses)('%s', async ([, changes, sentence], { expect }) => {
    expect(await runTwin('exo', { ...exo, ...changes })).toEqual({ code: 1, output: `exo: ${sentence}\n` });
  });
});

describe('ocore refuses to start with', () => {
  it.concurrent.for(ocoreRefuses)('%s', async ([, changes, sentence], { expect }) => {
    expect(await runTwin('ocore', { ...ocore, ...changes })).toEqual({
      code: 1,
      output: `ocore: ${sentence}\n`,
    });
  });
});

describe('kaireon refuses to start with', () => {
  it.concurrent.for(kaireonRefuses)('%s', async ([, changes, sentence], { expect }) => {
    expect(await runTwin('kaireon-api', { ...kaireon, ...changes })).toEqual({
      code: 1,
      output: `kaireon-api: ${sentence}\n`,
    });
  });
});

describe('tessallite refuses to start with', () => {
  it.concurrent.for(tessalliteRefuses)('%s', async ([, changes, sentence], { expect }) => {
    expect(await runTwin('tessallite-model-service', { ...tessallite, ...changes })).toEqual({
      code: 1,
      output: `tessallite-model-service: ${sentence}\n`,
    });
  });
});

describe('a twin starts with', () => {
  const starts: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
    ['what the document asks of production', 'exo', exo],
    ['an encryption key alone in development', 'exo', { EXO_ENCRYPTION_KEY: thirtyTwo }],
    [
      'the published default in development',
      'exo',
      { EXO_ENCRYPTION_KEY: thirtyTwo, EXO_JWT_SECRET: 'changeme-secret-key' },
    ],
    ['a duration of several units', 'exo', { ...exo, EXO_JWT_EXPIRY: '1h30m0.5s' }],
    ['what the document strictly requires', 'ocore', ocore],
    ['what the document requires in production', 'kaireon-api', kaireon],
    ['what the document requires', 'tessallite-model-service', tessallite],
    [
      'two previous keys, and a password in place of an address',
      'tessallite-model-service',
      {
        ...tessallite,
        SYSTEM_DATABASE_URL: '',
        POSTGRES_PASSWORD: 'x',
        CREDENTIAL_ENCRYPTION_KEY_PREVIOUS: `${'y'.repeat(42)}w=, ${'z'.repeat(42)}w=`,
      },
    ],
    [
      'an address as SQLAlchemy writes it',
      'tessallite-model-service',
      { ...tessallite, SYSTEM_DATABASE_URL: 'postgresql+asyncpg://tessallite@db:5432/tessallite' },
    ],
    [
      'secrets of just 32 characters',
      'ocore',
      { ...ocore, JWT_SECRET: thirtyTwo, SSH_ENCRYPTION_KEY: thirtyTwo },
    ],
    [
      'a short SSH key in development',
      'ocore',
      { ...ocore, ENVIRONMENT: 'development', SSH_ENCRYPTION_KEY: 'short' },
    ],
  ];

  it.concurrent.for(starts)('%s (%s)', async ([, twin, environment], { expect }) => {
    const { output } = await runTwin(twin, environment);
    expect(output).toMatch(
      /^(exo|ocore|kaireon-api|tessallite-model-service): listening on http:\/\/127\.0\.0\.1:\d+\n$/,
    );
  });
});

describe('a refusal', () => {
  it('prints no value, of the broken variable or of another', async () => {
    const broken = await runTwin('ocore', {
      ...ocore,
      JWT_SECRET: canary.slice(0, 20),
      HEALTH_CHECK_TOKEN: canary,
    });
    expect(broken.code).toBe(1);
    expect(broken.output).not.toContain(canary.slice(0, 6));
  });
});
