/** Names that an answer from outside may put into reports, states and logs. */
import { createHash } from 'node:crypto';

/** Longest name. */
const longest = 120;
/**
 * Longest part of a name between two separators. The shortest text of 32 random bytes has 43 characters (base64
 * without padding), a UUID has 36: an id passes, a key or a ciphertext that came by mistake does not.
 */
const longestPart = 40;

/** Whether a text looks like an id and not like a value. */
export function isName(text: string): boolean {
  return (
    text.length <= longest &&
    /^[A-Za-z0-9][A-Za-z0-9_.:/@#-]*$/.test(text) &&
    text.split(/[.:/@#]/).every((part) => part.length <= longestPart)
  );
}

/** The name itself, or a short digest of what must not be shown: still one name for one thing. */
export function shownName(text: string): string {
  if (isName(text)) return text;
  return `unshown-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}
