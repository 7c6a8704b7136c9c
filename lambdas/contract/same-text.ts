import { createHash, timingSafeEqual } from 'node:crypto';
import type { Sensitive } from './sensitive.ts';

/** Compares two secret values in constant time; hashing first makes their lengths equal. */
export function sameText(a: Sensitive, b: Sensitive): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(value: Sensitive): Buffer {
  return createHash('sha256').update(value.reveal()).digest();
}
