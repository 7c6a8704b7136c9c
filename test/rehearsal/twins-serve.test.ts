import { createServer } from 'node:http';
import { SignJWT } from 'jose';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startProvider } from '../../lib/rehearsal/twins/provider.ts';
import { ask, startTwin } from './twin-process.ts';

const oldKey = 'the-key-before-the-rotation-0123456789';
const newKey = 'the-key-after-the-rotation-abcdefghij';
const healthToken = 'a-health-check-token';

const exoPlain = {
  EXO_DEV_MODE: 'false',
  EXO_ENCRYPTION_KEY: '0123456789abcdef0123456789abcdef',
  EXO_DATABASE_DSN: 'host=db user=exo dbname=exo sslmode=require',
};
const ocorePlain = { DATABASE_URL: 'postgres://ocore@db/ocore' };
const person = { email: 'user@example.com', password: 'any' };

describe('tokens of exo', () => {
  it('open /me until the platform restarts with another key', async () => {
    const before = await startTwin('exo', { ...exoPlain, EXO_JWT_SECRET: oldKey });
    const user = await ask(before.url, 'POST /api/v1/login', { body: person });
    const client = { grant_type: 'client_credentials', client_id: 'agent', client_secret: 'any' };
    const oauth = await ask(before.url, 'POST /oauth/token', { body: client });
    const tokens = [String(user.body.token), String(oauth.body.access_token)];
    for (const bearer of tokens) {
      expect(await ask(before.url, 'GET /api/v1/me', { bearer })).toMatchObject({ status: 200 });
    }
    expect(await before.stop()).toBe(0);

    const after = await startTwin('exo', { ...exoPlain, EXO_JWT_SECRET: newKey });
    for (const bearer of tokens) {
      expect(await ask(after.url, 'GET /api/v1/me', { bearer })).toMatchObject({ status: 401 });
    }
    const again = await ask(after.url, 'POST /api/v1/login', { body: person });
    expect(await ask(after.url, 'GET /api/v1/me', { bearer: String(again.body.token) })).toMatchObject({
      status: 200,
      body: { claims: { sub: 'user@example.com', use: 'user' } },
    });
  });

  it('live for EXO_JWT_EXPIRY', async () => {
    const exo = await startTwin('exo', { ...exoPlain, EXO_JWT_SECRET: oldKey, EXO_JWT_EXPIRY: '1h30m' });
    const { body } = await ask(exo.url, 'POST /api/v1/login', { body: person });
    expect(body.expiresIn).toBe(5400);
    const me = await ask(exo.url, 'GET /api/v1/me', { bearer: String(body.token) });
    const { iat, exp } = me.body.claims as { iat: number; exp: number };
    expect(exp - iat).toBe(5400);
  });

  const key = new TextEncoder().encode(oldKey);
  const now = Math.floor(Date.now() / 1000);
  const foreign: readonly (readonly [string, () => Promise<string>, number])[] = [
    [
      'a probe signed with the key itself',
      () => new SignJWT({ sub: 'p', iat: now, exp: now + 60 }).setProtectedHeader({ alg: 'HS256' }).sign(key),
      200,
    ],
    [
      'an expired token',
      () => new SignJWT({ sub: 'p', exp: now - 60 }).setProtectedHeader({ alg: 'HS256' }).sign(key),
      401,
    ],
    [
      'a token without end',
      () => new SignJWT({ sub: 'p' }).setProtectedHeader({ alg: 'HS256' }).sign(key),
      401,
    ],
    [
      'a token of another algorithm',
      () => new SignJWT({ sub: 'p', exp: now + 60 }).setProtectedHeader({ alg: 'HS512' }).sign(key),
      401,
    ],
    ['no token at all', async () => 'x.y.z', 401],
  ];

  it('are judged by signature, algorithm and end', async () => {
    const exo = await startTwin('exo', { ...exoPlain, EXO_JWT_SECRET: oldKey });
    for (const [what, token, status] of foreign) {
      const { status: answered } = await ask(exo.url, 'GET /api/v1/me', { bearer: await token() });
      expect(answered, what).toBe(status);
    }
    expect((await ask(exo.url, 'GET /api/v1/me')).status, 'no header').toBe(401);
  });
});

describe('generation by exo', () => {
  async function generated(apiKey: string, issued: string | null): Promise<number> {
    const provider = await startProvider();
    onTestFinished(() => provider.close());
    if (issued !== null) provider.issue(issued);
    const exo = await startTwin('exo', {
      ...exoPlain,
      EXO_JWT_SECRET: oldKey,
      EXO_CLAUDE_API_KEY: apiKey,
      EXO_CLAUDE_BASE_URL: provider.url,
    });
    const { body } = await ask(exo.url, 'POST /api/v1/login', { body: person });
    const bearer = String(body.token);
    expect((await ask(exo.url, 'POST /api/v1/generate', { body: { prompt: 'p' } })).status).toBe(401);
    return (await ask(exo.url, 'POST /api/v1/generate', { bearer, body: { prompt: 'p' } })).status;
  }

  const encoded = Buffer.from('sk-ant-one').toString('base64');

  it('works with a key that the provider knows, stored as base64', async () => {
    expect(await generated(encoded, 'sk-ant-one')).toBe(200);
  });
  it('is 502 when the provider refuses the key', async () => {
    expect(await generated(encoded, 'sk-ant-two')).toBe(502);
  });
  it('is 502 when the key was stored without base64', async () => {
    expect(await generated('sk-ant-one', 'sk-ant-one')).toBe(502);
  });
  it('is 503 when no key is configured', async () => {
    expect(await generated('', null)).toBe(503);
  });
});

