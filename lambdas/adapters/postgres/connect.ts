/**
 * Opens a connection to a PostgreSQL server: verified TLS or none at all, one login attempt, no setting taken
 * from the environment (PGPASSWORD, PGSSLMODE and their like), no word of the server in an error.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { Client, type ClientConfig, types } from 'pg';
import { KeyturnError } from '../../contract/errors.ts';
import { isLoopbackLiteral } from '../../contract/network-address.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { SqlAnswer, SqlClient, SqlTls } from '../../contract/sql.ts';
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
  /** `off-on-loopback` holds for a Unix socket as well. */
  readonly tls: SqlTls;
  /** Milliseconds for DNS, TCP, TLS and login together. Default: 10,000. */
  readonly loginTimeout?: number;
}

const defaultLoginTimeout = 10_000;

/** Milliseconds that one statement may take on the server. */
const statementTimeout = 120_000;

/** Milliseconds until the answer to a statement is given up: the server should have said no before. */
const answerTimeout = statementTimeout + 10_000;

/** Milliseconds that a statement waits for a lock of the application's: longer, and it lets the application go first. */
const lockTimeout = 5_000;

/**
 * Logs in, once.
 *
 * @returns the driver's client, for what needs more of it than `SqlClient` has. Its own errors hold values:
 *   pass them through `postgresError`.
 * @throws KeyturnError DeploymentInvalid, ValueRejected, TargetUnreachable, TargetTlsFailed, TargetNotReady,
 *   TargetFull, CredentialRejected, PrivilegeMissing, DatabaseMissing, SqlFailed.
 */
export async function connectPostgres(target: PostgresTarget): Promise<Client> {
  const socket = new Socket();
  const client = new Client(configOf(target, socket));
  // Without a listener, a connection that breaks while idle would end the process.
  client.on('error', () => {});
  const limit = target.loginTimeout ?? defaultLoginTimeout;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    socket.destroy();
  }, limit);
  try {
    await client.connect();
    return client;
  } catch (caught) {
    socket.destroy();
    if (late) {
      throw new KeyturnError({
        code: 'TargetUnreachable',
        message: `${nameOf(target)} did not complete the login in ${limit} ms.`,
        retryable: true,
      });
    }
    throw postgresError(caught, nameOf(target));
  } finally {
    clearTimeout(timer);
  }
}

/** As `connectPostgres`, behind the port. */
export async function openPostgres(target: PostgresTarget): Promise<SqlClient> {
  return sqlClient(await connectPostgres(target), nameOf(target));
}

/** The port on an open client. `name` is what errors call the server. */
export function sqlClient(client: Client, name: string): SqlClient {
  // One statement at a time: node-postgres no longer queues them.
  let last: Promise<unknown> = Promise.resolve();
  return {
    query(...asked) {
      const answer = last.then(() => query(client, name, ...asked));
      last = answer.catch(() => {});
      return answer;
    },
    end: () => client.end().catch(() => {}),
  };
}

async function query(
  client: Client,
  server: string,
  ...[text, parameters = [], name]: Parameters<SqlClient['query']>
): Promise<SqlAnswer> {
  try {
    const result = await client.query({
      text,
      values: [...parameters],
      ...(name === undefined ? {} : { name }),
    });
    return { rows: result.rows, changed: result.rowCount ?? 0 };
  } catch (caught) {
    throw postgresError(caught, server);
  }
}

/** Everything that the driver would otherwise take from the environment is given. */
function configOf(target: PostgresTarget, socket: Socket): ClientConfig {
  return {
    host: target.host,
    port: target.port,
    user: target.user,
    password: passwordOf(target),
    database: target.database,
    ssl: tlsOptions(target, socket),
    sslnegotiation: 'postgres',
    application_name: 'keyturn',
    statement_timeout: statementTimeout,
    lock_timeout: lockTimeout,
    query_timeout: answerTimeout,
    keepAlive: true,
    // Ours, so that the time limit ends it whatever the driver has put on top of it.
    stream: () => socket,
    // Values stay as the server writes them: a number that JavaScript cannot hold would move a row.
    types: { getTypeParser: (oid) => (oid === types.builtins.BYTEA ? types.getTypeParser(oid) : asText) },
  };
}

const asText = (text: string | Buffer): string => String(text);

/** The driver takes an empty password for none, and looks for another one in the environment. */
function passwordOf({ password }: PostgresTarget): string {
  const text = password.reveal();
  if (text !== '') return text;
  throw new KeyturnError({ code: 'ValueRejected', message: 'The password must not be empty.' });
}

function tlsOptions({ host, tls }: PostgresTarget, socket: Socket): ClientConfig['ssl'] {
  if (tls !== 'off-on-loopback') {
    return {
      ...(tls === 'system' ? {} : { ca: 'ca' in tls ? tls.ca : fileOf(tls.caFile) }),
      minVersion: 'TLSv1.2',
      // Given explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off. The driver sets the
      // server name, and has the certificate checked for the host, be it a name or an address.
      rejectUnauthorized: true,
    };
  }
  if (host.startsWith('/') || isLoopbackLiteral(host)) return false;
  if (host !== 'localhost') {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `A server on another machine must be spoken to over TLS; the deployment switches it off for ${host}.`,
      hint: 'Leave tls out, and give the certificate authority of the server.',
    });
  }
  // The resolver says what localhost is; anything but this machine is left before a byte is sent.
  socket.on('lookup', (_error, address) => {
    if (typeof address === 'string' && !isLoopbackLiteral(address)) socket.destroy();
  });
  return false;
}

function fileOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new KeyturnError({
      code: 'DeploymentInvalid',
      message: `The file of certificate authorities must be readable; ${path} is not.`,
    });
  }
}

function nameOf({ host, port }: PostgresTarget): string {
  return host.startsWith('/') ? `The server at ${host}` : `The server ${host}:${port}`;
}
