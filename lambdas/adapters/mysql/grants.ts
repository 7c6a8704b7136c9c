/** What an account was granted: read, compared, and given to another one. */
import type { SqlClient, SqlRow } from '../../contract/sql.ts';
import { run } from '../run-statement.ts';
import { type Account, accountName, identifier, literal } from './quoting.ts';
import type { ServerFacts } from './server-facts.ts';

/** One line of SHOW GRANTS without the account that it is of. */
export interface Grant {
  /** `GRANT SELECT ON shop.*`, `GRANT reader`, `REVOKE …` (a partial revoke of MySQL), `SET DEFAULT ROLE reader`. */
  readonly what: string;
  readonly to: 'TO' | 'FROM' | 'FOR';
  /** ` WITH GRANT OPTION`, ` WITH ADMIN OPTION`, or nothing. */
  readonly option: string;
}

/**
 * @param suffix what goes behind the account: `USING` and roles of MySQL.
 * @param account as a statement names it; null: the session's own.
 */
export async function grantLines(
  client: SqlClient,
  account: string | null,
  suffix = '',
): Promise<readonly string[]> {
  const rows = await client.query(`SHOW GRANTS${account === null ? '' : ` FOR ${account}`}${suffix}`);
  return rows.map((row: SqlRow) => String(Object.values(row)[0] ?? ''));
}

/** All that an account has, its roles among it; what every account has is left out. */
export async function grantsOf(client: SqlClient, account: Account): Promise<Grant[]> {
  const lines = await grantLines(client, accountName(account));
  return lines
    .flatMap((line) => parsed(line, account) ?? [])
    .filter(({ what, option }) => what !== 'GRANT USAGE ON *.*' || option !== '');
}

/**
 * Gives each of two accounts what the other one has. What a partial revoke of MySQL takes away, and a default role where
 * both have one, go from `from` to `to` only: the account in use loses nothing.
 */
export async function shareGrants(
  client: SqlClient,
  from: Account,
  to: Account,
  facts: ServerFacts,
): Promise<void> {
  const [given, had] = [await grantsOf(client, from), await grantsOf(client, to)];
  await give(client, to, without(given, had));
  const hasDefaultRole = given.some(({ to }) => to === 'FOR');
  await give(
    client,
    from,
    without(had, given).filter(({ to }) => to === 'TO' || (to === 'FOR' && !hasDefaultRole)),
  );
  if (!facts.isMariadb) await shareDefaultRoles(client, from, to);
}

/** What is taken away has to be there, and a default role be granted. */
const order = ['TO', 'FROM', 'FOR'] as const;

async function give(client: SqlClient, account: Account, grants: readonly Grant[]): Promise<void> {
  const sorted = grants.toSorted((a, b) => order.indexOf(a.to) - order.indexOf(b.to));
  for (const { what, to, option } of sorted) {
    await run(client, `${what} ${to} ${accountName(account)}${option}`);
  }
}

function without(grants: readonly Grant[], those: readonly Grant[]): Grant[] {
  const keys = new Set(those.map(keyOf));
  return grants.filter((grant) => !keys.has(keyOf(grant)));
}

const keyOf = ({ what, to, option }: Grant) => JSON.stringify([what, to, option]);

/** Null: a line of another form. MariaDB writes the stored password behind the account: nothing of it goes on. */
function parsed(line: string, { user, host }: Account): Grant | null {
  const names = [
    `${identifier(user)}@${identifier(host)}`,
    `${literal(user)}@${literal(host)}`,
    `${literal(user)}@${identifier(host)}`,
  ];
  for (const to of order) {
    for (const name of names) {
      const at = line.lastIndexOf(` ${to} ${name}`);
      if (at === -1) continue;
      const rest = line.slice(at + ` ${to} ${name}`.length).replace(/'(?:[^'\\]|\\.|'')*'/gs, '');
      const option = /\bGRANT OPTION\b/.test(rest)
        ? ' WITH GRANT OPTION'
        : /\bADMIN OPTION\b/.test(rest)
          ? ' WITH ADMIN OPTION'
          : '';
      return { what: line.slice(0, at), to, option };
    }
  }
  return null;
}

/** Roles that MySQL turns on at login. MariaDB, which has one at most, lists it among the grants. */
async function shareDefaultRoles(client: SqlClient, from: Account, to: Account): Promise<void> {
  const [tables] = await client.query(
    "SELECT COUNT(*) AS found FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'default_roles'",
  );
  // MySQL 5.7 has no roles.
  if (Number(tables?.found) === 0) return;
  const rolesOf = async ({ user, host }: Account) => {
    const rows = await client.query(
      'SELECT DEFAULT_ROLE_USER AS user, DEFAULT_ROLE_HOST AS host FROM mysql.default_roles WHERE USER = ? AND HOST = ? ORDER BY 1, 2',
      [user, host],
    );
    return rows.map((row) => accountName({ user: String(row.user), host: String(row.host) }));
  };
  const [mine, theirs] = [await rolesOf(to), await rolesOf(from)];
  const all = [...new Set([...theirs, ...mine])];
  for (const [account, has] of [
    [to, mine],
    [from, theirs],
  ] as const) {
    if (has.length === all.length) continue;
    await run(client, `ALTER USER ${accountName(account)} DEFAULT ROLE ${all.join(', ')}`);
  }
}
