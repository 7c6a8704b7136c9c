import { KeyturnError } from '../contract/errors.ts';
import { consentTag } from '../contract/marks.ts';
import type { SecretDescription } from '../contract/ports.ts';
import { isInWindow } from '../contract/schedule.ts';
import type { BoundClass } from '../contract/secret-class.ts';
import type { SecretSettings } from '../contract/settings.ts';

/** Longest time that a consent may run, in hours. */
const longestHours = 24;

/**
 * The consent under which a secret may rotate now. It is good for one rotation: the version that it
 * allowed remembers it.
 *
 * @param reason why consent is asked for, as a clause: what the rotation will break.
 * @param usedUp the consent that the current version was made under.
 * @returns the tag's whole value, which the new version will remember.
 * @throws KeyturnError ConsentMissing, in a sentence that says what the rotation will break.
 */
export function consentFor(
  description: SecretDescription,
  reason: string,
  usedUp: string | undefined,
  now: Date,
): string {
  const consent = description.tags.get(consentTag);
  const problem = problemWith(consent, usedUp, now);
  if (consent !== undefined && problem === null) return consent;
  throw new KeyturnError({
    code: 'ConsentMissing',
    message: `The secret ${description.name} does not rotate without a person's consent, because ${reason}; ${problem ?? 'nobody has consented'}.`,
    hint: `To consent, tag the secret with ${consentTag} = the time until which it holds (at most ${longestHours} hours ahead, like 2026-01-31T18:00:00Z), who and why; then rotate again.`,
  });
}

/**
 * Why this rotation needs a person's consent now, as a clause; null: it needs none.
 *
 * A guarded class always does. A class that ends sessions does outside its maintenance window: by schedule it
 * only ever runs inside.
 */
export function needsConsent(
  secretClass: Pick<BoundClass, 'admission' | 'breaks'>,
  { window }: Pick<SecretSettings, 'window'>,
  now: Date,
): string | null {
  const breaks = secretClass.breaks() ?? 'its class asks for it';
  if (secretClass.admission === 'guarded') return breaks;
  if (window === null || isInWindow(window, now)) return null;
  return `${breaks}, and this is outside its maintenance window ${window.cron} of ${window.hours} h`;
}

function problemWith(consent: string | undefined, usedUp: string | undefined, now: Date): string | null {
  if (consent === undefined) return 'nobody has consented';
  if (consent === usedUp) return 'the consent on it has been used: one consent is good for one rotation';
  const until = Date.parse(/^\S+/.exec(consent)?.[0] ?? '');
  if (Number.isNaN(until)) return 'the consent on it does not begin with a time';
  if (until <= now.getTime()) return 'the consent on it has expired';
  return until > now.getTime() + longestHours * 3_600_000
    ? `the consent on it runs for more than ${longestHours} hours`
    : null;
}
