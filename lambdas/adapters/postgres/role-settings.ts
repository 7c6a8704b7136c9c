/** Settings of a role (ALTER ROLE … SET), kept in step between two users. */
import type { SqlClient } from '../../contract/sql.ts';
import { identifier, literal } from './quoting.ts';

/** Settings that hold a list of names, each quoted on its own (GUC_LIST_QUOTE in the server's guc_tables.c). */
const listsOfNames: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/**
 * The statements that give both users what either has; where they differ, the one in use decides. The setting `role` is
 * left out: it is how a login becomes the owner.
 */
export async function missingSettings(client: SqlClient, user: string, other: string): Promise<string[]> {
  const rows = await client.query(
    `SELECT r.rolname AS role, coalesce(d.datname, '') AS database, one.setting
       FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
         unnest(s.setconfig) AS one (setting)
       WHERE r.rolname = ANY($1) ORDER BY 1, 2, 3`,
    [[user, other]],
  );
  const settings = rows.map(({ role, database, setting }) => {
    const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(String(setting)) ?? [];
    return { role: String(role), database: String(database), name, value };
  });
  const key = (one: { database: string; name: string }) => JSON.stringify([one.database, one.name]);
  const of = (role: string) =>
    new Map(settings.filter((one) => one.role === role && one.name !== 'role').map((one) => [key(one), one]));
  const [mine, theirs] = [of(user), of(other)];
  return [...new Map([...mine, ...theirs]).values()].flatMap((wanted) =>
    (
      [
        [user, mine],
        [other, theirs],
      ] as const
    )
      .filter(([, has]) => has.get(key(wanted))?.value !== wanted.value)
      .map(([role]) => written({ ...wanted, role })),
  );
}

function written(setting: {
  readonly role: string;
  readonly database: string;
  readonly name: string;
  readonly value: string;
}): string {
  const place = setting.database === '' ? '' : ` IN DATABASE ${identifier(setting.database)}`;
  // A name of an extension's setting has a point in it; no part of one needs quotes (valid_custom_variable_name).
  const value = listsOfNames.has(setting.name)
    ? namesOf(setting.value).map(literal).join(', ') || "''"
    : literal(setting.value);
  return `ALTER ROLE ${identifier(setting.role)}${place} SET ${setting.name} TO ${value}`;
}

/** `"$user", public` as names. */
function namesOf(list: string): string[] {
  return [...list.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,"]+))\s*(?:,|$)/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain.trim(),
  );
}
