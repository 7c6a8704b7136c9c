/** Lists in pages: NextToken holds where the next page begins. */
import { AwsError, type JsonObject } from '../wire.ts';

/**
 * @param rest the answer's NextToken, or nothing on the last page.
 * @throws AwsError InvalidNextTokenException for a token that no page gave out.
 */
export function page<T>(
  all: readonly T[],
  size: number,
  token: string | undefined,
): { items: T[]; rest: JsonObject } {
  const start = token === undefined ? 0 : decoded(token);
  const end = start + size;
  return {
    items: all.slice(start, end),
    rest: end < all.length ? { NextToken: Buffer.from(`from:${end}`).toString('base64') } : {},
  };
}

function decoded(token: string): number {
  const start = /^from:(\d+)$/.exec(Buffer.from(token, 'base64').toString())?.[1];
  if (start === undefined) throw new AwsError('InvalidNextTokenException', 'The NextToken value is invalid.');
  return Number(start);
}
