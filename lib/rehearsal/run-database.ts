/** The PostgreSQL of a run: for platforms whose data is moved in it, and for those whose login at it rotates. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { random } from '../../lambdas/adapters/platform.ts';
import { openPostgres } from '../../lambdas/adapters/postgres/connect.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import type { SqlClient } from '../../lambdas/contract/sql.ts';
import { scramVerifier } from '../../lambdas/credentials/scram-verifier.ts';
import { startPostgres } from './postgres.ts';
import type { LoginWanted, RunServer } from './run-server.ts';
import { databaseLogIn } from './server-log.ts';
import type { DatabaseLogin, TwinWorld } from './twins/twin.ts';

export interface RunDatabase extends RunServer {
  /** A database's address for the superuser. */
  readonly databaseUrl: NonNullable<TwinWorld['databaseUrl']>;
  /** As everywhere; and the databases that the user owns, and a table with rows. */
  prepareLogin(wanted: LoginWanted): Promise<void>;
}

/** @param platforms each gets a database of its name */
export async function startRunDatabase(platforms: readonly string[]): Promise<RunDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'keyturn-run-'));
  // Every statement is in the log, and with it every password that a statement would hold.
  const postgres = await startPostgres({ settings: { log_statement: 'all', max_connections: '200' } });
  const { host, port, user, password } = postgres;
  const ca = postgres.ca ?? '';
  const authority = join(directory, 'ca.pem');
  await writeFile(authority, ca);
  const databases = new Set<string>();
  const made = async (name: string) => {
    if (!databases.has(name)) await postgres.createDatabase(name);
    databases.add(name);
  };
  for (const platform of platforms) await made(platform);
  const connected = (login: DatabaseLogin, database: string) =>
    openPostgres({
      host,
      port,
      user: login.user,
      password: new Sensitive(login.password),
      database,
      tls: { authorities: { pem: ca } },
    });

  return {
    ca,
    server: { host, port, authority },
    databaseUrl: (name) => `${postgres.url(name)}?sslmode=verify-full&sslrootcert=${authority}`,
    async prepareLogin({ login, administrator, databases: wanted }) {
      for (const database of wanted) {
        await made(database);
        const client = await connected({ user, password }, database);
        await prepared(client, login, administrator, database).finally(() => client.end());
      }
    },
    async letsIn(login, database) {
      try {
        const client = await connected(login, database);
        await client.end();
        return true;
      } catch (error) {
        if (error instanceof Error && Reflect.get(error, 'code') === 'CredentialRejected') return false;
        throw error;
      }
    },
    async hold(login, database, name) {
      const client = await connected(login, database);
      await client.query("SELECT set_config('application_name', $1, false)", [name]);
      return {
        isOpen: () =>
          client.query('SELECT 1').then(
            () => true,
            () => false,
          ),
        end: () => client.end(),
      };
    },
    log: () => postgres.log(),
    counted: databaseLogIn,
    async stop() {
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** @param client the superuser's session in the database */
async function prepared(
  client: SqlClient,
  login: DatabaseLogin,
  administrator: DatabaseLogin | null,
  database: string,
): Promise<void> {
  if (administrator !== null) {
    await createRole(client, administrator, 'CREATEROLE CREATEDB');
    await client.query(
      `GRANT pg_signal_backend, pg_read_all_stats TO ${administrator.user} WITH ADMIN OPTION`,
    );
    // Whoever makes a role may change it (PostgreSQL documentation, section 21.2): here it was the administrator.
    await client.query(`SET ROLE ${administrator.user}`);
  }
  await createRole(client, login, '');
  await client.query('RESET ROLE');
  await client.query(`ALTER DATABASE ${database} OWNER TO ${login.user}`);
  await client.query(`SET ROLE ${login.user}`);
  await client.query(
    'CREATE TABLE IF NOT EXISTS audit_log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), what text NOT NULL)',
  );
  await client.query('RESET ROLE');
}

/** By a verifier: the server's log is searched for passwords. */
async function createRole(
  client: SqlClient,
  { user, password }: DatabaseLogin,
  rights: string,
): Promise<void> {
  const found = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [user]);
  if (found.length > 0) return;
  const verifier = scramVerifier(new Sensitive(password), random).reveal();
  await client.query(`CREATE ROLE ${user} LOGIN ${rights} PASSWORD '${verifier}'`);
}
