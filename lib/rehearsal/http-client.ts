/** One HTTP exchange over kept connections. No retries: the traffic is there to see what a client would see. */
import { type Agent, request } from 'node:http';
import type { ClientRequest } from './behaviour.ts';

export interface HttpAnswer {
  readonly status: number;
  /** Parsed JSON; undefined when the body is none. */
  readonly body: unknown;
}

/** Bytes of an answer that are read. */
const maximumBytes = 1_048_576;

/**
 * @param deadline milliseconds for the whole exchange
 * @throws Error when there is no whole answer: refused, reset, too late, too long
 */
export function exchange(
  agent: Agent,
  base: string,
  what: ClientRequest,
  deadline: number,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const text = what.body === undefined ? null : JSON.stringify(what.body);
    const sent = request(
      new URL(what.path, base),
      {
        agent,
        method: what.method,
        headers: {
          accept: 'application/json',
          ...what.headers,
          ...(what.bearer === undefined ? {} : { authorization: `Bearer ${what.bearer}` }),
          ...(text === null
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        },
        signal: AbortSignal.timeout(deadline),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maximumBytes) sent.destroy(new Error('the answer is too long'));
          else chunks.push(chunk);
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: json(Buffer.concat(chunks).toString('utf8')) }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(text ?? undefined);
  });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
