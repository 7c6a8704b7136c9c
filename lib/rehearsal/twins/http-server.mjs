/** The HTTP side of a twin: routes, JSON bodies, and an end that loses no request. */
import { createServer } from 'node:http';

/**
 * @typedef {object} Received
 * @property {string | null} bearer what follows `Bearer ` in the authorization header
 * @property {Readonly<Record<string, unknown>>} body the JSON object that was sent; empty when none was
 * @property {Readonly<Record<string, string>>} parts the parts of the path that the route names with a colon
 * @property {URLSearchParams} query
 * @property {(name: string) => string} header a request header; blank when there is none
 *
 * @typedef {object} Reply
 * @property {number} status
 * @property {object} body sent as JSON
 *
 * @typedef {(received: Received) => Reply | Promise<Reply>} Handler
 */

/** Bytes of a request body; the twins' longest is a prompt. */
const maximumBody = 65_536;

/** @type {Reply} */
export const notFound = { status: 404, body: { error: 'no such route' } };

/**
 * Listens on loopback and says so on stdout. SIGTERM, which ECS sends before it kills a task, stops the
 * listening; requests in flight are answered, then the process ends with code 0.
 *
 * @param {{ twin: string, port: number, routes: Readonly<Record<string, Handler>> }} options routes are
 *   keyed by method and path, `GET /healthz`; a part that begins with a colon stands for any, `GET /items/:id`
 */
export function serve({ twin, port, routes }) {
  let draining = false;
  const server = createServer(async (request, response) => {
    const reply = await answer(request, routes);
    const text = JSON.stringify(reply.body);
    response.writeHead(reply.status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
      // A kept connection would hold the process open for as long as its client likes.
      ...(draining ? { connection: 'close' } : {}),
    });
    response.end(text);
  });
  server.on('error', (error) => {
    process.stderr.write(`${twin}: cannot listen on port ${port}: ${error.message}.\n`);
    process.exit(1);
  });
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    const listening = typeof address === 'object' && address !== null ? address.port : port;
    process.stdout.write(`${twin}: listening on http://127.0.0.1:${listening}\n`);
  });
  process.once('SIGTERM', () => {
    draining = true;
    server.close(() => process.exit(0));
  });
}

/**
 * Whether a member of a body is a text that says something.
 *
 * @param {unknown} value
 * @returns {value is string}
 */
export function isText(value) {
  return typeof value === 'string' && value !== '';
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @param {Readonly<Record<string, Handler>>} routes
 * @returns {Promise<Reply>}
 */
async function answer(request, routes) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  const found = routeOf(`${request.method} ${pathname}`, routes);
  if (found === null) return notFound;
  try {
    const text = await bodyOf(request);
    if (text === null) return { status: 413, body: { error: `a body may have ${maximumBody} bytes` } };
    const body = text === '' ? {} : objectOf(text);
    if (body === null) return { status: 400, body: { error: 'the body must be a JSON object' } };
    return await found.handler({
      bearer: bearerOf(request.headers.authorization),
      body,
      parts: found.parts,
      query: searchParams,
      header: (name) => String(request.headers[name] ?? ''),
    });
  } catch {
    // What was caught may quote its input: a token, a key.
    return { status: 500, body: { error: 'internal error' } };
  }
}

/**
 * @param {string} asked method and path
 * @param {Readonly<Record<string, Handler>>} routes
 * @returns {{ handler: Handler, parts: Record<string, string> } | null}
 */
function routeOf(asked, routes) {
  if (Object.hasOwn(routes, asked)) return { handler: routes[asked], parts: {} };
  const given = asked.split('/');
  for (const [route, handler] of Object.entries(routes)) {
    const wanted = route.split('/');
    const fits = (/** @type {string} */ part, /** @type {number} */ index) =>
      part.startsWith(':') ? given[index] !== '' : part === given[index];
    if (wanted.length !== given.length || !wanted.every(fits)) continue;
    const named = wanted.flatMap((part, index) =>
      part.startsWith(':') ? [[part.slice(1), given[index]]] : [],
    );
    return { handler, parts: Object.fromEntries(named) };
  }
  return null;
}

/**
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<string | null>} null when it is too long
 */
async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > maximumBody) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * @param {string} text
 * @returns {Record<string, unknown> | null}
 */
function objectOf(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
 *
 * @param {string | undefined} header
 * @returns {string | null}
 */
function bearerOf(header) {
  return /^Bearer +(\S+)$/i.exec(header ?? '')?.[1] ?? null;
}
