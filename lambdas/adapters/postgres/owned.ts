/** Gives what users own in this database to the role that they belong to. */
import type { SqlClient } from '../../contract/sql.ts';
import { identifier } from './quoting.ts';
import { run } from './transaction.ts';

/**
 * Nothing is locked where nothing is owned, which is so at most rotations.
 *
 * A new owner needs CREATE where an object lies, unless a superuser gives it (PostgreSQL documentation, ALTER TABLE …
 * OWNER TO): where the role lacks that, it is lent.
 */
export async function reassignOwned(
  client: SqlClient,
  users: readonly string[],
  owner: string,
): Promise<void> {
  const rows = await client.query(
    `SELECT DISTINCT r.rolname AS role FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
       WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = ANY($1)
         AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`,
    [users],
  );
  if (rows.length === 0) return;
  const lent = await lend(client, users, owner);
  for (const { role } of rows) {
    await run(client, `REASSIGN OWNED BY ${identifier(String(role))} TO ${identifier(owner)}`);
  }
  // What it owns by now it may keep: to revoke there would take an owner's own right.
  const still = await client.query(
    `SELECT place FROM (
         SELECT format('SCHEMA %I', nspname) AS place, nspowner AS owned FROM pg_namespace
         UNION ALL SELECT format('DATABASE %I', datname), datdba FROM pg_database) AS places
       WHERE place = ANY($1) AND pg_get_userbyid(owned) <> $2`,
    [lent, owner],
  );
  for (const { place } of still) await run(client, `REVOKE CREATE ON ${place} FROM ${identifier(owner)}`);
}

async function lend(client: SqlClient, users: readonly string[], owner: string): Promise<string[]> {
  const rows = await client.query(
    `WITH pair AS (SELECT oid FROM pg_roles WHERE rolname = ANY($1)), places AS (
       SELECT relnamespace AS space FROM pg_class WHERE relowner IN (SELECT oid FROM pair)
       UNION SELECT pronamespace FROM pg_proc WHERE proowner IN (SELECT oid FROM pair)
       UNION SELECT typnamespace FROM pg_type WHERE typowner IN (SELECT oid FROM pair)
       UNION SELECT oprnamespace FROM pg_operator WHERE oprowner IN (SELECT oid FROM pair)
       UNION SELECT collnamespace FROM pg_collation WHERE collowner IN (SELECT oid FROM pair)
       UNION SELECT oid FROM pg_namespace WHERE nspowner IN (SELECT oid FROM pair))
     SELECT format('DATABASE %I', current_database()) AS place
       WHERE NOT has_database_privilege($2::name, current_database(), 'CREATE')
         AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
         AND EXISTS (SELECT FROM pg_namespace WHERE nspowner IN (SELECT oid FROM pair))
     UNION ALL
     SELECT format('SCHEMA %I', n.nspname) FROM places JOIN pg_namespace n ON n.oid = space
       WHERE NOT has_schema_privilege($2::name, n.oid, 'CREATE') AND NOT starts_with(n.nspname, 'pg_')
         AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)`,
    [users, owner],
  );
  const places = rows.map(({ place }) => String(place));
  for (const place of places) await run(client, `GRANT CREATE ON ${place} TO ${identifier(owner)}`);
  return places;
}
