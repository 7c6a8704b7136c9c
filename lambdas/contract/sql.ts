/** A PostgreSQL server, as far as Keyturn needs it. `adapters/postgres` implements it. */
import type { Sensitive } from './sensitive.ts';

export type SqlValue = string | number | boolean | Buffer | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;
export type SqlParameter = SqlValue | readonly SqlValue[];

export interface SqlAnswer {
  readonly rows: readonly SqlRow[];
  /** Rows that an UPDATE changed. */
  readonly changed: number;
}

/** One connection. Statements are sent in the order of the calls. */
export interface SqlClient {
  /**
   * @param name of a statement that is prepared once per connection. Default: not prepared.
   * @throws KeyturnError SqlFailed (retryable where the server says "again"), or HookUnreachable when the
   *   connection is lost. Messages hold the SQLSTATE, never a statement or a value.
   */
  query(text: string, parameters?: readonly SqlParameter[], name?: string): Promise<SqlAnswer>;
  end(): Promise<void>;
}

/** How the server is verified. There is no fallback to less. */
export type SqlTls =
  /** PEM text of the authorities that may vouch for the server (for Amazon RDS: its bundle). */
  | { readonly ca: string }
  /** A file of them on the machine, such as /var/runtime/ca-cert.pem, where Lambda's Node.js keeps Amazon's own. */
  | { readonly caFile: string }
  /** The authorities that the runtime knows. */
  | 'system'
  /** No TLS: only for a server on this very machine. */
  | 'off-on-loopback';

export interface Sql {
  /**
   * Opens a connection, with one attempt to log in.
   * @throws KeyturnError HookUnreachable, or HookRefused when the server does not let us in or cannot be verified.
   */
  connect(dsn: Sensitive, tls: SqlTls): Promise<SqlClient>;
}
