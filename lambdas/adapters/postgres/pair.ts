/**
 * Two users that take turns at a PostgreSQL server. Both belong to one role that never logs in, and become it at login
 * (ALTER ROLE … SET role): whatever either makes belongs to that role, and the other can change it.
 */
import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import type { SqlClient, SqlRow } from '../../contract/sql.ts';
import type { LoginPair } from '../../contract/target.ts';
import { scramVerifier } from '../../credentials/scram-verifier.ts';
import { missingGrants } from './grants.ts';
import { reassignOwned } from './owned.ts';
import { identifier } from './quoting.ts';
import { missingSettings } from './role-settings.ts';
import { type ServerFacts, serverFacts } from './server-facts.ts';
import { actFor, inTransaction, notAllowed, run } from './transaction.ts';

/** The names of a pair. */
export type Pair = Pick<LoginPair, 'user' | 'other' | 'owner'>;

/** All of it or nothing: the password is the last part, so a login with it proves the rest. */
export async function preparePair(client: SqlClient, pair: LoginPair, random: Random): Promise<void> {
  const facts = await serverFacts(client);
  // Slow on purpose, so before anything is locked.
  const verifier = scramVerifier(pair.password, random, facts.iterations);
  await inTransaction(client, async () => {
    // Two at once would create the same roles.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`keyturn ${pair.owner}`]);
    const found = await rolesOf(client, pair);
    refuseUnfit(found, pair);
    await refuseElsewhere(client, pair);
    await createRoles(client, found, pair);
    const back = await actFor(client, [pair.owner, pair.user, ...namesIn(found, pair.other)], facts.version);
    await join(client, pair, found, facts);
    await runAll(client, await missingGrants(client, pair, facts.version));
    await reassignOwned(client, [pair.user, pair.other], pair.owner);
    // A GRANT without the right to it is a warning where any other right is there.
    const [left] = await missingGrants(client, pair, facts.version);
    if (left !== undefined) throw notAllowed(left);
    if (found.has(pair.other)) await runAll(client, await missingSettings(client, pair.user, pair.other));
    await runAll(client, back);
    const limit = Number(found.get(pair.other)?.limit ?? -1);
    // The statement takes no parameter. A verifier has neither quotes nor backslashes.
    await client.query(
      `ALTER ROLE ${identifier(pair.user)} LOGIN INHERIT CONNECTION LIMIT ${limit} VALID UNTIL 'infinity' PASSWORD '${verifier.reveal()}'`,
    );
  });
}

/**
 * Takes the password away as well: a user that somebody lets log in again must not get in with the old one. What its
 * last sessions made goes to the role that it became at login.
 */
export async function disableLogin(client: SqlClient, user: string): Promise<void> {
  const { version } = await serverFacts(client);
  await inTransaction(client, async () => {
    const [role] = await client.query(
      `SELECT (SELECT substr(setting, 6) FROM pg_db_role_setting s, unnest(s.setconfig) AS one (setting)
           WHERE s.setrole = r.oid AND s.setdatabase = 0 AND setting LIKE 'role=%') AS owner
         FROM pg_roles r WHERE r.rolname = $1`,
      [user],
    );
    if (role === undefined) return;
    if (typeof role.owner === 'string') {
      const back = await actFor(client, [role.owner, user], version);
      await reassignOwned(client, [user], role.owner);
      await runAll(client, back);
    }
    await run(client, `ALTER ROLE ${identifier(user)} NOLOGIN PASSWORD NULL`);
  });
}

type Roles = ReadonlyMap<string, SqlRow>;

async function rolesOf(client: SqlClient, { user, other, owner }: Pair): Promise<Roles> {
  const rows = await client.query(
    `SELECT rolname AS name, rolsuper AS super, rolcanlogin AS logs_in, rolconnlimit AS limit, rolreplication AS replicates
       FROM pg_roles WHERE rolname = ANY($1)`,
    [[user, other, owner]],
  );
  return new Map(rows.map((row) => [String(row.name), row]));
}

function namesIn(roles: Roles, name: string): string[] {
  return roles.has(name) ? [name] : [];
}

function refuseUnfit(roles: Roles, { user, other, owner }: Pair): void {
  const superuser = [user, other, owner].find((name) => roles.get(name)?.super === true);
  const sentence =
    superuser !== undefined
      ? `The role ${superuser} must not be a superuser: the two users would share all of its rights; it is one.`
      : roles.get(owner)?.logs_in === true
        ? `The role ${owner}, which both users belong to, must not be able to log in; it is.`
        : null;
  if (sentence !== null) throw new KeyturnError({ code: 'TargetRefused', message: sentence });
}

/** What lies in a database that is not prepared would be out of reach for whoever becomes the owner at login. */
async function refuseElsewhere(client: SqlClient, { user, other, databases }: LoginPair): Promise<void> {
  const rows = await client.query(
    `SELECT d.datname AS database, count(*)::int AS objects
       FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.refobjid
       WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a', 'r') AND r.rolname = ANY($1)
         AND d.datname <> current_database() AND NOT d.datname = ANY($2)
       GROUP BY 1 ORDER BY 1`,
    [[user, other], databases],
  );
  if (rows.length === 0) return;
  const listed = rows.map(({ database, objects }) => `${database} (${objects})`).join(', ');
  throw new KeyturnError({
    code: 'TargetRefused',
    message: `Objects that belong to ${user} or ${other}, or that they were granted, must be in a database that the secret leads to; others are in ${listed}.`,
    hint: 'Keep a connection string to that database among options.copies, or give the objects and rights there to the owner role and take them from the users.',
  });
}

async function createRoles(client: SqlClient, found: Roles, { user, owner }: Pair): Promise<void> {
  if (!found.has(owner)) await run(client, `CREATE ROLE ${identifier(owner)} NOLOGIN`);
  if (!found.has(user)) await run(client, `CREATE ROLE ${identifier(user)} NOLOGIN`);
}

/** Both belong to the owner, and become it at login. */
async function join(client: SqlClient, pair: Pair, found: Roles, { version }: ServerFacts): Promise<void> {
  const owner = identifier(pair.owner);
  for (const name of [pair.user, ...namesIn(found, pair.other)]) {
    const [row] = await client.query(
      `SELECT pg_has_role($1::name, $2::name, 'USAGE') AND pg_has_role($1::name, $2::name, $3) AS joined,
         (SELECT 'role=' || $2::name = ANY(s.setconfig) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
            WHERE r.rolname = $1::name AND s.setdatabase = 0) AS becomes`,
      [name, pair.owner, version >= 160_000 ? 'SET' : 'MEMBER'],
    );
    const options = version >= 160_000 ? ' WITH INHERIT TRUE, SET TRUE' : '';
    if (row?.joined !== true) await run(client, `GRANT ${owner} TO ${identifier(name)}${options}`);
    if (row?.becomes !== true) await run(client, `ALTER ROLE ${identifier(name)} SET role TO ${owner}`);
  }
}

async function runAll(client: SqlClient, statements: readonly string[]): Promise<void> {
  for (const statement of statements) await run(client, statement);
}
