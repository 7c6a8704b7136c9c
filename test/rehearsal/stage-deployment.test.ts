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

test('it stays where all secrets are rehearsed, and is left out where only some are, which may need none', async () => {
  const provider = await startProvider();
  const staging = {
    world: { seeded: seeded(7), provider },
    database: null,
    twins: new Map([['kaireon', kaireon]]),
    freePort: async () => 9,
    firstValue: async () => ({}),
    nextValue: () => ({}),
  };
  try {
    const staged = async (...keys: string[]) =>
      (await stageDeployment(deployment, keys, staging)).resolved.network?.vpcId;
    expect(await staged('NEXTAUTH_SECRET', 'DATABASE_URL')).toBe(database.network.vpcId);
    expect(await staged('NEXTAUTH_SECRET')).toBeUndefined();
  } finally {
    await provider.close();
  }
});
