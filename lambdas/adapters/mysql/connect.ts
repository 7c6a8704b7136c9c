/**
 * Opens a connection to a MySQL or MariaDB server: verified TLS or none at all, one login attempt, no word of the server
 * in an error. The password goes out as a proof of it, or by TLS that was verified.
 */
import { isIP, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { authPlugins, type Connection, createConnection } from 'mysql2';
import { KeyturnError } from '../../contract/errors.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { SqlClient, SqlRow, SqlValue } from '../../contract/sql.ts';
import type { TargetTls } from '../../contract/target.ts';
import { silence } from '../server-errors.ts';
import { onlyThisMachine, tlsTo } from '../verified-tls.ts';
import { type Moment, mysqlError, numberOf } from './errors.ts';

export interface MysqlTarget {
  /** A name, an IP address, or the absolute path of a Unix socket. */
  readonly host: string;
  /** 1–65535. */
  readonly port: number;
  readonly user: string;
  /** Not empty. */
  readonly password: Sensitive;
  /** Empty: none. */
  readonly database: string;
  readonly tls: TargetTls;
  /** Milliseconds until the login has to be done. Default: 10,000. */
  readonly loginTimeout?: number;
  /** Milliseconds after which the answer to a statement is given up. Default: 30,000. */
  readonly statementTimeout?: number;
}

/** A connection behind the port, and what else is known of its errors. */
export interface MysqlClient extends SqlClient {
  /** As the server tells it (`VERSION()`). */
  readonly version: string;
  /** As `query`, for a statement that may fail with one of these numbers. @returns that number, or null: it ran. */
  attempt(text: string, expected: readonly number[]): Promise<number | null>;
}

const defaultLoginTimeout = 10_000;
const defaultStatementTimeout = 30_000;

/** Seconds for which a statement of ours may make others wait behind it. */
const lockTimeout = 5;

/**
 * Logs in, once. The session's modes are ours, whatever the server's are: quoting depends on them.
 *
 * @throws KeyturnError DeploymentInvalid, TargetUnreachable, TargetTlsFailed, TargetNotReady, TargetFull,
 *   CredentialRejected, CredentialExpired, DatabaseMissing, PrivilegeMissing, TargetRefused.
 */
export async function openMysql(target: MysqlTarget): Promise<MysqlClient> {
  const client = mysqlClient(await connectMysql(target), target);
  try {
    // A server that lets in with an expired password says so here; to SET it lets anybody.
    const [row] = await client.query('SELECT VERSION() AS version');
    await client.query(
      `SET SESSION sql_mode = 'STRICT_TRANS_TABLES', SESSION autocommit = 1, SESSION lock_wait_timeout = ${lockTimeout}`,
    );
    return { ...client, version: String(row?.version ?? '') };
  } catch (caught) {
    await client.end();
    throw caught;
  }
}

async function connectMysql(target: MysqlTarget): Promise<Connection> {
  const socket = new Socket();
  const verified = tlsTo(target);
  if (verified === null) onlyThisMachine(socket);
  const connection = createConnection({
    ...(verified === null
      ? { authPlugins: withoutTls(target) }
      : { ssl: { ...verified, verifyIdentity: true } }),
    // For an address the driver would have the certificate checked for "localhost". With a point behind it an address
    // is taken for a name, and Node's tls.checkServerIdentity, which takes the point off, for the address again.
    host: isIP(target.host) === 0 ? target.host : `${target.host}.`,
    user: target.user,
    password: revealed(target),
    database: target.database,
    // LOCAL INFILE lets a server read the client's files, and IGNORE_SPACE changes how statements are read.
    flags: ['-LOCAL_FILES', '-IGNORE_SPACE', '-ODBC'],
    connectAttributes: { program_name: 'keyturn' },
    dateStrings: true,
    // Its parsers would be made by `new Function`.
    disableEval: true,
    connectTimeout: 0,
    // Ours, so that the time limit ends it whatever the driver has put on top of it.
    stream: () => {
      socket.setNoDelay(true);
      return target.host.startsWith('/')
        ? socket.connect({ path: target.host })
        : socket.connect({ host: target.host, port: target.port });
    },
  });
  let late: 'connection' | 'login' | null = null;
  const timer = setTimeout(() => {
    late = socket.connecting ? 'connection' : 'login';
    socket.destroy();
  }, target.loginTimeout ?? defaultLoginTimeout);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('connect', () => resolve());
      // It stays: a connection that breaks while it is idle must not end the process; the next statement reports it.
      connection.on('error', reject);
    });
  } catch (caught) {
    const said = late === null ? loginError(caught, connection, target) : tooLate(late, target);
    connection.destroy();
    socket.destroy();
    throw said;
  } finally {
    clearTimeout(timer);
  }
  if (verified === null || isVerified(connection)) return connection;
  // An answer that was there before TLS had begun.
  connection.destroy();
  throw mysqlError(Object.assign(new Error(), { errno: 1045 }), nameOf(target), 'before-tls');
}

