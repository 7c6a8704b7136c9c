/** The members of a re-encryption by HTTP, as the deployment file declares them. */
import * as z from 'zod/mini';
import { Credential } from '../../contract/credential.ts';

/** JSON pointer (RFC 6901). */
const Pointer = z.string().check(z.startsWith('/', 'must be a JSON pointer, a slash first'));
/** JSON pointer of which one segment may be `*`: every member of an array or object there. */
const ManyPointer = Pointer.check(
  z.refine(
    (pointer) => pointer.split('/').filter((segment) => segment === '*').length <= 1,
    'must have at most one segment *',
  ),
);
const HeaderName = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be a header’s name in lower case'));

/**
 * What an answer must say. Every match of the pointer must be equal, and there must be one. A list is equal to its
 * length.
 */
const Rule = z.strictObject({
  pointer: ManyPointer,
  equals: z.union([z.string(), z.number(), z.boolean(), z.null()]),
});
export type Rule = z.infer<typeof Rule>;
const Rules = z.array(Rule).check(z.minLength(1), z.maxLength(10));

/** Header that carries what was read or given at the login. */
const header = {
  /** Default: authorization. */
  header: z._default(HeaderName, 'authorization'),
  /** What stands before it, with its space. Default: `Bearer `. */
  prefix: z._default(z.string(), 'Bearer '),
};

const Auth = z.union([
  /** A value of another secret. The member `{tenant}` is that of the tenant's name: each tenant has its own. */
  z.strictObject({
    credential: z.union([Credential, z.strictObject({ ...Credential.shape, member: z.literal('{tenant}') })]),
    ...header,
  }),
  /** A token that a login gives. */
  z.strictObject({
    login: z.strictObject({
      /** POST. */
      url: z.string(),
      /** JSON body: texts, and credentials that are read from other secrets. */
      body: z.record(z.string(), z.union([z.string(), Credential])),
      /** Where the answer holds the token. */
      token: Pointer,
    }),
    ...header,
  }),
]);
export type Auth = z.infer<typeof Auth>;

/** A tenant's id as it may stand in a path, a state and a log. */
export const TenantId = z
  .string()
  .check(
    z.regex(/^[A-Za-z0-9][A-Za-z0-9._:@-]{0,99}$/, 'must be 1–100 of the characters A–Z a–z 0–9 . _ : @ -'),
  );

const Tenants = z.union([
  z.array(TenantId).check(z.minLength(1), z.maxLength(1000)),
  /** A list of the platform, read anew for each slice. */
  z.strictObject({
    /** GET; on the host of `url`. */
    path: z.string().check(z.regex(/^\/(?![/\\])/, 'must begin with one slash')),
    /** The array of tenants in an answer. */
    items: Pointer,
    /** The id within a tenant. Left out: the item is the id. */
    id: z.optional(Pointer),
    /** Left out: the list has one page. */
    pages: z.optional(
      z.strictObject({
        /** The query parameter that takes what `next` holds. */
        parameter: z.string().check(z.regex(/^[A-Za-z0-9_.~-]{1,64}$/, 'must be the name of a parameter')),
        /** Where an answer holds it; none, null, false or blank: this was the last page. */
        next: Pointer,
      }),
    ),
  }),
]);
export type Tenants = z.infer<typeof Tenants>;

/** Where an answer tells counts. */
const Report = z.strictObject({
  /**
   * An array or object of stores, or a pointer to each store, which is then named by its last segment. Left out:
   * the answer is about one.
   */
  stores: z.optional(z.union([Pointer, z.array(Pointer).check(z.minLength(1), z.maxLength(16))])),
  /** The name within a store. Left out: the member's name, where `stores` is an object. */
  name: z.optional(Pointer),
  /** The other pointers begin at a store. */
  total: z.optional(Pointer),
  /** What this call moved. */
  moved: z.optional(Pointer),
  /** What is not under the new key after this call; several are added up. */
  left: z.optional(z.array(Pointer).check(z.minLength(1))),
  /** A list of what the platform could not move. */
  setAside: z.optional(
    z.strictObject({
      /** Whether the list lies within each store or once in the answer. Default: store. */
      in: z._default(z.enum(['store', 'answer']), 'store'),
      items: Pointer,
      /** The id within an item. Left out: the item is the id. */
      id: z.optional(Pointer),
      /** With `in: answer`: the store's name within an item. */
      store: z.optional(Pointer),
    }),
  ),
});
export type Report = z.infer<typeof Report>;

/** Members of a JSON body; `{tenant}` in a text stands for the tenant. */
const Body = z.record(z.string(), z.json());

export const HttpReencryption = z.strictObject({
  kind: z.literal('http'),
  /** https, or http on a loopback address. `{tenant}` stands for the tenant in path and query. */
  url: z.string(),
  /** Default: POST. */
  method: z._default(z.enum(['GET', 'POST']), 'POST'),
  /** Nothing secret: that is what `auth` is for. `{tenant}` stands for the tenant. */
  headers: z._default(z.record(HeaderName, z.string()), {}),
  body: z.optional(Body),
  auth: z.optional(Auth),
  /** When nothing is left to move: all of them. The call is repeated until they hold. */
  complete: Rules,
  /** Calls for one tenant, 1–1000, until `complete` must hold. Default: 10. */
  calls: z._default(z.int().check(z.minimum(1), z.maximum(1000)), 10),
  /** Seconds between two calls, 0–300. Default: 2. */
  pauseSeconds: z._default(z.number().check(z.minimum(0), z.maximum(300)), 2),
  /** Seconds for one call, 1–600. Default: 60. */
  timeoutSeconds: z._default(z.int().check(z.minimum(1), z.maximum(600)), 60),
  /** The call is made for each. Left out: once for all. */
  tenants: z.optional(Tenants),
  /** The call that changes nothing, and tells what would be moved. */
  dryRun: z.optional(
    z.strictObject({
      /** Members that replace or join those of `body`. */
      body: z.optional(Body),
      /** Headers that replace or join those of `headers`. */
      headers: z._default(z.record(HeaderName, z.string()), {}),
      /** True: made before the first real call for each tenant, whose answer must be as declared. Default: false. */
      first: z._default(z.boolean(), false),
      /** When its answer says that nothing is left. */
      complete: Rules,
      /** As `report.left`, for its answer. Default: that. */
      left: z.optional(z.array(Pointer).check(z.minLength(1))),
    }),
  ),
  report: z.optional(Report),
  /** Names the data in reports where the answer has no stores. Default: the host of `url`. */
  target: z.optional(
    z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'must be 1–40 of A–Z a–z 0–9 . _ -')),
  ),
  /** Private ranges that the names may lead to, as CIDRs. Default: none. */
  allowPrivate: z._default(z.array(z.string()), []),
});
export type HttpReencryption = z.infer<typeof HttpReencryption>;
