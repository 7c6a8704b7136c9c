import { KeyturnError } from '../contract/errors.ts';
import type { Http } from '../contract/ports.ts';

/** HTTP by Node's fetch: no redirect is followed, the exchange has a deadline, the body a limit. */
export const http: Http = {
  async send({ method, url, headers, deadline, maximumBytes }) {
    try {
      const response = await fetch(url, {
        method,
        redirect: 'manual',
        headers: [...headers].map(([name, value]): [string, string] => [name, value.reveal()]),
        signal: AbortSignal.timeout(deadline),
      });
      const body = await limited(response, maximumBytes);
      const retryAfter = secondsOf(response.headers.get('retry-after'));
      return { status: response.status, body, ...(retryAfter === null ? {} : { retryAfter }) };
    } catch (cause) {
      if (cause instanceof KeyturnError) throw cause;
      // The text of a fetch error may quote a header that it refuses.
      const name = cause instanceof Error ? cause.name : 'an unknown error';
      throw new KeyturnError({
        code: 'ProbeInconclusive',
        message: `${method} ${new URL(url).origin} gave no complete answer in ${deadline} ms (${name}).`,
        retryable: true,
        cause,
      });
    }
  },
};

/** Retry-After in seconds; a date (RFC 9110 section 10.2.3) counts as not told, for clocks differ. */
function secondsOf(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null;
}

async function limited(response: Response, maximumBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body ?? []) {
    total += chunk.byteLength;
    if (total > maximumBytes) {
      throw new KeyturnError({
        code: 'ProbeInconclusive',
        message: `The answer must be at most ${maximumBytes} bytes; it is longer.`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