function mysqlClient(connection: Connection, target: MysqlTarget): Omit<MysqlClient, 'version'> {
  const name = nameOf(target);
  const timeout = target.statementTimeout ?? defaultStatementTimeout;
  const run = (text: string, values: readonly SqlValue[]) =>
    new Promise<readonly SqlRow[]>((resolve, reject) => {
      connection.query({ sql: text, values: [...values], timeout }, (error, rows) => {
        if (error === null) resolve(Array.isArray(rows) ? (rows as SqlRow[]) : []);
        else reject(error);
      });
    });
  const failed = (caught: unknown): KeyturnError => {
    const error = mysqlError(caught, name, 'statement');
    // Its answer may still come, and be taken for that of the next statement.
    if (error.code === 'TargetUnreachable') connection.destroy();
    return error;
  };
  return {
    async query(text, values = []) {
      try {
        return await run(text, values);
      } catch (caught) {
        throw failed(caught);
      }
    },
    async attempt(text, expected) {
      try {
        await run(text, []);
        return null;
      } catch (caught) {
        const number = numberOf(caught);
        if (number !== null && expected.includes(number)) return number;
        throw failed(caught);
      }
    },
    end: () => ended(connection),
  };
}

/** Milliseconds within which a server takes note that we go. */
const endsWithin = 1_000;

async function ended(connection: Connection): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => resolve(), endsWithin);
    connection.end(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  connection.destroy();
}

/** The driver's own socket on top of ours, once TLS has begun. Its declaration leaves it out. */
function tlsOf(connection: Connection): TLSSocket | null {
  const { stream } = connection as unknown as { readonly stream?: unknown };
  return stream instanceof TLSSocket ? stream : null;
}

function isVerified(connection: Connection): boolean {
  return tlsOf(connection)?.authorized === true;
}

function loginError(caught: unknown, connection: Connection, target: MysqlTarget): KeyturnError {
  const moment: Moment = target.tls === 'off' || isVerified(connection) ? 'login' : 'before-tls';
  // The driver gives every error of TLS one code; Node's own is kept here.
  const reason: unknown = tlsOf(connection)?.authorizationError;
  const code = reason instanceof Error ? reason.message : reason;
  const verification = typeof code === 'string' && /^[A-Z_]+$/.test(code);
  return mysqlError(verification ? Object.assign(new Error(), { code }) : caught, nameOf(target), moment);
}

/** Where not even a connection opened, packets are lost on the way; a server that is slow has opened one. */
function tooLate(late: 'connection' | 'login', target: MysqlTarget): KeyturnError {
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

/** The driver takes an empty password for none. */
function revealed({ password }: MysqlTarget): string {
  const text = password.reveal();
  if (text !== '') return text;
  throw new KeyturnError({ code: 'ValueRejected', message: 'The password must not be empty.' });
}

/**
 * Without TLS a server may ask for the password under a key that it sends itself, and that nobody vouches for: refused.
 * By a Unix socket it may come in clear, as MySQL's own clients send it.
 */
function withoutTls({ host }: MysqlTarget) {
  const local = host.startsWith('/');
  const refuse = () => () => {
    throw new Error('not without TLS');
  };
  return {
    sha256_password: refuse,
    caching_sha2_password: (given: Parameters<ReturnType<typeof authPlugins.caching_sha2_password>>[0]) => {
      const plugin = authPlugins.caching_sha2_password({ overrideIsSecure: local })(given);
      // 4: the server does not remember the password, and wants all of it.
      return (data: Buffer) => (!local && data.length === 1 && data[0] === 4 ? refuse()() : plugin(data));
    },
  };
}

function nameOf({ host, port }: MysqlTarget): string {
  return host.startsWith('/') ? `The server at ${host}` : `The server ${host}:${port}`;
}
