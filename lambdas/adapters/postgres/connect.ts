/**
 * Opens a connection to a PostgreSQL server: verified TLS or none at all, one login attempt, no setting taken
 * from the environment (PGPASSWORD, PGSSLMODE and their like), no word of the server in an error.
 */
import { Socket } from 'node:net';
import pg from 'pg';
import { KeyturnError } from '../../contract/errors.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { SqlClient, SqlRow, SqlValue } from '../../contract/sql.ts';
import type { TargetTls } from '../../contract/target.ts';
import { silence } from '../server-errors.ts';
import { onlyThisMachine, tlsTo } from '../verified-tls.ts';
import { postgresError } from './errors.ts';

export interface PostgresTarget {
  /** A name, an IP address, or the absolute directory of a Unix socket. */
  readonly host: string;
  /** 1–65535. For a Unix socket: the number in its name. */
  readonly port: number;
  readonly user: string;
  /** Not empty. */
  readonly password: Sensitive;
  readonly database: string;
  readonly tls: TargetTls;
  /** Milliseconds until the login has to be done. Default: 10,000. */
  readonly loginTimeout?: number;
  /** Milliseconds after which the answer to a statement is given up; 0: never. Default: 30,000. */
  readonly statementTimeout?: number;
  /** Whether a statement is sent before the one before it was answered; each is a transaction of its own. Default: false. */
  readonly pipeline?: boolean;
}

const defaultLoginTimeout = 10_000;
const defaultStatementTimeout = 30_000;

/**
 * Logs in, once.
 *
 * @returns the driver's client, for what needs more of it than `SqlClient` has. Its own errors hold values:
 *   pass them through `postgresError`.
 * @throws KeyturnError DeploymentInvalid, TargetUnreachable, TargetTlsFailed, TargetNotReady, TargetFull,
 *   CredentialRejected, DatabaseMissing, TargetRefused.
 */
export async function connectPostgres(target: PostgresTarget): Promise<pg.Client> {
  const verified = tlsTo(target);
  const socket = new Socket();
  if (verified === null) onlyThisMachine(socket);
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    user: target.user,
    password: revealed(target),
    database: target.database,
    // The driver sets the server name, and has the certificate checked for the host, be it a name or an address.
    ssl: verified ?? false,
    sslnegotiation: 'postgres',
    application_name: 'keyturn',
    pipeline: target.pipeline ?? false,
    query_timeout: target.statementTimeout ?? defaultStatementTimeout,
    // Ours, so that the time limit ends it whatever the driver has put on top of it.
    stream: () => socket,
  });
  // A connection that breaks while it is idle must not end the process; the next statement reports it.
  client.on('error', () => {});
  let late: 'connection' | 'login' | null = null;
  const timer = setTimeout(() => {
    late = socket.connecting ? 'connection' : 'login';
    socket.destroy();
  }, target.loginTimeout ?? defaultLoginTimeout);
  try {
    await client.connect();
    return client;
  } catch (caught) {
    socket.destroy();
    if (late !== null) throw tooLate(late, target);
    throw postgresError(caught, nameOf(target));
  } finally {
    clearTimeout(timer);
  }
}

/** Where not even a connection opened, packets are lost on the way; a server that is slow has opened one. */
function tooLate(late: 'connection' | 'login', target: PostgresTarget): KeyturnError {
  const limit = `in ${target.loginTimeout ?? defaultLoginTimeout} ms`;
  return new KeyturnError({
    code: 'TargetUnreachable',
    message:
      late === 'connection'
        ? `${nameOf(target)} did not accept a connection ${limit}.`
        : `${nameOf(target)} did not complete the login ${limit}.`,
    ...(late === 'connection' ? { hint: silence } : {}),
    retryable: true,
  });
}

/** As `connectPostgres`, behind the port. */
export async function openPostgres(target: PostgresTarget): Promise<SqlClient> {
  return sqlClient(await connectPostgres(target), nameOf(target));
}

/** The port on an open client. `name` is what errors call the server. */
export function sqlClient(client: pg.Client, name: string): SqlClient {
  return {
    async query(text, values: readonly SqlValue[] = []) {
      try {
        return (await client.query<SqlRow>(text, [...values])).rows;
      } catch (caught) {
        throw postgresError(caught, name);
      }
    },
    async end() {
      await client.end().catch(() => {});
    },
  };
}

/** The driver takes an empty password for none, and looks for another one in the environment. */
function revealed({ password }: PostgresTarget): string {
  const text = password.reveal();
  if (text !== '') return text;
  throw new KeyturnError({ code: 'ValueRejected', message: 'The password must not be empty.' });
}

function nameOf({ host, port }: PostgresTarget): string {
  return host.startsWith('/') ? `The server at ${host}` : `The server ${host}:${port}`;
}
