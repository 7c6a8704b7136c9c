/**
 * How a value is written: what Keyturn generates (a format) and what a platform takes (its rules). They are
 * two things, since a value that an operator made years ago need not look like ours to be right.
 */
import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';
import type { Random } from './ports.ts';
import { Sensitive } from './sensitive.ts';

/** Fewest random bits of a generated value (NIST SP 800-131A: 112 is the floor, 128 the usual choice). */
const minimumBits = 128;

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

export const Format = z.discriminatedUnion('encoding', [
  z.strictObject({
    /** Letters and digits, each drawn evenly. */
    encoding: z.literal('alphanumeric'),
    /** Characters, 22–512 (22 of 62 letters are the first length over 128 bits). */
    length: z.int().check(z.minimum(22), z.maximum(512)),
  }),
  z.strictObject({
    /** `hex`: two characters a byte; `base64`: RFC 4648 section 4; `base64url`: section 5, no padding. */
    encoding: z.enum(['hex', 'base64', 'base64url']),
    /** Random bytes before encoding, 16–512. */
    bytes: z.int().check(z.minimum(minimumBits / 8), z.maximum(512)),
  }),
  /** A Fernet key: 32 random bytes in base64url with padding (github.com/fernet/spec, "Key Format"). */
  z.strictObject({ encoding: z.literal('fernet') }),
]);
export type Format = z.infer<typeof Format>;

export const Rules = z.strictObject({
  /** Fewest characters. Default: 1. */
  minimumLength: z._default(z.int().check(z.minimum(1), z.maximum(4096)), 1),
  /** A regular expression that the whole value must match. Default: none. */
  pattern: z.optional(z.string()),
  /** What the pattern asks for, in words; printed when a value does not match. */
  patternMeans: z.optional(z.string()),
  /** Known bad values, for example a product's development default. Default: none. */
  forbidden: z._default(z.array(z.string()), []),
});
export type Rules = z.infer<typeof Rules>;

/** A new value in this format. */
export function generate(format: Format, random: Random): Sensitive {
  switch (format.encoding) {
    case 'alphanumeric':
      return new Sensitive(drawn(alphanumeric, format.length, random));
    case 'fernet':
      return new Sensitive(`${Buffer.from(random.bytes(32)).toString('base64url')}=`);
    default:
      return new Sensitive(Buffer.from(random.bytes(format.bytes)).toString(format.encoding));
  }
}

/** How many characters `generate` will make. */
export function generatedLength(format: Format): number {
  switch (format.encoding) {
    case 'alphanumeric':
      return format.length;
    case 'fernet':
      return 44;
    case 'hex':
      return format.bytes * 2;
    case 'base64':
      return Math.ceil(format.bytes / 3) * 4;
    case 'base64url':
      return Math.ceil((format.bytes * 4) / 3);
  }
}

/**
 * Checks a value against a platform's rules.
 *
 * @throws KeyturnError ValueRejected that names the variable, the rule and a measure of what was received.
 */
export function checkRules(variable: string, value: Sensitive, rules: Rules): void {
  const text = value.reveal();
  if (text.length < rules.minimumLength) {
    throw rejected(variable, `must have at least ${rules.minimumLength} characters; it has ${text.length}`);
  }
  // The forbidden values are public, so an ordinary comparison gives nothing away.
  if (rules.forbidden.includes(text)) {
    throw rejected(variable, 'must not be a published default; the value received is one');
  }
  if (rules.pattern !== undefined && !new RegExp(`^(?:${rules.pattern})$`, 'su').test(text)) {
    const means = rules.patternMeans ?? `match ${rules.pattern}`;
    throw rejected(variable, `must ${means}; the value received (${text.length} characters) does not`);
  }
}

function rejected(variable: string, sentence: string): KeyturnError {
  return new KeyturnError({ code: 'ValueRejected', message: `The value of ${variable} ${sentence}.` });
}

/**
 * Characters of an alphabet, each equally likely: a byte that would favour the first letters is thrown away
 * (rejection sampling), not folded by a remainder.
 */
function drawn(alphabet: string, length: number, random: Random): string {
  const fair = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of random.bytes(length)) {
      if (byte < fair && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
