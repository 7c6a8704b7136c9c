/** The accounts of users: each is there for the clients of one host, and a user may have several. */
import type { SqlClient, SqlRow } from '../../contract/sql.ts';
import { run } from '../run-statement.ts';
import { type Account, accountName, literal } from './quoting.ts';
import type { ServerFacts } from './server-facts.ts';

export interface KnownAccount extends Account {
  /** What it demands of a connection, as statements say it: `REQUIRE SSL`. */
  readonly demands: string;
  /** Its limits, as statements say them: `WITH MAX_USER_CONNECTIONS 5 …`. */
  readonly limits: string;
}

/** Of MySQL and MariaDB; the second of each is the column of mysql.user. */
const limits = [
  ['MAX_QUERIES_PER_HOUR', 'max_questions'],
  ['MAX_UPDATES_PER_HOUR', 'max_updates'],
  ['MAX_CONNECTIONS_PER_HOUR', 'max_connections'],
  ['MAX_USER_CONNECTIONS', 'max_user_connections'],
] as const;

/** Of MariaDB alone; in seconds. */
const statementTime = ['MAX_STATEMENT_TIME', 'max_statement_time'] as const;

/** The accounts of a user, roles left out. */
export async function accountsOf(
  client: SqlClient,
  user: string,
  { isMariadb }: ServerFacts,
): Promise<KnownAccount[]> {
  const known = isMariadb ? [...limits, statementTime] : limits;
  const rows = await client.query(
    `SELECT User AS user, Host AS host, ssl_type AS tls, ssl_cipher AS cipher, x509_issuer AS issuer,
       x509_subject AS subject, ${known.map(([, column]) => column).join(', ')}
       FROM mysql.user WHERE User = ?${isMariadb ? " AND is_role = 'N'" : ''} ORDER BY Host`,
    [user],
  );
  return rows.map((row) => ({
    user: textOf(row.user),
    host: textOf(row.host),
    demands: `REQUIRE ${demandsOf(row)}`,
    limits: `WITH ${known.map(([word, column]) => `${word} ${Number(row[column] ?? 0)}`).join(' ')}`,
  }));
}

/** Makes two accounts demand the same, and have the same limits. */
export async function adopt(client: SqlClient, account: KnownAccount, like: KnownAccount): Promise<void> {
  if (account.demands === like.demands && account.limits === like.limits) return;
  await run(client, `ALTER USER ${accountName(account)} ${like.demands} ${like.limits}`);
}

function demandsOf(row: SqlRow): string {
  const parts = (
    [
      ['CIPHER', row.cipher],
      ['ISSUER', row.issuer],
      ['SUBJECT', row.subject],
    ] as const
  )
    .filter(([, value]) => textOf(value) !== '')
    .map(([word, value]) => `${word} ${literal(textOf(value))}`);
  switch (textOf(row.tls)) {
    case 'ANY':
      return 'SSL';
    case 'X509':
      return 'X509';
    case 'SPECIFIED':
      return parts.join(' AND ');
    default:
      return 'NONE';
  }
}

/** Some columns are of bytes. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  return value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : String(value);
}
