import * as z from 'zod/mini';

/** One secret of a platform: what its document says of it, as data. */
const CatalogSecret = z.strictObject({
  class: z.string(),
  /** What the platform's document warns of, in our words. */
  note: z.string(),
  /** Options of the class; a deployment may override each member. */
  options: z.record(z.string(), z.unknown()),
  /** How to probe a value at the platform. Left out: the document names nothing that could. */
  probe: z.optional(z.looseObject({ kind: z.string() })),
});

/** A platform: one file in this folder, named after its id. */
export const Catalog = z.strictObject({
  platform: z.string(),
  title: z.string(),
  /** The document that the entries restate. */
  document: z.string(),
  secrets: z.record(z.string(), CatalogSecret),
  /** Variables that must not be set anywhere -> why, as a clause. Default: none. */
  forbidden: z._default(z.record(z.string(), z.string()), {}),
});
export type Catalog = z.infer<typeof Catalog>;
