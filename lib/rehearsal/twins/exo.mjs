/**
 * A stand-in of the Exo control plane, after its document "Control-plane config & secrets" v0.3.0: the same
 * variables, read at start only, the same refusals to start, tokens of EXO_JWT_SECRET, and integration credentials
 * that PostgreSQL keeps encrypted under a key which EXO_ENCRYPTION_KEY wraps.
 *
 * It connects only where the DSN names an authority that vouches for the server: a run without a database needs none.
 */
import { databaseOf } from './database.mjs';
import { databaseSessions } from './database-sessions.mjs';
import { credentialsOf, unwrapped, urlOf } from './exo-envelope.mjs';
import { isText, notFound, serve } from './http-server.mjs';
import { tokensOf } from './tokens.mjs';
import { duration, flag, InvalidVariable, listeningPort, required, settingsOrExit } from './variables.mjs';

/** The document's development default; anyone can sign tokens with it. */
const publishedSecret = 'changeme-secret-key';

/** The document calls OAuth access tokens short-lived and gives no number. Milliseconds. */
const oauthLifetime = 15 * 60_000;

/** Milliseconds that the provider may take. */
const providerDeadline = 10_000;

const settings = settingsOrExit('exo', (environment) => {
  const production = !flag(environment, 'EXO_DEV_MODE', true);
  return {
    encryptionKey: encryptionKey(environment),
    jwtSecret: production ? productionSecret(environment) : environment.EXO_JWT_SECRET || publishedSecret,
    databaseDsn: production
      ? required(environment, 'EXO_DATABASE_DSN')
      : environment.EXO_DATABASE_DSN || 'host=localhost user=exo dbname=exo sslmode=disable',
    jwtLifetime: duration(environment, 'EXO_JWT_EXPIRY', '24h'),
    claudeApiKey: environment.EXO_CLAUDE_API_KEY ?? '',
    claudeBaseUrl: environment.EXO_CLAUDE_BASE_URL || 'https://api.anthropic.com',
    port: listeningPort(environment, 'EXO_PORT', 9092),
  };
});

const tokens = tokensOf(settings.jwtSecret);
const credentials = settings.databaseDsn.includes('sslrootcert=') ? await storedCredentials() : null;
const sessions = await databaseSessions('exo-backend', { connectionString: urlOf(settings.databaseDsn) });
/** @type {import('./http-server.mjs').Reply} */
const unauthorized = { status: 401, body: { error: 'the token is missing, expired or not ours' } };

serve({
  twin: 'exo',
  port: settings.port,
  routes: {
    ...sessions,

    'GET /healthz': () => ({ status: 200, body: { status: 'ok' } }),

    'POST /api/v1/login': async ({ body }) => {
      if (!isText(body.email) || !isText(body.password)) {
        return { status: 400, body: { error: 'email and password must be given' } };
      }
      const token = await tokens.issue({ sub: body.email, use: 'user' }, settings.jwtLifetime);
      return { status: 200, body: { token, expiresIn: Math.round(settings.jwtLifetime / 1000) } };
    },

    // Client credentials (RFC 6749 section 4.4), as JSON.
    'POST /oauth/token': async ({ body }) => {
      if (
        body.grant_type !== 'client_credentials' ||
        !isText(body.client_id) ||
        !isText(body.client_secret)
      ) {
        return { status: 400, body: { error: 'invalid_request' } };
      }
      const token = await tokens.issue({ sub: body.client_id, use: 'oauth' }, oauthLifetime);
      return {
        status: 200,
        body: { access_token: token, token_type: 'Bearer', expires_in: oauthLifetime / 1000 },
      };
    },

    'GET /api/v1/me': async ({ bearer }) => {
      const claims = await tokens.verify(bearer);
      return claims === null ? unauthorized : { status: 200, body: { claims } };
    },

    'GET /api/v1/integrations/:id/credential': async ({ bearer, parts: { id } }) => {
      if ((await tokens.verify(bearer)) === null) return unauthorized;
      const found = (await credentials?.readOne(id ?? '')) ?? { is: 'missing' };
      if (found.is === 'missing') return notFound;
      return found.is === 'open'
        ? { status: 200, body: { id: id ?? '', digest: found.digest } }
        : { status: 500, body: { error: 'the stored credential cannot be decrypted' } };
    },

    'POST /api/v1/integrations/:id/credential': async ({ bearer, body, parts: { id } }) => {
      if ((await tokens.verify(bearer)) === null) return unauthorized;
      if (!isText(body.value)) return { status: 400, body: { error: 'value must be given' } };
      if (credentials === null) return notFound;
      await credentials.writeOne(id ?? '', body.value);
      return { status: 200, body: { id: id ?? '' } };
    },

    'POST /api/v1/generate': async ({ bearer, body }) => {
      if ((await tokens.verify(bearer)) === null) return unauthorized;
      if (!isText(body.prompt)) return { status: 400, body: { error: 'prompt must be given' } };
      return generated(body.prompt);
    },
  },
});

/** The key-encryption key is unwrapped at start and kept in memory: the document's process fails fast without it. */
async function storedCredentials() {
  const { query } = databaseOf(urlOf(settings.databaseDsn));
  const { rows } = await query("SELECT to_regclass('encryption_keyring') AS keyring");
  if (rows[0]?.keyring === null) return null;
  const vault = await unwrapped(query, settings.encryptionKey);
  if (vault !== null) return credentialsOf(query, vault);
  process.stderr.write('exo: EXO_ENCRYPTION_KEY must unwrap the key-encryption key; it does not.\n');
  process.exit(1);
}

/** @param {import('./variables.mjs').Environment} environment */
function encryptionKey(environment) {
  const key = required(environment, 'EXO_ENCRYPTION_KEY');
  const bytes = Buffer.byteLength(key);
  if (bytes !== 32)
    throw new InvalidVariable(`EXO_ENCRYPTION_KEY must be exactly 32 bytes; it has ${bytes}.`);
  return key;
}

/** @param {import('./variables.mjs').Environment} environment */
function productionSecret(environment) {
  const secret = required(environment, 'EXO_JWT_SECRET');
  if (secret === publishedSecret) {
    throw new InvalidVariable('EXO_JWT_SECRET must not be the published development default in production.');
  }
  return secret;
}

/**
 * The "Generate with AI" fallback. The key is decoded when it is used, as the document says.
 *
 * @param {string} prompt
 * @returns {Promise<import('./http-server.mjs').Reply>}
 */
async function generated(prompt) {
  if (settings.claudeApiKey.trim() === '') {
    return { status: 503, body: { error: 'no provider is configured' } };
  }
  try {
    const answer = await fetch(new URL('/v1/messages', settings.claudeBaseUrl), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'anthropic-version': '2023-06-01',
        'x-api-key': Buffer.from(settings.claudeApiKey, 'base64').toString('utf8'),
      },
      body: JSON.stringify({ max_tokens: 64, messages: [{ role: 'user', content: prompt }] }),
      signal: AbortSignal.timeout(providerDeadline),
    });
    if (answer.ok) return { status: 200, body: { generated: await answer.json() } };
    return { status: 502, body: { error: `the provider answered ${answer.status}` } };
  } catch {
    // An invalid header value is quoted in fetch's own message.
    return { status: 502, body: { error: 'the provider could not be asked' } };
  }
}
