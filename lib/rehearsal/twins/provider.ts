/**
 * A stand-in of the provider of API keys: it knows which keys are alive, and a person makes and revokes them.
 * Several may be alive at once, as at the real one.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface Provider {
  /** Where it answers, without a slash at the end. */
  readonly url: string;
  /** A person makes a key in the provider's console. */
  issue(key: string): void;
  /** A person revokes a key there. Revoking twice does no harm. */
  revoke(key: string): void;
  /** Answers the requests in flight, then stops listening. */
  close(): Promise<void>;
}

/** What each route says to a live key. */
const answers: ReadonlyMap<string, object> = new Map([
  ['GET /v1/models', { data: [{ type: 'model', id: 'stand-in' }], has_more: false }],
  ['POST /v1/messages', { type: 'message', role: 'assistant', content: [{ type: 'text', text: 'done' }] }],
]);

/** @param port on loopback. Default: any free one. */
export async function startProvider(port = 0): Promise<Provider> {
  const alive = new Set<string>();
  const server = createServer((request, response) => {
    // The body does not matter, but an unread one would hold the connection.
    request.resume();
    request.on('end', () => respond(request, response, alive));
  });
  // Longer than any pause of a client: a connection that ends just as it is used again looks like an outage.
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://127.0.0.1:${listening}`,
    issue: (key) => void alive.add(key),
    revoke: (key) => void alive.delete(key),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function respond(request: IncomingMessage, response: ServerResponse, alive: ReadonlySet<string>): void {
  const answer = answers.get(`${request.method} ${request.url?.split('?', 1)[0]}`);
  const key = request.headers['x-api-key'];
  const [status, body] =
    typeof key !== 'string' || !alive.has(key)
      ? [401, { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } }]
      : answer === undefined
        ? [404, { type: 'error', error: { type: 'not_found_error', message: 'no such route' } }]
        : [200, answer];
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
