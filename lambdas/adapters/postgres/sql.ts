/** The port `Sql` on node-postgres: what hooks use, with the codes on which their stages are tried again. */
import { type ErrorCode, KeyturnError } from '../../contract/errors.ts';
import type { Sql, SqlClient } from '../../contract/sql.ts';
import { parseDsn } from '../../dsn/dsn.ts';
import { openPostgres } from './connect.ts';

export const postgres: Sql = {
  async connect(dsn, tls) {
    let client: SqlClient;
    try {
      const { engine, hosts, user, password, database } = parseDsn(dsn);
      // The first host is the one that a client asks first; a hook that needs another names it.
      const [{ host, port }] = hosts;
      if (engine !== 'postgres' || host === null || user === null || password === null) {
        throw new KeyturnError({
          code: 'DocumentInvalid',
          message: 'The connection string must name a PostgreSQL host, a user and a password; it does not.',
        });
      }
      client = await openPostgres({ host, port, user, password, database: database ?? user, tls });
    } catch (caught) {
      throw asHook(caught, (error) => (error.retryable ? 'HookUnreachable' : 'HookRefused'));
    }
    return {
      async query(...asked) {
        try {
          return await client.query(...asked);
        } catch (caught) {
          throw asHook(caught, ({ code }) => (lost.has(code) ? 'HookUnreachable' : 'SqlFailed'));
        }
      },
      end: () => client.end(),
    };
  },
};

/** The connection is gone, or goes. */
const lost: ReadonlySet<ErrorCode> = new Set(['TargetUnreachable', 'TargetNotReady']);

function asHook(caught: unknown, codeOf: (error: KeyturnError) => ErrorCode): unknown {
  if (!(caught instanceof KeyturnError)) return caught;
  const { message, hint, retryable } = caught;
  return new KeyturnError({ code: codeOf(caught), message, retryable, ...(hint === null ? {} : { hint }) });
}
