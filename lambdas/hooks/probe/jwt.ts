import { createHmac } from 'node:crypto';
import * as z from 'zod/mini';
import { defineProbe } from '../../contract/hooks.ts';
import { addressBreaks } from './address.ts';
import { target } from './answer.ts';
import { exchange } from './exchange.ts';

const hashes = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' } as const;

/** Seconds that a probe's token lives: long enough for one round of probes and a clock a little off. */
const lifetime = 120;

const Probe = z.strictObject({
  kind: z.literal('jwt'),
  ...target,
  /** The variable that holds the key. */
  variable: z.string(),
  /** Default: HS256. */
  algorithm: z._default(z.enum(['HS256', 'HS384', 'HS512']), 'HS256'),
  /** Claims of the probe's token; `iat` and `exp` are added. Name a subject that may do nothing. */
  claims: z.record(z.string(), z.unknown()),
  /** Request header that carries the token after `Bearer `. Default: authorization. */
  header: z._default(z.string(), 'authorization'),
});
type Probe = z.infer<typeof Probe>;

/** A GET with a short-lived token that is signed with the key itself: does the platform verify with this key? */
export const hook = defineProbe<Probe>({
  kind: 'jwt',
  probe: Probe,

  check(probe) {
    return probe.url === undefined
      ? 'probe must have the field url, or path with the deployment’s url.'
      : addressBreaks('probe.url', probe.url);
  },

  async ask(probe, document, ports) {
    const issuedAt = Math.floor(ports.clock.now().getTime() / 1000);
    const token = signed(
      { ...probe.claims, iat: issuedAt, exp: issuedAt + lifetime },
      document.value(probe.variable).reveal(),
      probe.algorithm,
    );
    const headers = new Map([[probe.header, `Bearer ${token}`]]);
    return exchange({ ...probe, url: probe.url ?? '', headers }, ports);
  },
});

/** Compact serialisation of a JWS (RFC 7515 section 3.1). */
function signed(claims: Record<string, unknown>, key: string, algorithm: keyof typeof hashes): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: algorithm, typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${createHmac(hashes[algorithm], key).update(text).digest('base64url')}`;
}
