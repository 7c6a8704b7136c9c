/** KaireonAI's stand-in on a real database: who reads its four stores under which keys, and what its rotation call does. */
import { describe, expect, it } from 'vitest';
import { codecOf } from '../../lambdas/ciphers/registry.ts';
import { adminKeys, kaireon } from '../../lib/rehearsal/twins/kaireon.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';
import { ringOf, storedKey } from '../lambdas/ciphers/rings.ts';
import { type Platform, storedPlatforms } from './stored-world.ts';
import { type Answer, ask } from './twin-process.ts';

const platform = storedPlatforms();
const random = { bytes: (count: number) => seeded(2).bytes('nonces', count) };
const now = { now: () => new Date() };

const name = 'CONNECTOR_ENCRYPTION_KEY';
const second = 'the-second-key-of-at-least-thirty-two-characters';
const third = 'the-third-key-of-at-least-thirty-two-characters';
const paths = ['connectors', 'platform-settings', 'sso-configs', 'mfa-secrets'];

/** The four variables of the key. */
const keys = (key: string, version: number, previous = '', previousVersion = 0) => ({
  [name]: key,
  [`${name}_VERSION`]: String(version),
  [`${name}_PREVIOUS`]: previous,
  [`${name}_PREVIOUS_VERSION`]: String(previousVersion),
});

/** Asks the API as an admin of a tenant. */
function asTenant(at: Platform, tenant: string, route: string, body?: object): Promise<Answer> {
  const bearer = kaireon.credentials?.[adminKeys]?.(at.world)[tenant] ?? '';
  const headers = { 'x-tenant-id': tenant };
  return ask(at.urls.api ?? '', route, { bearer, headers, ...(body === undefined ? {} : { body }) });
}

const statuses = async (at: Platform, tenant = 'acme', row = 7) =>
  Promise.all(
    paths.map(async (path) => (await asTenant(at, tenant, `GET /api/v1/${path}/${tenant}-${row}`)).status),
  );

const rotate = (at: Platform, tenant: string, body: object = {}) =>
  asTenant(at, tenant, 'POST /api/v1/encryption/rotate', body);

const report = (rotated: number, errors: readonly unknown[] = []) => ({ total: 20, rotated, errors });
const reports = (rotated: number) => ({
  connectors: report(rotated),
  platformSettings: report(rotated),
  ssoConfigs: report(rotated),
  mfaSecrets: report(rotated),
});

const dump = async ({ sql }: Platform) => [
  await sql('SELECT * FROM "Connector" ORDER BY id'),
  await sql('SELECT * FROM "PlatformSetting" ORDER BY id'),
  await sql('SELECT * FROM "SsoConfig" ORDER BY id'),
  await sql('SELECT * FROM "User" ORDER BY id'),
];

