/**
 * HTTPS to one address that a deployment names, for requests that must not be led anywhere else: the name is
 * resolved once, every address of it is vetted, and the connection goes to the vetted address itself, so that
 * a name that changes its answer in between (DNS rebinding) changes nothing. No redirect is followed, nothing
 * is decompressed, no proxy and no plain text is ever used, and the whole exchange has one deadline.
 *
 * Errors name the host and the rule; they hold nothing of a header, of a body or of an answer.
 */
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent, request as secureRequest } from 'node:https';
import { isIP } from 'node:net';
import { KeyturnError } from '../contract/errors.ts';
import { addressIn, isLoopbackLiteral, refusedRange } from '../contract/network-address.ts';
import type { HttpResponse } from '../contract/ports.ts';
import type { Sensitive } from '../contract/sensitive.ts';

export interface GuardedRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: ReadonlyMap<string, Sensitive>;
  /** Undefined: no body. */
  readonly body?: string;
  /** Hosts that the deployment allows, each as in an address: a name or an IP address, without a port. */
  readonly allowedHosts: readonly string[];
  /** Private ranges that the deployment opens, as CIDRs. Default: none. Never opens link-local ones. */
  readonly allowPrivate?: readonly string[];
  /** Milliseconds for the whole exchange, the resolution of the name included. 1–600,000. */
  readonly deadline: number;
  /** Most bytes of the answer's body; more is an error. */
  readonly maximumBytes: number;
}

export interface GuardedHttp {
  /**
   * Answers with any status outside 300–399.
   *
   * @throws KeyturnError HookRefused when a rule of this module is broken (again tried, it would be again),
   * HookUnreachable when no complete answer came.
   */
  send(request: GuardedRequest): Promise<HttpResponse>;
}

export interface GuardedHttpOptions {
  /** All addresses of a name. Default: the machine's resolver. */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
  /** Certificates (PEM) that are trusted instead of the public ones. Default: the public ones. */
  readonly authorities?: string;
  /** Lets the name resolve to loopback addresses; for tests with a server of their own. Default: false. */
  readonly loopbackNames?: boolean;
}

/** Bytes of all headers of an answer. */
const maximumHeaderBytes = 16_384;

interface Target {
  readonly url: URL;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly address: string;
}

export function guardedHttp(options: GuardedHttpOptions = {}): GuardedHttp {
  return {
    async send(request) {
      const { url, host } = vettedUrl(request);
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), request.deadline);
      try {
        const address = await vettedAddress(host, request, options, abort.signal);
        return await exchange({ url, host, address }, request, options, abort.signal);
      } catch (cause) {
        if (abort.signal.aborted)
          throw unreachable(host, `gave no complete answer in ${request.deadline} ms`);
        if (cause instanceof KeyturnError) throw cause;
        throw unreachable(host, `could not be asked (${reasonOf(cause)})`);
      } finally {
        clearTimeout(timer);
        // Whatever is still open, a slow body above all, ends here.
        abort.abort();
      }
    },
  };
}

function vettedUrl({ url: text, allowedHosts }: GuardedRequest): { url: URL; host: string } {
  if (!URL.canParse(text)) throw refused('The address of a hook must be an address.');
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.username !== '' || url.password !== '') {
    throw refused('The address of a hook must not carry a user or a password.');
  }
  if (!allowedHosts.includes(host)) {
    throw refused(`The host of a hook must be one that the deployment names; ${host} is not.`);
  }
  // The parser has turned decimal, octal, hexadecimal and short forms into the usual one.
  if (isIP(host) !== 0 && !text.toLowerCase().includes(host)) {
    throw refused(`The host of a hook must be written in its usual form; received another form of ${host}.`);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackLiteral(host))) {
    throw refused(`The address of a hook must be https (http only on a loopback address); ${host} is not.`);
  }
  return { url, host };
}

