/** How a platform lays out a ciphertext of AES-GCM in its column: declared, then read and written by that. */
import * as z from 'zod/mini';
import type { Poison, Stored } from '../contract/ciphers.ts';
import { type Sealed, tagBytes } from './gcm.ts';
import type { Parts } from './ring-cipher.ts';
import { decode, encode, encodedLength, isCutOff, TextEncoding } from './text-encoding.ts';

/** A safe integer of that many digits stays exact. */
const mostDigits = 15;

const Fields = z.strictObject({
  /** `raw`: the bytes themselves; for columns of bytes, and then for every segment. */
  encoding: z.union([z.literal('raw'), TextEncoding]),
  /** Joined without anything between, then encoded as one. `version` is one byte, 0–255. */
  fields: z.array(z.enum(['version', 'nonce', 'tag', 'ciphertext'])).check(z.minLength(1)),
});
type Fields = z.infer<typeof Fields>;

/**
 * The segments of a stored value, in order: a fixed text, a version in decimal digits, or encoded fields. So
 * `iv:tag:data` in hex is fields, text, fields, text, fields; Go's `Seal(nonce, nonce, …)` is one segment of
 * raw nonce, ciphertext, tag.
 */
export const Layout = z
  .array(
    z.union([
      z.strictObject({ text: z.string().check(z.regex(/^[\x20-\x7e]+$/)) }),
      z.strictObject({ version: z.literal('decimal') }),
      Fields,
    ]),
  )
  .check(z.minLength(1), z.maxLength(16));
export type Layout = z.infer<typeof Layout>;
type Segment = Layout[number];

/** What a stored value consists of, its fixed texts aside. */
export interface GcmParts extends Parts, Sealed {}

export interface BoundLayout {
  /** True: values are bytes, not text. */
  readonly raw: boolean;
  readonly carriesVersion: 'byte' | 'decimal' | null;
  /** Of an empty plain text: bytes or characters. */
  readonly leastLength: number;
  read(stored: Stored): GcmParts | Poison;
  write(parts: GcmParts): Stored;
}

/** @returns the sentence of the first rule that a schema cannot say and that is broken, or null. */
export function layoutBreaks(layout: Layout): string | null {
  const fields = layout.flatMap((segment) => ('fields' in segment ? segment.fields : []));
  for (const field of ['nonce', 'tag', 'ciphertext']) {
    const count = fields.filter((other) => other === field).length;
    if (count !== 1) return `layout must have ${field} exactly once; it has it ${count} times.`;
  }
  const decimals = layout.filter((segment) => 'version' in segment).length;
  if (decimals + fields.filter((field) => field === 'version').length > 1) {
    return 'layout must have version at most once.';
  }
  const encodings = layout.flatMap((segment) => ('fields' in segment ? segment.encoding : []));
  if (encodings.includes('raw') && encodings.some((encoding) => encoding !== 'raw')) {
    return 'layout must have all fields raw, or none.';
  }
  return decimalBreaks(layout);
}

function decimalBreaks(layout: Layout): string | null {
  const at = layout.findIndex((segment) => 'version' in segment);
  if (at === -1) return null;
  if (at > bodyOf(layout)) return 'layout must have the decimal version before the ciphertext.';
  const next = layout[at + 1];
  return next !== undefined && 'text' in next && /^\D/.test(next.text)
    ? null
    : 'layout must have a text that begins with no digit after the decimal version.';
}

function bodyOf(layout: Layout): number {
  return layout.findIndex((segment) => 'fields' in segment && segment.fields.includes('ciphertext'));
}

interface Found {
  version: number | undefined;
  nonce: Buffer;
  tag: Buffer;
  ciphertext: Buffer;
}

