/** What the user of a session may do, read from what it was granted: itself, and by the roles that are turned on. */

import type { TableRights } from '../../contract/target.ts';
import type { MysqlClient } from './connect.ts';
import { grantLines } from './grants.ts';
import { type ServerFacts, serverFacts } from './server-facts.ts';

interface Right {
  readonly takesAway: boolean;
  /** `SELECT`, `ALL PRIVILEGES`, in capital letters; rights to single columns are left out. */
  readonly names: readonly string[];
  /** A pattern of LIKE for databases; null: all. */
  readonly database: string | null;
  /** Null: all. */
  readonly table: string | null;
}

/** Whether the session sees and ends sessions of other users; without PROCESS it would see none, and take that for evidence. */
export async function seesOthers(client: MysqlClient): Promise<boolean> {
  const rights = await ownRights(client, serverFacts(client));
  return rights.some((right) => right.database === null && has(right, 'PROCESS'));
}

export async function missingRights(client: MysqlClient, wanted: readonly TableRights[]): Promise<string[]> {
  if (wanted.length === 0) return [];
  const rights = await ownRights(client, serverFacts(client));
  const missing: string[] = [];
  for (const { table, rights: names } of wanted) {
    const place = await placeOf(client, table);
    for (const name of names) {
      if (place === null || !allowed(rights, place, name)) missing.push(`${name} on ${table}`);
    }
  }
  return missing;
}

async function ownRights(client: MysqlClient, { isMariadb, version }: ServerFacts): Promise<Right[]> {
  // MariaDB lists those of the role that is on by itself; MySQL 5.7 has no roles.
  const lines =
    isMariadb || version[0] < 8
      ? await grantLines(client, null)
      : await grantLines(client, 'CURRENT_USER()', await rolesThatAreOn(client));
  return lines.flatMap((line) => rightOf(line) ?? []);
}

async function rolesThatAreOn(client: MysqlClient): Promise<string> {
  const [row] = await client.query('SELECT CURRENT_ROLE() AS roles');
  const roles = String(row?.roles ?? 'NONE');
  return roles === 'NONE' ? '' : ` USING ${roles}`;
}

const name = '`(?:[^`]|``)*`';
const line = new RegExp(
  `^(GRANT|REVOKE) (.+?) ON (?:TABLE )?(\\*|${name})\\.(\\*|${name}) (?:TO|FROM) `,
  's',
);

/** Null: it is of no table, but of a routine, a proxy or a role. */
function rightOf(text: string): Right | null {
  const [, verb, listed = '', database = '', table = ''] = line.exec(text) ?? [];
  if (verb === undefined) return null;
  return {
    takesAway: verb === 'REVOKE',
    // Columns stand behind their right in brackets, and may hold commas.
    names: listed
      .replace(/[\w ]+\((?:`(?:[^`]|``)*`|[^)`])*\)/g, '')
      .split(',')
      .map((one) => one.trim().toUpperCase())
      .filter((one) => one !== ''),
    database: database === '*' ? null : unquoted(database),
    table: table === '*' ? null : unquoted(table),
  };
}

function allowed(rights: readonly Right[], { database, table }: Place, name: string): boolean {
  const fitting = rights.filter(
    (right) =>
      (right.database === null || fits(right, database)) && (right.table === null || right.table === table),
  );
  const [given, taken] = [
    fitting.filter(({ takesAway }) => !takesAway),
    fitting.filter(({ takesAway }) => takesAway),
  ];
  // A partial revoke of MySQL limits what was granted for all databases, and nothing else.
  return given.some(
    (right) => has(right, name) && !(right.database === null && taken.some((one) => has(one, name))),
  );
}

function has({ names }: Right, name: string): boolean {
  return names.includes(name) || names.includes('ALL PRIVILEGES') || names.includes('ALL');
}

/** A right to one table names its database as it is; a right to a database may be a pattern. */
function fits(right: Right, database: string): boolean {
  const pattern = right.database ?? '';
  if (right.table !== null || pattern === database) return pattern === database;
  const expression = [...pattern.matchAll(/\\(.)|([%_])|(.)/gs)]
    .map(([, escaped, wild, plain]) =>
      wild === '%'
        ? '.*'
        : wild === '_'
          ? '.'
          : (escaped ?? plain ?? '').replace(/[\\^$.*+?()[\]{}|]/, '\\$&'),
    )
    .join('');
  return new RegExp(`^${expression}$`, 's').test(database);
}

interface Place {
  readonly database: string;
  readonly table: string;
}

/** Where a table lies, as the server knows it; null: there is none that this user may see. */
async function placeOf(client: MysqlClient, table: string): Promise<Place | null> {
  const parts = new RegExp(`^(?:(${name}|[^.\`]+)\\.)?(${name}|[^.\`]+)$`, 's').exec(table);
  if (parts === null) return null;
  const [, database, own = ''] = parts;
  const [row] = await client.query(
    `SELECT TABLE_SCHEMA AS place, TABLE_NAME AS name FROM information_schema.TABLES
       WHERE TABLE_SCHEMA = ${database === undefined ? 'DATABASE()' : '?'} AND TABLE_NAME = ?`,
    [...(database === undefined ? [] : [unquoted(database)]), unquoted(own)],
  );
  return row === undefined ? null : { database: String(row.place), table: String(row.name) };
}

function unquoted(text: string): string {
  return text.startsWith('`') ? text.slice(1, -1).replaceAll('``', '`') : text;
}
