/** The servers of a run: those that its secrets need and this machine has. */
import type { Engine } from '../../lambdas/contract/target.ts';
import type { AccountClient } from './endpoint/account-client.ts';
import { noRedis } from './redis.ts';
import type { Chosen } from './rehearsal.ts';
import { startRunDatabase } from './run-database.ts';
import { startRunRedis } from './run-redis.ts';
import type { RunServers } from './run-server.ts';
import type { ServerLog } from './server-log.ts';
import { engineOf } from './stage-login.ts';
import type { TwinWorld } from './twins/twin.ts';

export interface StartedServers {
  readonly servers: RunServers;
  /** What a platform is told of them: of those alone that its own secrets need. */
  worldOf(chosen: Chosen): Pick<TwinWorld, 'databaseUrl' | 'databaseServer' | 'redisServer'>;
  /** Has the endpoint search what each of them has logged. */
  search(client: AccountClient): Promise<ServerLog[]>;
  /** Never fails. */
  stop(): Promise<void>;
}

/** @throws Error when one does not start; then none runs. */
export async function startRunServers(chosen: readonly Chosen[]): Promise<StartedServers> {
  const storing = chosen.filter(movesData).map(({ deployment }) => deployment.platform);
  const needed = (engine: Engine) => chosen.some((one) => logsInAt(engine, one));
  const database =
    storing.length > 0 || needed('postgres') ? await startRunDatabase([...new Set(storing)]) : null;
  const redis =
    needed('redis') && noRedis() === null
      ? await startRunRedis().catch(async (error: unknown) => {
          await database?.stop();
          throw error;
        })
      : null;
  const servers: RunServers = {
    ...(database === null ? {} : { postgres: database }),
    ...(redis === null ? {} : { redis }),
  };
  return {
    servers,
    worldOf: (one) => ({
      // A platform whose data nobody moves has no database in this run, whatever others have.
      ...(database !== null && movesData(one) ? { databaseUrl: database.databaseUrl } : {}),
      ...(database !== null && logsInAt('postgres', one) ? { databaseServer: database.server } : {}),
      ...(redis !== null && logsInAt('redis', one) ? { redisServer: redis.server } : {}),
    }),
    async search(client) {
      const found: ServerLog[] = [];
      for (const server of Object.values(servers)) {
        const log = await server.log();
        const counted = server.counted(log);
        await client.scan(log, counted.name);
        found.push(counted);
      }
      return found;
    },
    async stop() {
      await Promise.allSettled(Object.values(servers).map((server) => server.stop()));
    },
  };
}

function logsInAt(engine: Engine, { deployment: { platform, secrets }, keys }: Chosen): boolean {
  return keys.some((key) => engineOf(platform, key, secrets[key]) === engine);
}

function movesData({ deployment, keys }: Chosen): boolean {
  return keys.some((key) => deployment.secrets[key]?.reencrypt !== undefined);
}
