/** A service's load balancer: one stable port, round robin over the healthy tasks, draining of those that go. */

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';

interface Target {
  readonly port: number;
  inFlight: number;
  /** Called when the last request of a draining target has ended. */
  drained: (() => void) | null;
}

export class LoadBalancer {
  readonly #server: Server;
  readonly #targets: Target[] = [];
  #next = 0;

  constructor() {
    this.#server = createServer((incoming, outgoing) => this.#forward(incoming, outgoing));
  }

  /** Listens on the port (0: any that is free) and returns it. */
  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  register(port: number): void {
    this.#targets.push({ port, inFlight: 0, drained: null });
  }

  /** Routes nothing more to the target, and resolves when its requests have ended, or after `limit` milliseconds. */
  async deregister(port: number, limit: number): Promise<void> {
    const index = this.#targets.findIndex((target) => target.port === port);
    const [target] = index < 0 ? [] : this.#targets.splice(index, 1);
    if (target === undefined || target.inFlight === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limit);
      target.drained = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const target = this.#targets[this.#next++ % Math.max(1, this.#targets.length)];
    if (target === undefined) {
      refuse(outgoing, 503);
      return;
    }
    target.inFlight += 1;
    outgoing.once('close', () => {
      target.inFlight -= 1;
      if (target.inFlight === 0) target.drained?.();
    });
    const { method, url, headers } = incoming;
    // A connection of its own for every request: a kept one may be closed by the task while the next request is
    // under way, which would look like a failure of the deployment.
    const upstream = request({
      host: '127.0.0.1',
      port: target.port,
      method,
      path: url,
      headers: { ...headers, connection: 'close' },
      agent: false,
    });
    upstream.on('response', (answer) => {
      const { connection: _, 'keep-alive': __, ...answerHeaders } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, answerHeaders);
      answer.on('error', () => outgoing.destroy());
      answer.pipe(outgoing);
    });
    upstream.on('error', () => refuse(outgoing, 502));
    outgoing.once('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }
}

/** Answers as an AWS load balancer does: 503 without a target, 502 when the target broke off. */
function refuse(outgoing: ServerResponse, status: 502 | 503): void {
  if (outgoing.headersSent) {
    outgoing.destroy();
    return;
  }
  outgoing.writeHead(status, { 'content-type': 'text/plain' });
  outgoing.end();
}
