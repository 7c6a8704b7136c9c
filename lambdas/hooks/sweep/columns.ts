/** Which columns a sweep goes over, and how their ciphertexts are laid out. */
import * as z from 'zod/mini';
import { codecIds, codecOf } from '../../ciphers/registry.ts';
import type { BoundCodec } from '../../contract/ciphers.ts';

/** PostgreSQL documentation, 4.1.1: an unquoted identifier has at most 63 bytes; ours are always quoted. */
const identifier = /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/;
const Identifier = z.string().check(z.regex(identifier, 'must be the name of a column'));

export const Column = z.strictObject({
  /** `table`, or `schema.table`. Without a schema: `public`. */
  table: z
    .string()
    .check(
      z.regex(
        /^([A-Za-z_][A-Za-z0-9_$]{0,62}\.)?[A-Za-z_][A-Za-z0-9_$]{0,62}$/,
        'must be the name of a table, with its schema where that is not public',
      ),
    ),
  /** The column with the ciphertext: text, varchar or bytea. */
  column: Identifier,
  /** The columns of a unique index, in the order in which the sweep goes along it. Default: `id`. */
  key: z._default(z.array(Identifier).check(z.minLength(1), z.maxLength(4)), ['id']),
  /** The codec of the ciphertexts: its id, and its options. See `lambdas/ciphers`. */
  codec: z.looseObject({ id: z.string() }),
  /** The column with the number of a row's key, for platforms that tag rows. Default: none. */
  version: z.optional(Identifier),
  /** Columns whose texts, joined by `|`, the platform authenticates with the ciphertext. Default: none. */
  additionalData: z.optional(z.array(Identifier).check(z.minLength(1))),
});
export type Column = z.infer<typeof Column>;

/** @returns the sentence of the first rule that a schema cannot say and that a column breaks, or null. */
export function columnBreaks(column: Column): string | null {
  const { table, key, version, additionalData = [] } = column;
  const { id, ...options } = column.codec;
  const codec = codecOf(id);
  if (codec === undefined)
    return `the codec of ${table} must be one of ${codecIds.join(', ')}; received "${id}".`;
  const parsed = codec.parse(options);
  if (!parsed.ok) return `the codec of ${table}: ${parsed.broken[0] ?? 'it breaks a rule.'}`;
  if (version !== undefined && additionalData.includes(version))
    return `the additionalData of ${table} must not name ${version}: it changes with the key.`;
  return new Set(key).size === key.length ? null : `the key of ${table} must name each column once.`;
}

/** For columns that `columnBreaks` has nothing against. */
export function codecOfColumn({ codec: { id, ...options } }: Column): BoundCodec {
  const parsed = codecOf(id)?.parse(options);
  if (parsed?.ok) return parsed.hook;
  throw new TypeError(`there is no codec ${id}`);
}

/** What reports call it. */
export function targetOf({ table, column }: Column): string {
  return `${table}.${column}`;
}

/** Names are quoted whole: what the deployment file says is never read as SQL. */
export function quoted(name: string): string {
  return name
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

export function tableOf({ table }: Column): string {
  return quoted(table.includes('.') ? table : `public.${table}`);
}
