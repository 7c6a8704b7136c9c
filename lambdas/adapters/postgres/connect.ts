import { isIP } from 'node:net';
import { Client, type ClientConfig, DatabaseError, types } from 'pg';
import { KeyturnError } from '../../contract/errors.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { Sql, SqlAnswer, SqlClient, SqlTls } from '../../contract/sql.ts';

/** Milliseconds for DNS, TCP, TLS and login together. */
const connectionTimeout = 10_000;

/** Milliseconds that one statement may take on the server. */
const statementTimeout = 120_000;

/** Milliseconds that a statement waits for a lock of the application's: longer, and it lets the application go first. */
const lockTimeout = 5_000;

/** PostgreSQL through node-postgres. */
export const postgres: Sql = {
  async connect(dsn, tls) {
    const client = new Client(configOf(dsn, tls));
    // Without a listener, a connection that breaks while idle would end the process.
    client.on('error', () => {});
    try {
      await client.connect();
    } catch (caught) {
      await client.end().catch(() => {});
      throw connectError(caught);
    }
    // One statement at a time: node-postgres no longer queues them.
    let last: Promise<unknown> = Promise.resolve();
    return {
      query(...asked) {
        const answer = last.then(() => query(client, ...asked));
        last = answer.catch(() => {});
        return answer;
      },
      end: () => client.end().catch(() => {}),
    };
  },
};

/** @throws KeyturnError HookRefused for a DSN that is no URL, or for plain text to another machine. */
export function configOf(dsn: Sensitive, tls: SqlTls): ClientConfig {
  const text = dsn.reveal();
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw refused(
      'The DSN must be a URL of the form postgresql://user:password@host:port/database; it is not.',
    );
  }
  const host = decodeURIComponent(url.hostname).replace(/^\[|\]$/g, '');
  if (tls === 'off-on-loopback' && !/^(localhost|127(\.[0-9]+){3}|::1)$/.test(host)) {
    throw refused('A server on another machine must be spoken to over TLS; the deployment switches it off.');
  }
  return {
    host,
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    application_name: 'keyturn',
    connectionTimeoutMillis: connectionTimeout,
    statement_timeout: statementTimeout,
    lock_timeout: lockTimeout,
    keepAlive: true,
    // Values stay as the server writes them: a number that JavaScript cannot hold would move a row.
    types: { getTypeParser: (oid) => (oid === types.builtins.BYTEA ? types.getTypeParser(oid) : asText) },
    ssl:
      tls === 'off-on-loopback'
        ? false
        : {
            rejectUnauthorized: true,
            minVersion: 'TLSv1.2',
            ...(isIP(host) === 0 ? { servername: host } : {}),
            ...(tls === 'system' ? {} : { ca: tls.ca }),
          },
  };
}

const asText = (text: string | Buffer): string => String(text);

async function query(client: Client, ...[text, parameters = [], name]: Parameters<SqlClient['query']>) {
  try {
    const result = await client.query({
      text,
      values: [...parameters],
      ...(name === undefined ? {} : { name }),
    });
    return { rows: result.rows, changed: result.rowCount ?? 0 } satisfies SqlAnswer;
  } catch (caught) {
    throw queryError(caught);
  }
}

/** SQLSTATE classes and codes after which the same statement may succeed (PostgreSQL documentation, appendix A). */
const again = /^(40|53|55P03|57014)/;
/** The connection is gone, or goes: class 08, and the server's shutdown. */
const gone = /^(08|57P0)/;

function queryError(caught: unknown): KeyturnError {
  const state = stateOf(caught);
  if (state === null || gone.test(state)) return lost(caught);
  return new KeyturnError({
    code: 'SqlFailed',
    message: `The database refused a statement (SQLSTATE ${state}).`,
    retryable: again.test(state),
    cause: caught,
  });
}

function lost(cause: unknown): KeyturnError {
  return new KeyturnError({
    code: 'HookUnreachable',
    message: 'The connection to the database was lost.',
    retryable: true,
    cause,
  });
}

function connectError(caught: unknown): KeyturnError {
  const state = stateOf(caught);
  const code = String(Reflect.get(Object(caught), 'code') ?? '');
  if (state !== null) {
    const sentences: Readonly<Record<string, string>> = {
      '28P01': 'The database refuses the user or its password',
      '28000': 'The database refuses this user from here',
      '3D000': 'The server has no such database',
      '53300': 'The server has no connection left',
    };
    return new KeyturnError({
      code: /^(53|57)/.test(state) ? 'HookUnreachable' : 'HookRefused',
      message: `${sentences[state] ?? 'The database refuses the connection'} (SQLSTATE ${state}).`,
      retryable: /^(53|57)/.test(state),
      cause: caught,
    });
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL/.test(code) || /SSL connections/.test(messageOf(caught))) {
    return refused(
      `The server could not be verified over TLS (${code === '' ? 'it speaks none' : code}).`,
      caught,
    );
  }
  return new KeyturnError({
    code: 'HookUnreachable',
    message: `The database does not answer (${code === '' ? 'no answer in time' : code}).`,
    retryable: true,
    cause: caught,
  });
}

function stateOf(caught: unknown): string | null {
  return caught instanceof DatabaseError && /^[0-9A-Z]{5}$/.test(caught.code ?? '')
    ? (caught.code ?? null)
    : null;
}

function messageOf(caught: unknown): string {
  return caught instanceof Error ? caught.message : '';
}

function refused(message: string, cause?: unknown): KeyturnError {
  return new KeyturnError({ code: 'HookRefused', message, ...(cause === undefined ? {} : { cause }) });
}
