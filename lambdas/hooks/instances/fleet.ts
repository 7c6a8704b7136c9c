/** The members of a list of instances behind an HTTP API, as the deployment file declares them. */
import * as z from 'zod/mini';
import { concurrencyLimit } from '../../contract/stage-description.ts';
import { Answer } from '../probe/answer.ts';

/** JSON pointer (RFC 6901). */
const Pointer = z.string().check(z.startsWith('/'));
/** Path at `url`; it may have a query. */
const Path = z.string().check(z.startsWith('/'));
/** Path in which `{id}` stands for the instance. */
const InstancePath = z.string().check(
  z.startsWith('/'),
  z.refine((path) => path.includes('{id}'), 'must hold {id}'),
);
const States = z.array(z.string()).check(z.minLength(1));

/** What authorises the calls. The functions of the stages read it; it never leaves the adapter. */
const Credential = z.strictObject({
  /** Name or full ARN of the secret that holds it. */
  secret: z.string().check(z.minLength(1), z.maxLength(2048)),
  /** Member of its JSON value. Left out: the whole value. */
  member: z.optional(z.string()),
  /** ARN of the customer key that it is encrypted with. Left out: the account's own key. */
  kmsKey: z.optional(z.string()),
  /** Request header. Default: authorization. */
  header: z._default(
    z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be a header’s name')),
    'authorization',
  ),
  /** What stands before the value in the header, with its space. Default: `Bearer `. */
  prefix: z._default(z.string(), 'Bearer '),
});
export type Credential = z.infer<typeof Credential>;

export const Fleet = z.strictObject({
  kind: z.literal('http'),
  /** Where the platform's API answers. Default: the deployment's `url`. */
  url: z.string(),
  credential: Credential,
  list: z.strictObject({
    path: Path,
    /** The array of instances in an answer. */
    items: Pointer,
    /** The id within an instance. */
    id: Pointer,
    /** The state within an instance, and those in which it holds a token and must be renewed. */
    state: Pointer,
    active: States,
    /** How the next page is asked for. Left out: the list has one page. */
    pages: z.optional(
      z.union([
        z.strictObject({
          /** The query parameter that takes the cursor. */
          cursor: z.string(),
          /** Where an answer holds the next cursor; none, null or blank: this was the last page. */
          next: Pointer,
        }),
        z.strictObject({
          /** The query parameter that takes the page's number; a page without instances is behind the last one. */
          number: z.string(),
          /** Number of the first page, 0 or 1. Default: 1. */
          first: z._default(z.int().check(z.minimum(0), z.maximum(1)), 1),
        }),
      ]),
    ),
  }),
  /** POST that redeploys one instance; any 2xx or 409 (it is under way) is good. */
  redeploy: z.strictObject({ path: InstancePath }),
  /** GET that tells one instance's state; 404 means that it is gone. */
  status: z.strictObject({
    path: InstancePath,
    state: Pointer,
    up: States,
    starting: States,
    failed: States,
  }),
  /**
   * GET that tells whether the instance holds a token of the current key. An instance that runs and does not is
   * redeployed.
   */
  confirm: z.strictObject({
    path: InstancePath,
    accepted: Answer,
    /** Where the answer tells when the token was issued: ISO 8601, or seconds since 1970. Left out: not told. */
    issuedAt: z.optional(Pointer),
  }),
  /**
   * A probe, in whose address and claims `{id}` stands for the instance: with the new value it must be accepted,
   * with the old one refused. Left out: the probe of the secret alone tells.
   */
  token: z.optional(z.looseObject({ kind: z.string() })),
  /** Instances that are redeployed at once. Default: 20, the plan's number. Above 40 the map is a distributed one. */
  concurrency: z.optional(z.int().check(z.minimum(1), z.maximum(concurrencyLimit))),
});
export type Fleet = z.infer<typeof Fleet>;
