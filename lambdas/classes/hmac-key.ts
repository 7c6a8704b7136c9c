/** An HMAC key that signs JWTs: what makes one good, for every class that has one. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod/mini';
import { KeyturnError } from '../contract/errors.ts';
import { checkRules, generatedLength, Rules } from '../contract/format.ts';
import type { Sensitive } from '../contract/sensitive.ts';
import { formatBreaksRules, type GeneratedValue, generatedValue } from './generated-value.ts';

/**
 * JWS algorithms on one shared key: the hash, and the fewest bytes of a key. A key shorter than the hash's
 * output weakens it (RFC 7518 section 3.2 makes that length a MUST).
 */
const algorithms = {
  HS256: { hash: 'sha256', leastBytes: 32 },
  HS384: { hash: 'sha384', leastBytes: 48 },
  HS512: { hash: 'sha512', leastBytes: 64 },
} as const;
type Algorithm = keyof typeof algorithms;

/** The options of every class with such a key. */
export const hmacKey = {
  ...generatedValue,
  /** What the platform takes. Default: at least 32 characters, the floor of HS256. */
  rules: z._default(Rules, { minimumLength: 32, forbidden: [] }),
  /** The JWS algorithm that the platform signs with. Default: HS256. */
  algorithm: z._default(z.enum(['HS256', 'HS384', 'HS512']), 'HS256'),
};

export interface HmacKey extends GeneratedValue {
  readonly algorithm: Algorithm;
}

/** @returns the sentence when the format makes keys that are too short; else null. */
export function formatBreaksAlgorithm(options: HmacKey): string | null {
  const length = generatedLength(options.format);
  const { leastBytes } = algorithms[options.algorithm];
  return length < leastBytes
    ? `options.format makes ${length} characters; ${options.algorithm} asks for a key of at least ${leastBytes} (RFC 7518 section 3.2).`
    : formatBreaksRules(options);
}

/** @throws KeyturnError ValueRejected when the key is short, published, or does not sign and verify. */
export function checkHmacKey(options: HmacKey, key: Sensitive): void {
  checkRules(options.variable, key, options.rules);
  const bytes = Buffer.byteLength(key.reveal());
  const { leastBytes } = algorithms[options.algorithm];
  if (bytes < leastBytes) {
    throw rejected(
      options.variable,
      `must have at least ${leastBytes} bytes for ${options.algorithm}; it has ${bytes}`,
    );
  }
  if (!signsAndVerifies(key, options.algorithm)) {
    throw rejected(options.variable, `must sign and verify with ${options.algorithm}; it does not`);
  }
}

/** A signature of this key verifies, and one of another message does not. */
function signsAndVerifies(key: Sensitive, algorithm: Algorithm): boolean {
  const message = 'a signature of the pending key';
  const signature = sign(key, message, algorithm);
  return (
    timingSafeEqual(signature, sign(key, message, algorithm)) &&
    !timingSafeEqual(signature, sign(key, `${message}, altered`, algorithm))
  );
}

function sign(key: Sensitive, message: string, algorithm: Algorithm): Buffer {
  return createHmac(algorithms[algorithm].hash, key.reveal()).update(message).digest();
}

function rejected(variable: string, sentence: string): KeyturnError {
  return new KeyturnError({ code: 'ValueRejected', message: `The value of ${variable} ${sentence}.` });
}
