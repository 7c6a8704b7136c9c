/** Tessallite's stand-in on a real database: which of its five services reads what under which keys, and its rotation call. */
import { describe, expect, it } from 'vitest';
import { codecOf } from '../../lambdas/ciphers/registry.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';
import { administrator, connectionId, tessallite } from '../../lib/rehearsal/twins/tessallite.ts';
import { ringOf } from '../lambdas/ciphers/rings.ts';
import { type Platform, storedPlatforms } from './stored-world.ts';
import { type Answer, ask } from './twin-process.ts';

const platform = storedPlatforms();
const random = { bytes: (count: number) => seeded(2).bytes('ivs', count) };
const now = { now: () => new Date() };

const name = 'CREDENTIAL_ENCRYPTION_KEY';
const made = (of: string) => `${seeded(3).bytes(of, 32).toString('base64url')}=`;
const second = made('second');
const third = made('third');
const services = Object.keys(tessallite.consumers);
const readers = ['gateway', 'query-router', 'optimizer', 'scheduler'];

const keys = (key: string, ...previous: readonly string[]) => ({
  [name]: key,
  [`${name}_PREVIOUS`]: previous.join(','),
});

const connection = connectionId(7);
/** How each service is asked to use a stored credential. */
const uses: readonly (readonly [string, string])[] = [
  ['model-service', `GET /api/v1/project-connections/${connection}`],
  ['model-service', 'GET /api/v1/llm-provider-configs/7'],
  ['gateway', `POST /xmla/${connection}`],
  ['gateway', `POST /sql/${connection}`],
  ['query-router', `POST /queries/${connection}`],
  ['optimizer', `POST /jobs/profile/${connection}`],
  ['optimizer', 'POST /jobs/suggest/7'],
  ['scheduler', `POST /jobs/refresh/${connection}`],
];

const urlOf = ({ urls }: Platform, service: string) => urls[service] ?? '';

async function session(at: Platform, email = 'user@example.com', password = 'any'): Promise<string> {
  const body = { email, password };
  const answer = await ask(urlOf(at, 'model-service'), 'POST /api/v1/auth/login', { body });
  return String(answer.body.access_token);
}

function asAdministrator(at: Platform): Promise<string> {
  const held = tessallite.credentials?.[administrator]?.(at.world).SYSTEM_ADMIN_PASSWORD;
  return session(at, 'admin@tessallite.local', held);
}

async function statuses(at: Platform, of: readonly string[] = ['model-service']): Promise<number[]> {
  const bearer = await session(at);
  const asked = uses.filter(([service]) => of.includes(service));
  return Promise.all(
    asked.map(async ([service, route]) => (await ask(urlOf(at, service), route, { bearer })).status),
  );
}

async function rotate(at: Platform): Promise<Answer> {
  const bearer = await asAdministrator(at);
  return ask(urlOf(at, 'model-service'), 'POST /api/v1/admin/rotate-credentials', { bearer });
}

async function use(at: Platform, id: string): Promise<unknown> {
  const route = `GET /api/v1/project-connections/${id}`;
  return (await ask(urlOf(at, 'model-service'), route, { bearer: await session(at) })).body.digest;
}

const tokens = async ({ sql }: Platform) => [
  ...(await sql('SELECT encrypted_credentials AS token FROM project_connections ORDER BY id')),
  ...(await sql(
    'SELECT encrypted_api_key AS token FROM llm_provider_configs WHERE encrypted_api_key IS NOT NULL ORDER BY id',
  )),
];

