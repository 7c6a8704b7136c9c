/** The narrow port of an SQL database: what steps, classes and hooks may ask of an open connection. */

export type SqlValue = string | number | boolean | null | Uint8Array | readonly string[];

export type SqlRow = Readonly<Record<string, unknown>>;

export interface SqlClient {
  /**
   * Runs one statement. A value goes into `values`, never into `text`.
   *
   * @throws KeyturnError whose code says what to do next; it holds nothing that the server or the driver said
   *   beyond the five characters of the SQLSTATE.
   */
  query(text: string, values?: readonly SqlValue[]): Promise<readonly SqlRow[]>;
  /** Closes the connection. Never fails: what has been lost is closed too. */
  end(): Promise<void>;
}