describe('the provider of keys', () => {
  it('knows several live keys at once and refuses a revoked one', async () => {
    const provider = await startProvider();
    onTestFinished(() => provider.close());
    const models = async (key: string) =>
      (await fetch(`${provider.url}/v1/models`, { headers: { 'x-api-key': key, connection: 'close' } }))
        .status;
    provider.issue('one');
    provider.issue('two');
    expect([await models('one'), await models('two'), await models('three')]).toEqual([200, 200, 401]);
    provider.revoke('one');
    expect([await models('one'), await models('two')]).toEqual([401, 200]);
  });
});

describe('tokens of ocore', () => {
  it('refresh until the platform restarts with another key', async () => {
    const before = await startTwin('ocore', { ...ocorePlain, JWT_SECRET: oldKey });
    const first = await ask(before.url, 'POST /api/auth/login', { body: person });
    const accessToken = String(first.body.accessToken);
    const refreshToken = String(first.body.refreshToken);
    expect((await ask(before.url, 'GET /api/auth/me', { bearer: accessToken })).status).toBe(200);
    const second = await ask(before.url, 'POST /api/auth/refresh', { body: { refreshToken } });
    expect(second.status).toBe(200);
    expect(await before.stop()).toBe(0);

    const after = await startTwin('ocore', { ...ocorePlain, JWT_SECRET: newKey });
    expect((await ask(after.url, 'POST /api/auth/refresh', { body: second.body })).status).toBe(401);
    expect((await ask(after.url, 'GET /api/auth/me', { bearer: accessToken })).status).toBe(401);
  });

  it('open only what they are for', async () => {
    const ocore = await startTwin('ocore', { ...ocorePlain, JWT_SECRET: oldKey });
    const { body } = await ask(ocore.url, 'POST /api/auth/login', { body: person });
    const accessToken = String(body.accessToken);
    const refreshToken = String(body.refreshToken);
    expect((await ask(ocore.url, 'GET /api/auth/me', { bearer: refreshToken })).status).toBe(401);
    const asRefresh = { refreshToken: accessToken };
    expect((await ask(ocore.url, 'POST /api/auth/refresh', { body: asRefresh })).status).toBe(401);
  });
});

describe('the health check of ocore', () => {
  const minimal = { status: 200, body: { status: 'ok' } };

  it('is rich with the token and minimal without', async () => {
    const ocore = await startTwin('ocore', {
      ...ocorePlain,
      JWT_SECRET: oldKey,
      HEALTH_CHECK_TOKEN: healthToken,
      DB_POOL_MAX_CONNS: '7',
    });
    expect(await ask(ocore.url, 'GET /api/health')).toEqual(minimal);
    expect(await ask(ocore.url, 'GET /api/health', { bearer: `${healthToken}x` })).toEqual(minimal);
    const rich = await ask(ocore.url, 'GET /api/health', { bearer: healthToken });
    expect(rich).toMatchObject({
      status: 200,
      body: { status: 'ok', database: { pool: { minConns: 2, maxConns: 7 } } },
    });
    expect(Object.keys(rich.body)).toEqual([
      'status',
      'version',
      'commit',
      'startedAt',
      'database',
      'sshPool',
      'jobQueue',
      'agents',
      'backup',
      'sshGateway',
    ]);
  });

  it('is minimal for everybody when no token is configured', async () => {
    const ocore = await startTwin('ocore', { ...ocorePlain, JWT_SECRET: oldKey });
    expect(await ask(ocore.url, 'GET /api/health', { bearer: 'anything' })).toEqual(minimal);
  });
});

describe('bad requests', () => {
  it('are refused with a status of their own and end nothing', async () => {
    const exo = await startTwin('exo', { ...exoPlain, EXO_JWT_SECRET: oldKey });
    const login = new URL('/api/v1/login', exo.url);
    const post = async (body: string) => (await fetch(login, { method: 'POST', body })).status;
    expect(await post('{"email":')).toBe(400);
    expect(await post('[]')).toBe(400);
    expect(await post('{"email":"a"}')).toBe(400);
    expect(await post('x'.repeat(70_000))).toBe(413);
    expect((await ask(exo.url, 'GET /api/v1/login')).status).toBe(404);
    expect((await ask(exo.url, 'GET /toString')).status).toBe(404);
    expect(await post(JSON.stringify(person))).toBe(200);
  });
});

describe('SIGTERM', () => {
  it('lets a request in flight be answered, takes no more, and ends with 0', async () => {
    let release = () => {};
    let arrived = () => {};
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const slow = createServer((_request, response) => {
      arrived();
      release = () => response.end('{}');
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void slow.close());
    const address = slow.address();
    const exo = await startTwin('exo', {
      ...exoPlain,
      EXO_JWT_SECRET: oldKey,
      EXO_CLAUDE_API_KEY: 'eA==',
      EXO_CLAUDE_BASE_URL: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    });
    const { body } = await ask(exo.url, 'POST /api/v1/login', { body: person });
    const inFlight = ask(exo.url, 'POST /api/v1/generate', {
      bearer: String(body.token),
      body: { prompt: 'p' },
    });
    await asked;
    const stopped = exo.stop();
    await expect
      .poll(
        () =>
          ask(exo.url, 'GET /healthz').then(
            () => 'listening',
            () => 'closed',
          ),
        { interval: 10 },
      )
      .toBe('closed');
    release();
    expect((await inFlight).status).toBe(200);
    expect(await stopped).toBe(0);
  });
});
