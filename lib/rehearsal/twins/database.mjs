/** A twin's PostgreSQL: connected to when it is first asked, so that a twin without stored data needs none. */

/**
 * @typedef {(text: string, values?: readonly unknown[]) => Promise<{ rows: any[], rowCount: number | null }>} Query
 */

/** Connections of one task; the platforms' own pools are larger, but a rehearsal runs many tasks. */
const connections = 4;

/** Milliseconds for a connection, and for a statement: less than a client's patience. */
const deadline = 8_000;

/**
 * @param {string} url `postgresql://user:password@host:port/name?sslmode=…`, as libpq reads it
 * @returns {{ query: Query, end(): Promise<void> }}
 */
export function databaseOf(url) {
  /** @type {Promise<any> | null} */
  let pool = null;
  const connected = () => {
    // Not at start: a task that never asks its database would wait for the driver to load.
    pool ??= import('pg').then(({ default: { Pool } }) => {
      const made = new Pool({
        connectionString: url,
        max: connections,
        connectionTimeoutMillis: deadline,
        statement_timeout: deadline,
      });
      // A connection that breaks while it is idle is replaced at the next query.
      made.on('error', () => {});
      return made;
    });
    return pool;
  };
  return {
    query: async (text, values) => (await connected()).query(text, values),
    end: async () => {
      if (pool !== null) await (await pool).end();
    },
  };
}
