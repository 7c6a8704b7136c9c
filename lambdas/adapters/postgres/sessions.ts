/** Open sessions of a user: who holds them, and how they are ended. */
import type { SqlClient } from '../../contract/sql.ts';
import type { Use, UsesAsked } from '../../contract/target.ts';
import { countedBy, printable } from '../session-names.ts';
import { serverFacts } from './server-facts.ts';
import { actFor, inTransaction } from './transaction.ts';

/**
 * Everybody sees whose a session is and how it names itself; when it began is shown to members of its role and of
 * pg_read_all_stats (PostgreSQL documentation, section 27.2.3). One whose beginning is not shown counts as old.
 */
const meant = `
  FROM pg_stat_activity
  WHERE usename = $1 AND pid <> pg_backend_pid() AND coalesce(backend_type, '') <> 'parallel worker'
    AND ($2::timestamptz IS NULL OR backend_start IS NULL OR backend_start < $2::timestamptz)`;

/** Milliseconds within which a backend that is told to end usually has. */
const endsWithin = 2_000;

export async function uses(client: SqlClient, asked: UsesAsked): Promise<readonly Use[]> {
  return asked.openedBefore === undefined
    ? counted(client, asked)
    : withRightsOf(client, asked.user, () => counted(client, asked));
}

/**
 * Ends them. A session of another role may be ended by its members and those of pg_signal_backend (PostgreSQL
 * documentation, section 9.28.2).
 */
export async function endUses(client: SqlClient, asked: UsesAsked): Promise<void> {
  await withRightsOf(client, asked.user, async () => {
    await client.query(`SELECT pg_terminate_backend(pid) ${meant}`, parametersOf(asked));
  });
  for (let waited = 0; waited < endsWithin && (await uses(client, asked)).length > 0; waited += 100) {
    await client.query('SELECT pg_sleep(0.1)');
  }
}

async function counted(client: SqlClient, asked: UsesAsked): Promise<Use[]> {
  const rows = await client.query(
    `SELECT coalesce(application_name, '') AS name, coalesce(host(client_addr), '') AS address ${meant}`,
    parametersOf(asked),
  );
  return countedBy(rows.map(({ name, address }) => printable(String(name)) || printable(String(address))));
}

function parametersOf({ user, openedBefore }: UsesAsked) {
  return [user, openedBefore?.at.toISOString() ?? null];
}

/** With the rights of the role for the work only, where the session can give them to itself; else without. */
async function withRightsOf<T>(client: SqlClient, role: string, work: () => Promise<T>): Promise<T> {
  const { version } = await serverFacts(client);
  const [row] = await client.query(
    `SELECT pg_has_role('pg_read_all_stats', 'USAGE') AND pg_has_role('pg_signal_backend', 'USAGE') AS has`,
  );
  if (row?.has === true) return work();
  return inTransaction(
    client,
    async () => {
      await client.query('SAVEPOINT alone');
      await actFor(client, [role], version).catch(() => client.query('ROLLBACK TO SAVEPOINT alone'));
      return work();
    },
    'ROLLBACK',
  );
}