describe('a platform of Tessallite', () => {
  it('serves its own traffic, and gives back every write that it acknowledged', async () => {
    const at = await platform(tessallite);
    await Promise.all(services.map((service) => at.start(service)));
    const tally = await at.traffic([...tessallite.behaviours, ...at.stored.behaviours], (one) =>
      [name, 'JWT_SECRET_KEY'].every(
        (secret) => one.counts(secret).total > 20 && at.stored.acknowledged() > 20,
      ),
    );
    expect(tally.failures()).toEqual([]);
    expect(tally.counts()).toMatchObject({ failed: 0, refused: 0, degraded: 0 });
    expect(await statuses(at, services)).toEqual(uses.map(() => 200));
    expect(await at.stored.lost(at.urls)).toEqual([]);
  });

  it('misses a write of which it only said that it was made', async () => {
    const at = await platform(tessallite);
    await Promise.all(services.map((service) => at.start(service)));
    await at.traffic(at.stored.behaviours, () => at.stored.acknowledged() > 20);
    await at.sql('UPDATE project_connections SET encrypted_credentials = $1', [(await tokens(at))[0]?.token]);
    expect((await at.stored.lost(at.urls)).join(' ')).toMatch(
      /^project-connections\/\S+: the platform gives back another value/,
    );
  });

  it('reads with every key that is listed and with no other', async () => {
    const at = await platform(tessallite);
    const first = at.initial[name] ?? '';
    const tries: readonly (readonly [string, ReturnType<typeof keys>, number])[] = [
      ['the new key alone', keys(second), 500],
      ['the new key beside another one', keys(second, third), 500],
      ['the old key as one of two previous ones', keys(second, third, first), 200],
      ['the new key introduced beside the old one', keys(first, second), 200],
    ];
    for (const [what, variables, status] of tries) {
      await at.start('model-service', variables);
      expect(await statuses(at), what).toEqual([status, status]);
    }
  });

  it('fails in each of the other four services where the new key writes before they know it', async () => {
    const at = await platform(tessallite);
    await at.start('model-service', keys(second, at.initial[name] ?? ''));
    await Promise.all(readers.map((service) => at.start(service)));
    const tally = await at.traffic(at.stored.behaviours, (one) => one.counts().failed > 0);
    expect(tally.failures().join(' ')).toMatch(/answered 500/);
    // What was there before is read by all; what is written now, by the one that wrote it.
    expect(await statuses(at, services)).toEqual(uses.map(() => 200));
    const bearer = await session(at);
    const body = { value: 'written under the new key' };
    for (const path of [`project-connections/${connection}`, 'llm-provider-configs/7']) {
      await ask(urlOf(at, 'model-service'), `POST /api/v1/${path}`, { bearer, body });
    }
    expect(await statuses(at, services)).toEqual(
      uses.map(([service]) => (service === 'model-service' ? 200 : 500)),
    );
  });

  it('fails for a few rows at its first rotation, and moves all at the second', async () => {
    const at = await platform(tessallite);
    const first = at.initial[name] ?? '';
    await at.start('model-service', keys(second, first));
    const table = (failed: number) => ({ total: 40, rotated: 40 - failed, failed: expect.any(Array) });
    const before = await tokens(at);
    const digest = await use(at, connection);
    expect(await rotate(at)).toMatchObject({
      status: 200,
      body: {
        rotated: 76,
        failures: 4,
        tables: { project_connections: table(2), llm_provider_configs: table(2) },
      },
    });
    expect((await rotate(at)).body).toMatchObject({ rotated: 80, failures: 0 });

    // Every row is another token, and the old key opens none of them.
    const after = await tokens(at);
    expect(after.filter(({ token }, index) => token === before[index]?.token)).toEqual([]);
    await at.start('model-service', keys(second));
    expect(await statuses(at)).toEqual([200, 200]);
    expect(await use(at, connection)).toBe(digest);
    await at.start('model-service', keys(first));
    expect(await statuses(at)).toEqual([500, 500]);
  });

  it('counts what no key opens as a failure at every rotation, and leaves it as it is', async () => {
    const at = await platform(tessallite);
    await at.start('model-service', { ...keys(second, at.initial[name] ?? ''), ROTATION_FAILURES: '0' });
    await at.sql(`UPDATE llm_provider_configs SET encrypted_api_key = 'gAAAAA' WHERE id = 9`);
    for (const _round of [1, 2]) {
      expect((await rotate(at)).body).toMatchObject({
        rotated: 79,
        failures: 1,
        tables: { llm_provider_configs: { failed: ['9'] } },
      });
    }
    expect(await at.sql('SELECT encrypted_api_key AS token FROM llm_provider_configs WHERE id = 9')).toEqual([
      { token: 'gAAAAA' },
    ]);
  });

  it('does not undo a write that comes while it rotates', async () => {
    const at = await platform(tessallite);
    await at.start('model-service', { ...keys(second, at.initial[name] ?? ''), ROTATION_FAILURES: '0' });
    const [one, two] = [connectionId(1), connectionId(2)];
    const digests = [await use(at, one), await use(at, two)];
    expect(digests[0]).not.toBe(digests[1]);
    const writer = await at.client();
    await writer.query('BEGIN');
    await writer.query(
      `UPDATE project_connections
       SET encrypted_credentials = (SELECT encrypted_credentials FROM project_connections WHERE id = $2)
       WHERE id = $1`,
      [one, two],
    );
    const rotated = rotate(at);
    await expect
      .poll(
        () =>
          at.sql(
            `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
          ),
        { timeout: 20_000 },
      )
      .toHaveLength(1);
    await writer.query('COMMIT');
    expect((await rotated).body).toMatchObject({ rotated: 80, failures: 0 });
    expect(await use(at, one)).toBe(digests[1]);
  });

  it('lets the system administrator rotate, and nobody else', async () => {
    const at = await platform(tessallite);
    await at.start('model-service');
    const path = 'POST /api/v1/admin/rotate-credentials';
    const url = urlOf(at, 'model-service');
    expect((await ask(url, path)).status).toBe(401);
    expect((await ask(url, path, { bearer: await session(at) })).status).toBe(403);
    const body = { email: 'admin@tessallite.local', password: 'wrong' };
    expect((await ask(url, 'POST /api/v1/auth/login', { body })).status).toBe(401);
  });

  it('ends every session, at the gateway too, with another signing key', async () => {
    const at = await platform(tessallite);
    await Promise.all([at.start('model-service'), at.start('gateway')]);
    const bearer = await session(at);
    const opened = () =>
      Promise.all([
        ask(urlOf(at, 'model-service'), 'GET /api/v1/auth/me', { bearer }),
        ask(urlOf(at, 'gateway'), 'POST /xmla', { bearer }),
      ]);
    expect((await opened()).map(({ status }) => status)).toEqual([200, 200]);
    const changed = { JWT_SECRET_KEY: 'another-signing-key-of-thirty-two-characters' };
    await Promise.all([at.start('model-service', changed), at.start('gateway', changed)]);
    expect((await opened()).map(({ status }) => status)).toEqual([401, 401]);
  });

  it('keeps the time of a token that it rotates, and refuses one that was altered', async () => {
    const at = await platform(tessallite);
    const first = at.initial[name] ?? '';
    const parsed = codecOf('fernet')?.parse({});
    if (!parsed?.ok) throw new Error('there must be a codec for Fernet');
    const cipher = parsed.hook.bind(ringOf(first), random, { now: () => new Date('2020-02-02T02:02:02Z') });
    const old = String(cipher.seal(Buffer.from('kept for years'), { additionalData: Buffer.alloc(0) }));
    const set = (number: number, token: string) =>
      at.sql('UPDATE llm_provider_configs SET encrypted_api_key = $2 WHERE id = $1', [number, token]);
    await set(7, old);
    await at.start('model-service', { ...keys(second, first), ROTATION_FAILURES: '0' });
    expect((await rotate(at)).body).toMatchObject({ failures: 0 });
    const [row] = await at.sql('SELECT encrypted_api_key AS token FROM llm_provider_configs WHERE id = 7');
    const rotated = String(row?.token);
    expect(rotated).not.toBe(old);
    // Version and time are the first 9 bytes: 12 characters.
    expect(rotated.slice(0, 12)).toBe(old.slice(0, 12));

    // A character of the tag: what is under it would still decrypt.
    const nextToLast = rotated.replace(/=*$/, '').length - 2;
    const other = rotated[nextToLast] === 'A' ? 'B' : 'A';
    await set(7, `${rotated.slice(0, nextToLast)}${other}${rotated.slice(nextToLast + 1)}`);
    expect(await statuses(at)).toEqual([200, 500]);
  });

  it('stores what the codec opens, and reads what the codec has moved', async () => {
    const at = await platform(tessallite);
    const parsed = codecOf('fernet')?.parse({});
    if (!parsed?.ok) throw new Error('there must be a codec for Fernet');
    const cipher = parsed.hook.bind(ringOf(second, at.initial[name] ?? ''), random, now);
    const [row] = await at.sql(
      'SELECT encrypted_credentials AS token FROM project_connections WHERE id = $1',
      [connection],
    );
    const moved = cipher.rewrite(String(row?.token), { additionalData: Buffer.alloc(0) });
    expect(moved).toMatchObject({ is: 'rewritten' });
    if (moved.is !== 'rewritten') return;
    await at.sql('UPDATE project_connections SET encrypted_credentials = $2 WHERE id = $1', [
      connection,
      moved.stored,
    ]);
    await at.start('model-service', keys(second));
    expect(await statuses(at)).toEqual([200, 500]);
  });
});