async function vettedAddress(
  host: string,
  { allowPrivate = [] }: GuardedRequest,
  options: GuardedHttpOptions,
  signal: AbortSignal,
): Promise<string> {
  // A loopback address that the deployment names itself is a rehearsal; no name leads there.
  if (isLoopbackLiteral(host)) return host;
  const resolve = options.resolve ?? ((name) => lookup(name, { all: true }));
  const found =
    isIP(host) === 0
      ? (await Promise.race([resolve(host), aborted(signal)])).map(({ address }) => address)
      : [host];
  const [first] = found;
  if (first === undefined) throw unreachable(host, 'has no address');
  for (const address of found) {
    if (options.loopbackNames === true && isLoopbackLiteral(address)) continue;
    const range = refusedRange(address, allowPrivate);
    // One bad address is enough: a name that mixes them is not to be trusted with the others.
    if (range !== null) throw refused(`${host} must not lead to ${addressIn(range)}.`);
  }
  return first;
}

function exchange(
  { url, host, address }: Target,
  request: GuardedRequest,
  options: GuardedHttpOptions,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const body = request.body === undefined ? null : Buffer.from(request.body, 'utf8');
  const shared = {
    method: request.method,
    // The address, never the name: nothing after this line can resolve it again.
    host: address,
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    setDefaultHeaders: false,
    headers: headersOf(url, request, body),
    maxHeaderSize: maximumHeaderBytes,
    insecureHTTPParser: false,
    signal,
  };
  return new Promise((resolve, reject) => {
    const sent: ClientRequest =
      url.protocol === 'http:'
        ? plainRequest({ ...shared, agent: false })
        : secureRequest({
            ...shared,
            // An agent of its own: the global one may have been given a proxy by the environment.
            agent: new Agent({ keepAlive: false, maxCachedSessions: 0 }),
            // An IP address has no server name (RFC 6066 section 3); its certificate is checked for the address.
            servername: isIP(host) === 0 ? host : '',
            minVersion: 'TLSv1.2',
            // Given explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED cannot switch it off.
            rejectUnauthorized: true,
            ...(options.authorities === undefined ? {} : { ca: options.authorities }),
          });
    sent.on('error', reject);
    sent.once('response', (response) => {
      readAnswer(response, host, request.maximumBytes).then(resolve, (error: unknown) => {
        reject(error);
        sent.destroy();
      });
    });
    sent.end(body ?? undefined);
  });
}

function headersOf(url: URL, request: GuardedRequest, body: Buffer | null): Record<string, string | number> {
  return {
    host: url.host,
    accept: 'application/json',
    // A body of some bytes must not become one of gigabytes.
    'accept-encoding': 'identity',
    connection: 'close',
    ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.byteLength }),
    ...Object.fromEntries([...request.headers].map(([name, value]) => [name, value.reveal()])),
  };
}

async function readAnswer(
  response: IncomingMessage,
  host: string,
  maximumBytes: number,
): Promise<HttpResponse> {
  const status = response.statusCode ?? 0;
  if (status >= 300 && status < 400) {
    throw refused(
      `${host} must answer itself; it answered with the redirect ${status}, which is not followed.`,
    );
  }
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw refused(`The answer of ${host} must not be compressed; it is.`);
  const tooLong = () => refused(`The answer of ${host} must be at most ${maximumBytes} bytes; it is longer.`);
  if (Number(response.headers['content-length'] ?? 0) > maximumBytes) throw tooLong();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    total += chunk.byteLength;
    if (total > maximumBytes) throw tooLong();
    chunks.push(chunk);
  }
  return { status, body: Buffer.concat(chunks).toString('utf8') };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The code of a TLS, DNS or socket error: a constant of Node or OpenSSL. Their messages may quote the peer. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error) || !('code' in cause) || typeof cause.code !== 'string') return 'no code';
  return /^[A-Z][A-Z0-9_]{1,80}$/.test(cause.code) ? cause.code : 'no code';
}

function refused(message: string): KeyturnError {
  return new KeyturnError({
    code: 'HookRefused',
    message,
    hint: 'Name another address in the deployment file, or have the target answer otherwise.',
  });
}

/** Without a cause: Node's parser keeps the raw answer in its errors. */
function unreachable(host: string, what: string): KeyturnError {
  return new KeyturnError({ code: 'HookUnreachable', message: `${host} ${what}.`, retryable: true });
}
