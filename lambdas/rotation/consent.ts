import { KeyturnError } from '../contract/errors.ts';
import { consentTag } from '../contract/marks.ts';
import type { SecretDescription } from '../contract/ports.ts';

/** Longest time that a consent may run, in hours. */
const longestHours = 24;

/**
 * The consent under which a guarded secret may rotate now. It is good for one rotation: the version that it
 * allowed remembers it.
 *
 * @param usedUp the consent that the current version was made under.
 * @returns the tag's whole value, which the new version will remember.
 * @throws KeyturnError ConsentMissing, in a sentence that says what the rotation will break.
 */
export function consentFor(
  description: SecretDescription,
  breaks: string | null,
  usedUp: string | undefined,
  now: Date,
): string {
  const consent = description.tags.get(consentTag);
  const problem = problemWith(consent, usedUp, now);
  if (consent !== undefined && problem === null) return consent;
  throw new KeyturnError({
    code: 'ConsentMissing',
    message: `The secret ${description.name} does not rotate without a person's consent, because ${breaks ?? 'it is guarded'}; ${problem ?? 'there is none'}.`,
    hint: `To consent, tag the secret with ${consentTag} = the time until which it holds (at most ${longestHours} hours ahead, like 2026-01-31T18:00:00Z), who and why; then rotate again.`,
  });
}

function problemWith(consent: string | undefined, usedUp: string | undefined, now: Date): string | null {
  if (consent === undefined) return 'there is none';
  if (consent === usedUp) return 'the consent on it has been used: one consent is good for one rotation';
  const until = Date.parse(/^\S+/.exec(consent)?.[0] ?? '');
  if (Number.isNaN(until)) return 'the consent on it does not begin with a time';
  if (until <= now.getTime()) return 'the consent on it has expired';
  return until > now.getTime() + longestHours * 3_600_000
    ? `the consent on it runs for more than ${longestHours} hours`
    : null;
}
