/** The least server that an SDK client can speak AWS JSON to: one service, every caller is the operator. */

import { createServer } from 'node:http';
import type { Caller, JsonObject, Service, WorldClock } from '../../../lib/rehearsal/endpoint/wire.ts';
import { AwsError } from '../../../lib/rehearsal/endpoint/wire.ts';

export const operator: Caller = { accessKeyId: 'AKIAOPERATOR', roleArn: null, functionArn: null };

export const realClock: WorldClock = {
  now: () => Date.now(),
  after(delay, action) {
    const timer = setTimeout(action, delay);
    return () => clearTimeout(timer);
  },
};

export async function serve(service: Service): Promise<{ config: object; stop: () => Promise<void> }> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify(body));
    };
    try {
      const input = JSON.parse(Buffer.concat(chunks).toString() || '{}') as JsonObject;
      answer(200, await service.handle(operation, input, operator));
    } catch (error) {
      if (error instanceof AwsError)
        answer(error.status, { ...error.members, __type: error.code, message: error.message });
      else answer(500, { __type: 'InternalFailure', message: String(error) });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    config: {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'AKIAOPERATOR', secretAccessKey: 'x' },
      maxAttempts: 1,
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Waits until `check` returns something other than undefined, at most `limit` milliseconds. */
export async function until<T>(
  check: () => T | undefined | Promise<T | undefined>,
  limit = 5000,
): Promise<T> {
  const end = Date.now() + limit;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