/** @param layout keeps the rules of `layoutBreaks`. */
export function bindLayout(layout: Layout, nonceBytes: number): BoundLayout {
  const sizes = { version: 1, nonce: nonceBytes, tag: tagBytes, ciphertext: 0 };
  const raw = layout.some((segment) => 'fields' in segment && segment.encoding === 'raw');
  const at = bodyOf(layout);
  const front = layout.slice(0, at).map(measured);
  const body = layout.slice(at, at + 1).map(measured);
  const back = layout.slice(at + 1).map(measured);
  const backLength = total(back);
  const bodyLength = total(body);

  function measured(segment: Segment): { readonly segment: Segment; readonly length: number } {
    if ('text' in segment) return { segment, length: segment.text.length };
    if ('version' in segment) return { segment, length: 1 };
    const bytes = segment.fields.reduce((sum, field) => sum + sizes[field], 0);
    const { encoding } = segment;
    return { segment, length: encoding === 'raw' ? bytes : encodedLength(bytes, encoding) };
  }

  function read(stored: Stored): GcmParts | Poison {
    const source = raw || typeof stored === 'string' ? stored : stored.toString('latin1');
    const found: Found = { version: undefined, nonce: none, tag: none, ciphertext: none };
    let from = 0;
    for (const { segment, length } of front) {
      const end = 'version' in segment ? endOfDigits(source, from) : from + length;
      const poison = take(segment, source, from, end, found);
      if (poison !== null) return poison;
      from = end;
    }
    const bodyEnd = source.length - backLength;
    if (bodyEnd < from) return 'truncated';
    for (const { segment } of body) {
      const poison = take(segment, source, from, bodyEnd, found);
      if (poison !== null) return poison;
    }
    from = bodyEnd;
    for (const { segment, length } of back) {
      const poison = take(segment, source, from, from + length, found);
      if (poison !== null) return poison;
      from += length;
    }
    return found;
  }

  /** Reads one segment into `found`. */
  function take(segment: Segment, source: Stored, from: number, end: number, found: Found): Poison | null {
    if ('text' in segment) {
      const text = textOf(source, from, end);
      if (text === segment.text) return null;
      return segment.text.startsWith(text) ? 'truncated' : 'malformed';
    }
    if ('version' in segment) {
      const digits = textOf(source, from, end);
      if (!/^(?:0|[1-9]\d*)$/.test(digits)) return from === source.length ? 'truncated' : 'malformed';
      found.version = Number(digits);
      return null;
    }
    const bytes = decoded(segment, source, from, end);
    if (typeof bytes === 'string') return bytes;
    return split(segment, bytes, found);
  }

  function split({ fields }: Fields, bytes: Buffer, found: Found): Poison | null {
    const fixed = fields.reduce((sum, field) => sum + sizes[field], 0);
    if (bytes.length < fixed) return 'truncated';
    // Padding hides up to two bytes: a text of the right length may still hold more.
    if (bytes.length > fixed && !fields.includes('ciphertext')) return 'malformed';
    let from = 0;
    for (const field of fields) {
      const end = from + (field === 'ciphertext' ? bytes.length - fixed : sizes[field]);
      if (field === 'version') found.version = bytes[from];
      else found[field] = bytes.subarray(from, end);
      from = end;
    }
    return null;
  }

  function write(parts: GcmParts): Stored {
    const pieces = layout.map((segment) => {
      if ('text' in segment) return segment.text;
      if ('version' in segment) return String(parts.version);
      const bytes = joined(segment, parts);
      return segment.encoding === 'raw' ? bytes : encode(bytes, segment.encoding);
    });
    const [only] = pieces;
    if (pieces.length === 1 && only !== undefined) return only;
    return raw
      ? Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
      : pieces.join('');
  }

  return {
    raw,
    carriesVersion: carriedVersion(layout),
    leastLength: total(front) + bodyLength + backLength,
    read,
    write,
  };
}

const none = Buffer.alloc(0);

function carriedVersion(layout: Layout): 'byte' | 'decimal' | null {
  if (layout.some((segment) => 'version' in segment)) return 'decimal';
  return layout.some((segment) => 'fields' in segment && segment.fields.includes('version')) ? 'byte' : null;
}

function total(segments: readonly { readonly length: number }[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

function textOf(source: Stored, from: number, end: number): string {
  return typeof source === 'string' ? source.slice(from, end) : source.toString('latin1', from, end);
}

function endOfDigits(source: Stored, from: number): number {
  const digits = /^\d*/.exec(textOf(source, from, from + mostDigits))?.[0] ?? '';
  return from + digits.length;
}

/** The bytes of an encoded segment. */
function decoded({ encoding }: Fields, source: Stored, from: number, end: number): Buffer | Poison {
  if (typeof source !== 'string') return source.subarray(from, end);
  if (encoding === 'raw') return 'malformed';
  const text = source.slice(from, end);
  const bytes = decode(text, encoding);
  if (bytes !== null) return bytes;
  return isCutOff(text, encoding) && encodedBadly(text, encoding) ? 'truncated' : 'malformed';
}

/** Whether a text has a length that this encoding never makes. */
function encodedBadly(text: string, encoding: TextEncoding): boolean {
  if (encoding === 'hex') return text.length % 2 !== 0;
  return encoding === 'base64url' ? text.length % 4 === 1 : text.length % 4 !== 0;
}

function joined({ fields }: Fields, parts: GcmParts): Buffer {
  const bytes = fields.map((field) =>
    field === 'version' ? Uint8Array.of(parts.version ?? 0) : parts[field],
  );
  return Buffer.concat(bytes);
}
