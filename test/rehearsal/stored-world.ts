/** A twin with its data in a real PostgreSQL, over TLS that is verified: started, restarted with other keys, looked into. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import type { Behaviour } from '../../lib/rehearsal/behaviour.ts';
import { freePort } from '../../lib/rehearsal/endpoint/free-port.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import type { Tally } from '../../lib/rehearsal/tally.ts';
import { startTraffic } from '../../lib/rehearsal/traffic.ts';
import { seeded } from '../../lib/rehearsal/twins/seeded.ts';
import type { StoredData, Twin, TwinVariables, TwinWorld } from '../../lib/rehearsal/twins/twin.ts';
import { type Started, startTwin } from './twin-process.ts';

export interface Platform {
  readonly world: TwinWorld;
  /** The database's authority, as PEM. */
  readonly ca: string;
  readonly stored: StoredData;
  readonly urls: Readonly<Record<string, string>>;
  readonly initial: TwinVariables;
  /** Starts a consumer, or starts it again, with other values of its variables. */
  start(consumer: string, changes?: TwinVariables): Promise<void>;
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** A connection for transactions of its own. */
  client(): Promise<Client>;
  /** Traffic until each behaviour's secret has had some requests. */
  traffic(behaviours: readonly Behaviour[], until: (tally: Tally) => boolean): Promise<Tally>;
}

/** @returns what makes a platform whose data is there, and none of whose consumers runs yet */
export function storedPlatforms(): (twin: Twin) => Promise<Platform> {
  let postgres: Postgres;
  let directory: string;
  let databases = 0;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'keyturn-twins-'));
    postgres = await startPostgres();
    await writeFile(join(directory, 'ca.pem'), postgres.ca ?? '');
  }, 60_000);
  afterAll(async () => {
    await postgres.stop();
    await rm(directory, { recursive: true, force: true });
  });

  return async (twin) => {
    databases += 1;
    const name = `${twin.platform}_${databases}`;
    await postgres.createDatabase(name);
    const url = `${postgres.url(name)}?sslmode=verify-full&sslrootcert=${join(directory, 'ca.pem')}`;
    const provider = { url: '', issue() {}, revoke() {}, close: async () => {} };
    const world = { seeded: seeded(1), provider, databaseUrl: () => url };
    const stored = twin.stored?.(world);
    if (stored === undefined) throw new Error(`${twin.platform} stores nothing`);
    await stored.prepare();
    const consumers = Object.keys(twin.consumers);
    const ports = new Map<string, number>();
    for (const consumer of consumers) ports.set(consumer, await freePort());
    const urls = Object.fromEntries([...ports].map(([key, port]) => [key, `http://127.0.0.1:${port}`]));
    const initial = Object.assign({}, ...Object.values(twin.secrets).map((secret) => secret.initial(world)));
    const running = new Map<string, Started>();
    const client = async () => {
      const made = new Client({ connectionString: url });
      await made.connect();
      onTestFinished(() => made.end());
      return made;
    };
    let own: Promise<Client> | null = null;
    return {
      world,
      ca: postgres.ca ?? '',
      stored,
      urls,
      initial,
      async start(consumer, changes = {}) {
        const known = twin.consumers[consumer];
        if (known === undefined) throw new Error(`${twin.platform} has no ${consumer}`);
        await running.get(consumer)?.stop();
        const held = known.secrets.map(({ variable, member }) => [variable, initial[member]]);
        const program = known.command.at(-1)?.match(/([\w-]+)\.mjs$/)?.[1] ?? '';
        const PORT = String(ports.get(consumer));
        const variables = {
          ...known.environment(world, urls),
          ...Object.fromEntries(held),
          ...changes,
          PORT,
        };
        running.set(consumer, await startTwin(program, variables));
      },
      async sql(text, values = []) {
        own ??= client();
        return (await (await own).query(text, [...values])).rows;
      },
      client,
      async traffic(behaviours, until) {
        const traffic = startTraffic({
          url: urls[consumers[0] ?? ''] ?? '',
          urls,
          behaviours,
          readVariable: async (_secret, variable) => initial[variable] ?? '',
        });
        const tally = traffic.tally();
        await expect.poll(() => until(tally), { interval: 10, timeout: 20_000 }).toBe(true);
        await traffic.stop();
        await tally.close();
        return tally;
      },
    };
  };
}
