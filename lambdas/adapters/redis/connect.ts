/**
 * Opens a connection to a Redis server: verified TLS or none at all, one login attempt, nothing repeated or queued by
 * the driver, no word of the server in an error.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, Redis } from 'ioredis';
import { KeyturnError } from '../../contract/errors.ts';
import type { TargetLogin } from '../../contract/target.ts';
import { silence } from '../server-errors.ts';
import { onlyThisMachine, tlsTo } from '../verified-tls.ts';
import { redisError, replyError, replyOf } from './errors.ts';

/** A command, and what it is given. */
export type Words = readonly [string, ...(string | number)[]];

/** An open session. */
export interface RedisClient {
  /** What errors call the server. */
  readonly name: string;
  /**
   * Sends one command.
   * @throws KeyturnError whose text holds none of the words.
   */
  send(...words: Words): Promise<unknown>;
  /**
   * As `send`; an error reply is an answer here.
   * @returns the reply, or the error reply's text: it may quote the words.
   */
  attempt(...words: Words): Promise<{ error: string } | { reply: unknown }>;
  /** Never fails. */
  end(): Promise<void>;
}

/** Milliseconds. */
interface Limits {
  /** Until the login has to be done. Default: 10,000. */
  readonly login?: number;
  /** Until the answer to a command is given up. Default: 30,000. */
  readonly command?: number;
}

/**
 * Logs in, once, and chooses the database.
 *
 * @throws KeyturnError DeploymentInvalid, TargetUnreachable, TargetTlsFailed, TargetNotReady, TargetFull,
 *   CredentialRejected, DatabaseMissing, TargetRefused.
 */
export async function connectRedis(login: TargetLogin, limits: Limits = {}): Promise<RedisClient> {
  const { login: limit = 10_000, command = 30_000 } = limits;
  const name = login.host.startsWith('/')
    ? `The server at ${login.host}`
    : `The server ${login.host}:${login.port}`;
  const socket = socketTo(login);
  let state: 'TLS' | 'login' = login.tls === 'off' ? 'login' : 'TLS';
  let late: 'connection' | 'TLS' | 'login' | null = null;
  const timer = setTimeout(() => {
    late = socket.connecting ? 'connection' : state;
    socket.destroy();
  }, limit);
  try {
    await opened(socket, login.tls === 'off' ? 'connect' : 'secureConnect');
    state = 'login';
    const client = await over(socket, name, command);
    // With one word it is the default user's password, and a server that asks that user for none says so.
    await client.send('AUTH', ...withUser(login), revealed(login));
    if (login.database !== '0') await client.send('SELECT', login.database);
    // What an operator sees in CLIENT LIST; a user may lack the right, and need not have it.
    await client.attempt('CLIENT', 'SETNAME', 'keyturn');
    return client;
  } catch (caught) {
    socket.destroy();
    throw late === null ? redisError(caught, name) : tooLate(name, late, limit);
  } finally {
    clearTimeout(timer);
  }
}

function withUser({ user }: TargetLogin): string[] {
  return user === 'default' ? [] : [user];
}

/** The driver on a socket that is open: it logs in nowhere and asks nothing by itself. */
async function over(socket: Socket, name: string, commandTimeout: number): Promise<RedisClient> {
  const redis = new Redis({
    Connector: class extends AbstractConnector {
      constructor() {
        super(0);
        this.stream = socket;
      }
      connect() {
        return Promise.resolve(socket);
      }
    },
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    disableClientInfo: true,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    commandTimeout,
  });
  // A server without a connection left says so before it is asked; the driver has no command to put that to.
  let unasked: string | null = null;
  redis.on('error', (error: Error) => {
    unasked ??= / Last error: (.*)$/s.exec(error.message)?.[1] ?? null;
  });
  const failed = (caught: unknown) =>
    unasked !== null && replyOf(caught) === null ? replyError(unasked, name) : redisError(caught, name);
  const call = ([command, ...words]: Words) => redis.call(command, ...words);
  await redis.connect().catch((caught: unknown) => {
    throw failed(caught);
  });
  return {
    name,
    send: (...words) =>
      call(words).catch((caught: unknown) => {
        throw failed(caught);
      }),
    attempt: (...words) =>
      call(words).then(
        (reply) => ({ reply }),
        (caught: unknown) => {
          const error = replyOf(caught);
          if (error === null) throw failed(caught);
          return { error };
        },
      ),
    async end() {
      redis.disconnect();
      socket.destroy();
    },
  };
}

function socketTo({ host, port, tls }: TargetLogin): Socket {
  const verified = tlsTo({ host, tls });
  if (verified !== null) {
    return connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...verified });
  }
  const socket = connect(host.startsWith('/') ? { path: host } : { host, port });
  onlyThisMachine(socket);
  return socket;
}

function opened(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    // It stays: an error of a connection that is idle must not end the process; the next command reports it.
    socket.on('error', reject);
    socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })));
  });
}

/** Where not even a connection opened, packets are lost on the way; a server that is slow has opened one. */
function tooLate(name: string, late: 'connection' | 'TLS' | 'login', limit: number): KeyturnError {
  const said = {
    connection: 'accept a connection',
    TLS: 'answer the request for TLS',
    login: 'complete the login',
  };
  const hints = {
    connection: silence,
    TLS: 'See whether the server speaks TLS on this port: Redis has it on a port of its own (tls-port).',
    login: 'See whether the server is overloaded, or runs a long script.',
  };
  return new KeyturnError({
    code: 'TargetUnreachable',
    message: `${name} did not ${said[late]} in ${limit} ms.`,
    hint: hints[late],
    retryable: true,
  });
}

function revealed({ password }: TargetLogin): string {
  const text = password.reveal();
  if (text !== '') return text;
  throw new KeyturnError({ code: 'ValueRejected', message: 'The password must not be empty.' });
}
