/** What becomes of a deployment's network on one machine. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseDeployment } from '../../lambdas/contract/deployment.ts';
import { stageDeployment } from '../../lib/rehearsal/stage-deployment.ts';
import { kaireon } from '../../lib/rehearsal/twins/kaireon.ts';
import { startProvider } from '../../lib/rehearsal/twins/provider.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../lib/examples/${name}.json`, import.meta.url), 'utf8'));
const { NEXTAUTH_SECRET } = read('kaireon').secrets;
const database = read('kaireon-database');
const deployment = parseDeployment(
  JSON.stringify({ ...database, secrets: { ...database.secrets, NEXTAUTH_SECRET } }),
  'both.json',
);

const stagingWith = (provider: Awaited<ReturnType<typeof startProvider>>) => ({
  world: { seeded: seeded(7), provider },
  servers: {},
  twins: new Map([['kaireon', kaireon]]),
  freePort: async () => 9,
  firstValue: async () => ({}),
  nextValue: () => ({}),
});

test('it stays where all secrets are rehearsed, and is left out where only some are, which may need none', async () => {
  const provider = await startProvider();
  const postgres = { ca: '', server: { host: 'localhost', port: 9, authority: '' } };
  const staging = { ...stagingWith(provider), servers: { postgres } };
  try {
    const staged = async (...keys: string[]) =>
      (await stageDeployment(deployment, keys, staging)).resolved.network?.vpcId;
    expect(await staged('NEXTAUTH_SECRET', 'DATABASE_URL')).toBe(database.network.vpcId);
    expect(await staged('NEXTAUTH_SECRET')).toBeUndefined();
  } finally {
    await provider.close();
  }
});

test('a login at a Redis is refused by name where the run has none, and left out it is in nobody’s way', async () => {
  const provider = await startProvider();
  const redis = read('kaireon-redis');
  const both = { ...redis, secrets: { ...redis.secrets, NEXTAUTH_SECRET } };
  const parsed = parseDeployment(JSON.stringify(both), 'redis.json');
  try {
    const staging = stagingWith(provider);
    await expect(stageDeployment(parsed, ['REDIS_URL'], staging)).rejects.toMatchObject({
      code: 'DeploymentInvalid',
      message: 'secrets.REDIS_URL is a login at a Redis, and there is no redis-server on this machine.',
    });
    const { DATABASE_URL } = database.secrets;
    const options = { engine: 'mysql', strategy: 'single-user', dsn: 'SHOP_DATABASE' };
    const source = { create: { name: 'shop/database' } };
    const { network: _network, ...rest } = database;
    const mysql = {
      ...rest,
      secrets: { SHOP_DATABASE: { ...DATABASE_URL, source, class: 'database-credential', options } },
    };
    await expect(
      stageDeployment(parseDeployment(JSON.stringify(mysql), 'mysql.json'), ['SHOP_DATABASE'], staging),
    ).rejects.toMatchObject({
      message: 'secrets.SHOP_DATABASE is a login at a MySQL or MariaDB, which a rehearsal does not run.',
    });
    const noFirst = { ...staging, firstValue: () => Promise.reject(new Error('asked for a first value')) };
    const { secrets } = await stageDeployment(parsed, ['NEXTAUTH_SECRET'], noFirst);
    expect(secrets.map(({ resolved }) => resolved.key)).toEqual(['NEXTAUTH_SECRET']);
  } finally {
    await provider.close();
  }
});
