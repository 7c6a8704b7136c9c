import type { SqlClient } from '../../contract/sql.ts';
import { notAllowed, run } from '../run-statement.ts';
import { identifier } from './quoting.ts';

export { notAllowed, run };

/** Milliseconds for which a statement of ours may make others wait behind it. */
const lockTimeout = 5_000;

/**
 * Runs all of it or nothing. What an administrator's own settings are does not matter: names are written in full.
 *
 * @param end `ROLLBACK`: what is changed is for the work itself only.
 */
export async function inTransaction<T>(
  client: SqlClient,
  work: () => Promise<T>,
  end: 'COMMIT' | 'ROLLBACK' = 'COMMIT',
): Promise<T> {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL lock_timeout = ${lockTimeout}`);
    await client.query("SET LOCAL search_path = ''");
    const result = await work();
    await client.query(end);
    return result;
  } catch (caught) {
    await client.query('ROLLBACK').catch(() => {});
    throw caught;
  }
}

/**
 * Lets the session act for roles that it administers but does not belong to, as a CREATEROLE user may arrange itself
 * (PostgreSQL documentation, section 21.2 "Role attributes"). To be taken back in the same transaction.
 *
 * @returns the statements that take it back.
 */
export async function actFor(
  client: SqlClient,
  roles: readonly string[],
  version: number,
): Promise<string[]> {
  const rows = await client.query(
    `SELECT r.rolname AS role, EXISTS (
         SELECT FROM pg_auth_members m JOIN pg_roles me ON me.oid = m.member AND me.oid = m.grantor
         WHERE m.roleid = r.oid AND me.rolname = current_user) AS given
       FROM pg_roles r
       WHERE r.rolname = ANY($1) AND NOT (pg_has_role(r.oid, 'USAGE') AND pg_has_role(r.oid, $2))`,
    [roles, version >= 160_000 ? 'SET' : 'MEMBER'],
  );
  const back: string[] = [];
  for (const { role, given } of rows) {
    const name = identifier(String(role));
    const options = version >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : '';
    await run(client, `GRANT ${name} TO CURRENT_USER${options}`);
    // One that it had given itself before is the same grant: to take it back would take that.
    if (given !== true) back.push(`REVOKE ${name} FROM CURRENT_USER`);
  }
  return back;
}
