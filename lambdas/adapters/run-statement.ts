/** Statements of an administrator, with an error that a person can act on. */
import { KeyturnError } from '../contract/errors.ts';
import type { SqlClient } from '../contract/sql.ts';

/**
 * @param shown what an error quotes: names only. Default: the statement.
 * @throws KeyturnError PrivilegeMissing with the statement, for a person who may run it.
 */
export async function run(client: SqlClient, statement: string, shown = statement): Promise<void> {
  try {
    await client.query(statement);
  } catch (caught) {
    throw caught instanceof KeyturnError && caught.code === 'PrivilegeMissing' ? notAllowed(shown) : caught;
  }
}

export function notAllowed(statement: string): KeyturnError {
  return new KeyturnError({
    code: 'PrivilegeMissing',
    message: `The administrator must be allowed to run: ${statement}; the server does not let it.`,
    hint: 'Run it once as somebody who may, or give the administrator that right; then rotate again.',
  });
}
