/** A platform in the test's own process that does what the test tells it to. */
import { createServer, type Server } from 'node:http';
import { onTestFinished } from 'vitest';

export interface TinyPlatform {
  readonly url: string;
  /** The key that "signs" tokens: a token is good while it names this key. */
  key: string;
  /** Each of the next answers to a call is this status; afterwards as usual again. */
  fail(status: number, times: number): void;
  /** Calls to /me are held from now on; the function lets them go. */
  hold(): () => void;
  /** Answers with a body that is no JSON. */
  garbled: boolean;
  /** Cuts every connection without an answer. */
  cut: boolean;
  /** The most requests that were in work at one time. */
  readonly busiest: number;
  readonly requests: number;
  /** Tokens that were used while they were good, of all that it has given. */
  readonly used: ReadonlySet<string>;
  close(): Promise<void>;
}

type Writable<T> = { -readonly [Member in keyof T]: T[Member] };

export async function startTinyPlatform(): Promise<TinyPlatform> {
  const failing: number[] = [];
  let held: Promise<void> | null = null;
  let inWork = 0;
  let given = 0;
  const used = new Set<string>();
  const server: Server = createServer(async (request, response) => {
    state.requests += 1;
    inWork += 1;
    state.busiest = Math.max(state.busiest, inWork);
    response.on('close', () => {
      inWork -= 1;
    });
    request.resume();
    if (state.cut) return void request.socket.destroy();
    if (request.url === '/login') {
      given += 1;
      return void response.end(JSON.stringify({ token: `${state.key}-${given}` }));
    }
    if (held !== null) await held;
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const good = token.startsWith(`${state.key}-`);
    if (good) used.add(token);
    const status = failing.shift() ?? (good ? 200 : 401);
    response.writeHead(status).end(state.garbled ? 'no json' : '{}');
  });
  const state: Writable<TinyPlatform> = {
    url: '',
    key: 'one',
    cut: false,
    garbled: false,
    busiest: 0,
    requests: 0,
    used,
    fail(status: number, times: number) {
      for (let time = 0; time < times; time += 1) failing.push(status);
    },
    hold() {
      let release = () => {};
      held = new Promise((resolve) => {
        release = resolve;
      });
      return () => {
        held = null;
        release();
      };
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  state.url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  onTestFinished(() => state.close());
  return state;
}
