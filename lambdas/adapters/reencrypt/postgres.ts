import { types } from 'pg';
import { KeyturnError } from '../../contract/errors.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import { parseDsn } from '../../dsn/dsn.ts';
import { hook } from '../../hooks/reencrypt/postgres.ts';
import type { Server, Tls } from '../../hooks/sweep/connection.ts';
import { random } from '../platform.ts';
import { connectPostgres, type PostgresTarget } from '../postgres/connect.ts';
import { postgresError } from '../postgres/errors.ts';

/** Milliseconds that one statement may take. */
const statementTimeout = 120_000;

/** Milliseconds that a statement waits for a lock of the application's: longer, and it lets the application go first. */
const lockTimeout = 5_000;

/** PostgreSQL for a sweep, through node-postgres. */
export const server: Server = {
  async connect(dsn, tls) {
    const client = await connectPostgres(targetOf(dsn, tls));
    await client.query(`SET statement_timeout = ${statementTimeout}; SET lock_timeout = ${lockTimeout}`);
    return {
      async query(text, parameters = [], name) {
        try {
          const asked = { text, values: [...parameters], types: parsers };
          const result = await client.query(name === undefined ? asked : { ...asked, name });
          return { rows: result.rows ?? [], changed: result.rowCount ?? 0 };
        } catch (caught) {
          throw postgresError(caught, 'The database');
        }
      },
      end: () => client.end().catch(() => {}),
    };
  },
};

/** Values stay as the server writes them: a number that JavaScript cannot hold would move a row. */
const parsers = {
  getTypeParser: (oid: number) =>
    oid === types.builtins.BYTEA ? types.getTypeParser(oid) : (text: string | Buffer) => String(text),
};

function targetOf(dsn: Sensitive, tls: Tls): PostgresTarget {
  const { engine, hosts, user, password, database } = parseDsn(dsn);
  const [{ host, port }] = hosts;
  if (engine !== 'postgres' || host === null || user === null || password === null || database === null) {
    throw new KeyturnError({
      code: 'DocumentInvalid',
      message:
        'The DSN of a sweep must name host, user, password and database of a PostgreSQL server; one is missing.',
    });
  }
  const authorities = tls === 'off-on-loopback' ? null : typeof tls === 'string' ? tls : { pem: tls.ca };
  return {
    host,
    port,
    user,
    password,
    database,
    tls: authorities === null ? 'off' : { authorities },
    statementTimeout,
    pipeline: true,
  };
}

/** Read by the generated entries of the stages that move and count data. */
export const connected = () => hook.connect({ server, random });
