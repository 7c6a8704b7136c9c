/** How an account logs in, and what is stored of its password. */
import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import type { SqlClient } from '../../contract/sql.ts';
import { cachingSha2Hash, nativeHash } from '../../credentials/mysql-hashes.ts';
import { literal } from './quoting.ts';
import type { ServerFacts } from './server-facts.ts';

const plugins = ['mysql_native_password', 'caching_sha2_password'] as const;

/** Those whose stored form is made here. */
export type Plugin = (typeof plugins)[number];

/**
 * @param account as a statement names it.
 * @throws KeyturnError TargetRefused when it logs in by anything else than one password that the server keeps itself.
 */
export async function loginMethod(
  client: SqlClient,
  account: string,
  { isMariadb }: ServerFacts,
): Promise<Plugin> {
  const [row] = await client.query(`SHOW CREATE USER ${account}`);
  const methods = methodsOf(String(Object.values(row ?? {})[0] ?? ''));
  const [method = ''] = methods;
  const known = plugins.find((plugin) => plugin === method);
  if (known !== undefined && methods.length === 1 && !(isMariadb && known !== 'mysql_native_password'))
    return known;
  throw new KeyturnError({
    code: 'TargetRefused',
    message: `The user must log in by ${isMariadb ? 'mysql_native_password' : plugins.join(' or ')} alone; it logs in by ${methods.join(', ')}.`,
    hint: 'Give it one of these (ALTER USER), or leave it out: a user that an external service vouches for has no password here.',
  });
}

/**
 * The plugins in what SHOW CREATE USER says, the first one first. MariaDB writes `IDENTIFIED BY PASSWORD` for its native
 * one, and nothing where there is no password; both list further ones behind OR and AND.
 */
export function methodsOf(statement: string): string[] {
  // Names and texts may hold anything, words of a statement among them.
  const bare = statement
    .replace(/`(?:[^`]|``)*`/g, ' ')
    .replace(/'([\w-]+)'|'(?:[^'\\]|\\.|'')*'/gs, (_quoted, word) => ` ${word ?? ''} `);
  const [clause = ''] =
    /\bIDENTIFIED\b.*?(?=\s(?:REQUIRE|DEFAULT ROLE|WITH MAX_|PASSWORD EXPIRE|ACCOUNT)\b|$)/s.exec(bare) ?? [];
  if (clause === '' || /\bIDENTIFIED\s+BY\b/.test(clause)) return ['mysql_native_password'];
  return [...clause.matchAll(/\b(?:VIA|WITH|OR)\s+([\w-]+)/g)].map(([, plugin = '']) => plugin);
}

/** What a plugin stores of a password. */
export function storedForm(plugin: Plugin, password: Sensitive, random: Random): Sensitive {
  return plugin === 'mysql_native_password' ? nativeHash(password) : cachingSha2Hash(password, random);
}

/** What a statement says of an account's password. Its values have neither quotes nor backslashes. */
export function identifiedBy(plugin: Plugin, stored: Sensitive, { isMariadb }: ServerFacts): string {
  const value = literal(stored.reveal());
  return isMariadb ? `IDENTIFIED VIA ${plugin} USING ${value}` : `IDENTIFIED WITH ${plugin} AS ${value}`;
}

/** A password that nobody knows. */
export function unknownPassword(random: Random): Sensitive {
  return new Sensitive(Buffer.from(random.bytes(32)).toString('base64url'));
}