describe('a platform of KaireonAI', () => {
  it('serves its own traffic, and gives back every write that it acknowledged', async () => {
    const at = await platform(kaireon);
    for (const consumer of ['api', 'worker', 'ml-worker']) await at.start(consumer);
    const secrets = new Set(kaireon.behaviours.map(({ secret }) => secret)).add(name);
    const tally = await at.traffic([...kaireon.behaviours, ...at.stored.behaviours], (one) =>
      [...secrets].every((secret) => one.counts(secret).total > 3 && at.stored.acknowledged() > 5),
    );
    expect(tally.failures()).toEqual([]);
    expect(tally.counts()).toMatchObject({ failed: 0, refused: 0, degraded: 0 });
    expect(await at.stored.lost(at.urls)).toEqual([]);
  });

  it('reads rows by their number: with the key of that number, current or previous, and with no other', async () => {
    const at = await platform(kaireon);
    const first = at.initial[name] ?? '';
    const tries: readonly (readonly [string, object, number])[] = [
      ['the new key alone', keys(second, 2), 500],
      ['the old key under another number', keys(second, 2, first, 3), 500],
      ['another key under the old number', keys(second, 2, third, 1), 500],
      ['the old key as the previous one', keys(second, 2, first, 1), 200],
      ['the new key introduced beside the old one', keys(first, 1, second, 2), 200],
    ];
    for (const [what, variables, status] of tries) {
      await at.start('api', variables as Record<string, string>);
      expect(await statuses(at), what).toEqual([status, status, status, status]);
    }
  });

  it('fails the requests of its clients where a worker lacks the key of a row', async () => {
    const at = await platform(kaireon);
    await at.start('api', keys(second, 2, at.initial[name], 1));
    await at.start('worker');
    const tally = await at.traffic(at.stored.behaviours, (one) => one.counts().failed > 0);
    // What the API wrote under the new key: a worker that was not told of it cannot read it.
    expect(tally.failures().join(' ')).toMatch(/POST \/jobs\/use\/.* answered 500/);
    expect(await at.stored.lost(at.urls)).toEqual([]);
  });

  it('counts in a dry run and changes nothing; then moves the rows of one tenant', async () => {
    const at = await platform(kaireon);
    await at.start('api', keys(second, 2, at.initial[name], 1));
    const before = await dump(at);
    expect(await rotate(at, 'acme', { dryRun: true })).toMatchObject({
      status: 200,
      body: { dryRun: true, keyVersion: '2', ...reports(20) },
    });
    expect(await dump(at)).toEqual(before);

    const digests = await asTenant(at, 'acme', 'GET /api/v1/connectors/acme-7');
    const live = await rotate(at, 'acme');
    expect(live.body).toMatchObject({ dryRun: false, ...reports(20) });
    expect(live.body.notRotated).toEqual([
      { store: 'User.mfaBackupCodes', reason: expect.any(String) },
      { store: 'dsar_exports.payload', reason: expect.any(String) },
    ]);
    expect((await rotate(at, 'acme')).body).toMatchObject(reports(0));
    expect(await asTenant(at, 'acme', 'GET /api/v1/connectors/acme-7')).toMatchObject({
      body: { keyVersion: 2, digest: digests.body.digest },
    });

    // Without the old key, what was moved is read, and the other tenants' is not.
    await at.start('api', keys(second, 2));
    expect(await statuses(at, 'acme')).toEqual([200, 200, 200, 200]);
    expect(await statuses(at, 'globex')).toEqual([500, 500, 500, 500]);
  });

  it('loses what is left under the first key when a second rotation begins', async () => {
    const at = await platform(kaireon);
    await at.start('api', keys(third, 3, second, 2));
    expect(await statuses(at)).toEqual([500, 500, 500, 500]);
    const { body } = await rotate(at, 'acme');
    const { connectors } = body as { connectors: { rotated: number; errors: { id: string }[] } };
    expect(connectors.rotated).toBe(0);
    expect(connectors.errors).toHaveLength(20);
    expect(connectors.errors[0]?.id).toBe('acme-1');
  });

  it('does not undo a write that comes while it rotates', async () => {
    const at = await platform(kaireon);
    await at.start('api', keys(second, 2, at.initial[name], 1));
    const digestOfRow = async (row: number) =>
      (await asTenant(at, 'acme', `GET /api/v1/connectors/acme-${row}`)).body.digest;
    const [one, two] = [await digestOfRow(1), await digestOfRow(2)];
    expect(one).not.toBe(two);
    const writer = await at.client();
    await writer.query('BEGIN');
    await writer.query(
      `UPDATE "Connector" SET "authConfig" = (SELECT "authConfig" FROM "Connector" WHERE id = 'acme-2')
       WHERE id = 'acme-1'`,
    );
    const rotated = rotate(at, 'acme');
    await expect
      .poll(() => at.sql(`SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'`))
      .toHaveLength(1);
    await writer.query('COMMIT');
    expect((await rotated).body).toMatchObject(reports(20));
    expect(await digestOfRow(1)).toBe(two);
  });

  it('lets an admin of the tenant rotate, and nobody else', async () => {
    const at = await platform(kaireon);
    await at.start('api');
    const path = 'POST /api/v1/encryption/rotate';
    expect((await ask(at.urls.api ?? '', path, { headers: { 'x-tenant-id': 'acme' } })).status).toBe(401);
    expect((await rotate(at, 'acme', { dryRun: 'yes' })).status).toBe(400);
    await at.sql(`UPDATE "ApiKey" SET role = 'viewer' WHERE "tenantId" = 'acme'`);
    expect((await rotate(at, 'acme')).status).toBe(403);
    expect(await statuses(at, 'acme')).toEqual([200, 200, 200, 200]);
    // Another tenant's key, and another tenant's row.
    await at.sql(`UPDATE "ApiKey" SET "tenantId" = 'initech' WHERE "tenantId" = 'globex'`);
    expect((await rotate(at, 'globex')).status).toBe(401);
    expect((await asTenant(at, 'acme', 'GET /api/v1/connectors/globex-1')).status).toBe(404);
    expect(
      (await asTenant(at, 'acme', 'POST /api/v1/connectors/globex-1', { value: 'taken over' })).status,
    ).toBe(404);
  });

  it('stores what the codec opens under the options that a deployment would declare, and the reverse', async () => {
    const at = await platform(kaireon);
    const key = { kind: 'sha256' };
    const part = (field: string) => ({ encoding: 'base64', fields: [field] });
    const colon = { text: ':' };
    const tagged = [
      { text: 'v' },
      { version: 'decimal' },
      colon,
      part('nonce'),
      colon,
      part('tag'),
      colon,
      part('ciphertext'),
    ];
    const binary = [{ encoding: 'raw', fields: ['nonce', 'tag', 'ciphertext'] }];
    const ring = ringOf(storedKey(second, 2), storedKey(at.initial[name] ?? '', 1));
    const stores = [
      ['"Connector"', '"authConfig"', tagged],
      ['"PlatformSetting"', '"value"', binary],
    ] as const;
    for (const [table, column, layout] of stores) {
      const parsed = codecOf('aes-256-gcm')?.parse({ layout, key });
      if (!parsed?.ok) throw new Error(parsed?.broken.join(' '));
      const cipher = parsed.hook.bind(ring, random, now);
      const [row] = await at.sql(`SELECT ${column} AS sealed FROM ${table} WHERE id = 'acme-7'`);
      const moved = cipher.rewrite(row?.sealed as string | Buffer, { version: 1 });
      expect(moved).toMatchObject({ is: 'rewritten' });
      if (moved.is !== 'rewritten') continue;
      await at.sql(`UPDATE ${table} SET ${column} = $1 WHERE id = 'acme-7'`, [moved.stored]);
    }
    await at.sql(`UPDATE "PlatformSetting" SET "keyVersion" = 2 WHERE id = 'acme-7'`);
    await at.start('api', keys(second, 2));
    expect(await statuses(at)).toEqual([200, 200, 500, 500]);
  });
});
