/** The way to a server, one step after the other, so that the one that fails has a name. */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { KeyturnError } from '../contract/errors.ts';
import type { ReachedStep, Target, TargetLogin, TargetTls } from '../contract/target.ts';
import { codeOf, meaningOfCode, silence } from './server-errors.ts';
import { verifiedBy } from './verified-tls.ts';

/** What is of the engine's own. */
export interface Way {
  /**
   * What is exchanged on a new connection before TLS begins. Default: nothing.
   * @throws KeyturnError when the server offers no TLS.
   */
  readonly askTls?: (socket: Socket) => Promise<void>;
  readonly login: Target['login'];
}

/** Milliseconds of one step; the login has its own limit. */
const stepLimit = 5_000;

/** Addresses of a host that are tried at once, of IPv4 and IPv6 each; a name of a cluster may have many. */
const mostAddresses = 2;

/** What the resolver says of a host. */
type Resolve = (host: string, options: { all: true }) => Promise<LookupAddress[]>;

/**
 * Goes the way, and ends at the first step that fails. One login attempt at most, and none where the steps before it
 * fail.
 *
 * @param limit milliseconds of one step. Default: 5,000.
 * @param resolve Default: the resolver of the machine.
 */
export async function reach(
  login: TargetLogin,
  way: Way,
  limit = stepLimit,
  resolve: Resolve = lookup,
): Promise<readonly ReachedStep[]> {
  const done: ReachedStep[] = [];
  const step = async <T>(name: ReachedStep['step'], run: () => Promise<{ value: T; says: string }>) => {
    try {
      const { value, says } = await run();
      done.push({ step: name, ok: true, says });
      return value;
    } catch (caught) {
      done.push({ step: name, ok: false, error: errorOf(caught, login) });
      throw new Stop();
    }
  };
  const { tls } = login;
  try {
    if (!login.host.startsWith('/')) {
      const addresses = await step('dns', () => resolved(login, limit, resolve));
      const socket = await step('tcp', () => opened(login, addresses, limit));
      try {
        if (tls !== 'off') await step('tls', () => verified({ ...login, tls }, socket, way, limit));
      } finally {
        socket.destroy();
      }
    }
    await step('login', async () => {
      await (await way.login(login)).end();
      return { value: null, says: `${login.user} is let in` };
    });
  } catch (caught) {
    if (!(caught instanceof Stop)) throw caught;
  }
  return done;
}

/** The next bytes of a server. @throws Error as the socket ends. */
export function received(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (then: () => void) => {
      socket.off('data', onData).off('error', onError).off('close', onClose);
      // What comes next is for TLS.
      socket.pause();
      then();
    };
    const onData = (bytes: Buffer) => settle(() => resolve(bytes));
    const onError = (error: Error) => settle(() => reject(error));
    const onClose = () => settle(() => reject(coded('ECONNRESET')));
    socket.on('data', onData).on('error', onError).on('close', onClose).resume();
  });
}

/** A step failed, and is recorded. */
class Stop extends Error {}

async function resolved({ host }: TargetLogin, limit: number, resolve: Resolve) {
  if (isIP(host) !== 0) return { value: [host], says: `${host} is an address` };
  const found = await within(limit, resolve(host, { all: true }), () => coded('EAI_AGAIN'));
  // The driver takes the families in turns: where many of one come first, the other may be the one with a way.
  const value = [4, 6].flatMap((version) =>
    found
      .filter(({ family }) => family === version)
      .slice(0, mostAddresses)
      .map(({ address }) => address),
  );
  return { value, says: `${host} is ${value.join(', ')}` };
}

async function opened({ port }: TargetLogin, addresses: readonly string[], limit: number) {
  const tries = addresses.map((address) => ({ address, socket: connect({ host: address, port }) }));
  const accepted = tries.map(async (one) => {
    await within(limit, connected(one.socket, 'connect'), () => coded('ETIMEDOUT'));
    return one;
  });
  try {
    const { address, socket } = await Promise.any(accepted);
    for (const other of tries) if (other.socket !== socket) other.socket.destroy();
    return { value: socket, says: `${address}, port ${port}, accepts a connection` };
  } catch (caught) {
    for (const { socket } of tries) socket.destroy();
    // The first says most: that there is no way for IPv6 is usual in a VPC.
    throw caught instanceof AggregateError ? (caught.errors[0] ?? coded('ENOTFOUND')) : caught;
  }
}

async function verified(
  { host, port, tls }: TargetLogin & { readonly tls: Exclude<TargetTls, 'off'> },
  plain: Socket,
  way: Way,
  limit: number,
) {
  const mute = () => saidNothing({ host, port }, limit);
  await within(limit, way.askTls?.(plain) ?? Promise.resolve(), mute);
  const socket = connectTls({
    socket: plain,
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...verifiedBy(tls.authorities),
  });
  try {
    await within(limit, connected(socket, 'secureConnect'), mute);
    const until = new Date(socket.getPeerCertificate().valid_to).toISOString().slice(0, 10);
    return { value: null, says: `${socket.getProtocol()}, certificate valid until ${until}` };
  } finally {
    socket.destroy();
  }
}

function connected(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    // It stays: an error after the time limit must not end the process.
    socket.on('error', reject);
    socket.once('close', () => reject(coded('ECONNRESET')));
  });
}

async function within<T>(limit: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), limit);
  });
  try {
    return await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error as Node's own are. */
function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function saidNothing({ host, port }: Pick<TargetLogin, 'host' | 'port'>, limit: number): KeyturnError {
  return new KeyturnError({
    code: 'TargetUnreachable',
    message: `The server ${host}:${port} accepted the connection, and then said nothing for ${limit} ms.`,
    hint: 'See whether the port is that of the server, and what lies in between: a proxy, a load balancer without a healthy target.',
    retryable: true,
  });
}

/** Without a cause: a driver's may hold values. */
function errorOf(caught: unknown, { host, port }: TargetLogin): KeyturnError {
  if (caught instanceof KeyturnError) return caught;
  const code = codeOf(caught);
  const meaning = meaningOfCode(code);
  return new KeyturnError({
    code: meaning?.code ?? 'TargetUnreachable',
    message: `The server ${host}:${port} ${meaning?.says ?? 'cannot be reached'} (${code ?? 'no code'}).`,
    hint: meaning?.hint ?? silence,
    retryable: meaning?.retryable ?? false,
  });
}
