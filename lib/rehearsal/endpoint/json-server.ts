/**
 * The endpoint's door: HTTP on the loopback interface, speaking awsJson 1.0 and 1.1 (POST /, `X-Amz-Target`). The
 * signature's credential scope says which service is meant and who calls; signatures are not verified.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { AwsError, type Caller, type Json, type JsonObject, type Service } from './wire.ts';

/** What happens to one call instead of, before or after its handling. */
export type Interception =
  | 'pass'
  /** Nothing is done; the error is the answer, or the connection is cut. */
  | { readonly failBefore: AwsError | 'reset' }
  /** It is done, then what `beforeCut` does; then the connection is cut before the answer. */
  | { readonly loseAnswer: true; readonly beforeCut?: () => Promise<void> };

/** Sees a body as it travels. */
export type Listener = (body: string, service: string, operation: string, caller: Caller) => void;

export interface JsonServerOptions {
  readonly services: readonly Service[];
  /** Who has this access key; null: nobody. */
  readonly callerOf: (accessKeyId: string) => Caller | null;
  /** @param connection the client's port: another one for each connection. */
  readonly onRequest?: (...call: [...Parameters<Listener>, connection: number]) => void;
  readonly onResponse?: Listener;
  /** @throws AwsError to refuse the call. */
  readonly authorise?: (caller: Caller, service: string, operation: string, input: JsonObject) => void;
  readonly intercept?: (
    service: string,
    operation: string,
    input: JsonObject,
    caller: Caller,
  ) => Promise<Interception>;
  /** Requests without `X-Amz-Target` (REST); default: 404. */
  readonly fallback?: (
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ) => void | Promise<void>;
  /** Told when the endpoint itself fails (answered with HTTP 500). Default: the stack goes to stderr. */
  readonly onDefect?: (error: unknown) => void;
}

export interface JsonServer {
  /** For instance `http://127.0.0.1:41234`. */
  readonly url: string;
  /** Adds a service after the start; one with the same signing name is replaced. */
  register(service: Service): void;
  /** Stops listening and cuts open connections. */
  close(): Promise<void>;
}

/** The parts of a SigV4 credential scope: `<access key id>/<date>/<region>/<service>/aws4_request`. */
export interface Credential {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly signingName: string;
}

interface Call {
  readonly service: Service;
  readonly operation: string;
  readonly caller: Caller;
}

/** What to write; null: cut the connection. */
type Answer = { readonly status: number; readonly body: JsonObject } | null;

/** Starts a server. @param port on 127.0.0.1; default 0: any free one. */
export async function startJsonServer(options: JsonServerOptions, port = 0): Promise<JsonServer> {
  const services = new Map(options.services.map((service) => [service.signingName, service]));
  const server = createServer((request, response) => {
    serve(options, services, request, response).catch((error: unknown) => {
      reportDefect(options, error);
      response.destroy();
    });
  });
  // Longer than any pause between two calls of a test, so that a client never writes to a closing connection.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    register: (service) => void services.set(service.signingName, service),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @returns null when the header is not a SigV4 one. */
export function parseCredential(authorization: string | undefined): Credential | null {
  const scope = /^AWS4-HMAC-SHA256 .*?Credential=([^,\s]+)/.exec(authorization ?? '')?.[1]?.split('/');
  if (scope?.length !== 5 || scope[4] !== 'aws4_request') return null;
  const [accessKeyId = '', date = '', region = '', signingName = ''] = scope;
  return { accessKeyId, date, region, signingName };
}

async function serve(
  options: JsonServerOptions,
  services: ReadonlyMap<string, Service>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await bodyOf(request);
  const target = request.headers['x-amz-target'];
  if (typeof target !== 'string' || request.method !== 'POST' || request.url !== '/') {
    if (options.fallback) await options.fallback(request, response, body);
    else
      write(
        response,
        'application/json',
        failed(new AwsError('UnknownOperationException', 'Not found.', 404)),
      );
    return;
  }
  const type = request.headers['content-type'] ?? 'application/x-amz-json-1.1';
  let call: Call;
  try {
    call = identify(options, services, request.headers.authorization, target);
  } catch (error) {
    write(response, type, refused(options, error));
    return;
  }
  const { service, operation, caller } = call;
  options.onRequest?.(body, service.signingName, operation, caller, request.socket.remotePort ?? 0);
  const answer = await answerTo(options, call, body);
  if (answer === null) {
    response.destroy();
    return;
  }
  options.onResponse?.(JSON.stringify(answer.body), service.signingName, operation, caller);
  write(response, type, answer);
}

/** @throws AwsError for a request that no service can be found for. */
function identify(
  options: JsonServerOptions,
  services: ReadonlyMap<string, Service>,
  authorization: string | undefined,
  target: string,
): Call {
  const credential = parseCredential(authorization);
  if (credential === null)
    throw new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const caller = options.callerOf(credential.accessKeyId);
  if (caller === null) {
    throw new AwsError(
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  }
  const service = services.get(credential.signingName);
  const operation = target.slice(target.lastIndexOf('.') + 1);
  if (service === undefined) {
    throw new AwsError(
      'UnknownOperationException',
      `No service here is signed for as ${credential.signingName}.`,
    );
  }
  return { service, operation, caller };
}

async function answerTo(options: JsonServerOptions, call: Call, body: string): Promise<Answer> {
  const { service, operation, caller } = call;
  let lost: Exclude<Interception, string | { failBefore: unknown }> | null = null;
  try {
    const input = parsed(body);
    const interception = await options.intercept?.(service.signingName, operation, input, caller);
    if (typeof interception === 'object' && 'failBefore' in interception) {
      if (interception.failBefore === 'reset') return null;
      throw interception.failBefore;
    }
    if (typeof interception === 'object') lost = interception;
    options.authorise?.(caller, service.signingName, operation, input);
    const output = await service.handle(operation, input, caller);
    if (lost === null) return { status: 200, body: output };
  } catch (error) {
    // A refusal is an answer as well, and gets lost like one.
    const answer = refused(options, error);
    if (lost === null) return answer;
  }
  await lost.beforeCut?.();
  return null;
}

function parsed(body: string): JsonObject {
  const malformed = () => new AwsError('SerializationException', 'The body is not a JSON object.');
  let value: Json;
  try {
    value = JSON.parse(body === '' ? '{}' : body);
  } catch {
    // The parser's own message would repeat the body.
    throw malformed();
  }
  if (!isObject(value)) throw malformed();
  return value;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(options: JsonServerOptions, error: unknown): { status: number; body: JsonObject } {
  if (error instanceof AwsError) return failed(error);
  reportDefect(options, error);
  return failed(new AwsError('InternalServiceError', 'An error occurred on the server side.', 500));
}

function failed(error: AwsError): { status: number; body: JsonObject } {
  return { status: error.status, body: { ...error.members, __type: error.code, Message: error.message } };
}

function reportDefect(options: JsonServerOptions, error: unknown): void {
  if (options.onDefect) options.onDefect(error);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
}

function write(response: ServerResponse, type: string, answer: { status: number; body: JsonObject }): void {
  const text = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'x-amzn-RequestId': randomUUID(),
  });
  response.end(text);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}
