/** The PostgreSQL of a run, for the platforms whose stored data is moved in it. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from './postgres.ts';
import type { TwinWorld } from './twins/twin.ts';

export interface RunDatabase {
  readonly ca: string;
  readonly databaseUrl: NonNullable<TwinWorld['databaseUrl']>;
  /** All that the server has logged. */
  log(): Promise<string>;
  stop(): Promise<void>;
}

/** @param platforms each gets a database of its name */
export async function startRunDatabase(platforms: readonly string[]): Promise<RunDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-run-'));
  const postgres = await startPostgres({ settings: { log_statement: 'all' } });
  const authority = join(directory, 'ca.pem');
  await writeFile(authority, postgres.ca ?? '');
  for (const platform of platforms) await postgres.createDatabase(platform);
  return {
    ca: postgres.ca ?? '',
    databaseUrl: (name) => `${postgres.url(name)}?sslmode=verify-full&sslrootcert=${authority}`,
    log: () => postgres.log(),
    async stop() {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
