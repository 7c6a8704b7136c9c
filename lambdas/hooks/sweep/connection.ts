/** The server as a sweep needs it: statements with arrays of values, in order, and how many rows changed. */
import type { Sensitive } from '../../contract/sensitive.ts';

export type Value = string | number | Buffer | null;
export type Cells = Readonly<Record<string, Value>>;

export interface Answer {
  readonly rows: readonly Cells[];
  /** Rows that an UPDATE changed. */
  readonly changed: number;
}

/** One connection. Statements run one after the other, in the order of the calls. */
export interface Connection {
  /**
   * @param name of a statement that is prepared once per connection. Default: it is not prepared.
   * @throws KeyturnError, retryable where the server may take it the next time; messages hold the SQLSTATE, never a
   *   statement or a value.
   */
  query(text: string, parameters?: readonly (Value | readonly Value[])[], name?: string): Promise<Answer>;
  end(): Promise<void>;
}

/** How the server is verified. There is no fallback to less. */
export type Tls =
  /** PEM text of the authorities that may vouch for the server. */
  | { readonly ca: string }
  /** The authorities that the runtime knows. */
  | 'system'
  /** Amazon's, of RDS and Aurora. */
  | 'rds'
  /** No TLS: only for a server on this very machine. */
  | 'off-on-loopback';

export interface Server {
  /** Opens a connection to the first host of the DSN, with one attempt to log in. @throws KeyturnError */
  connect(dsn: Sensitive, tls: Tls): Promise<Connection>;
}
