/** What can be said of a value that a person made, or should make. */
import { command } from '../contract/commands.ts';
import type { Objection } from './decision.ts';
import { isMadeByRotation, isMovedBack, isPhase, isUnclosed, type Observed } from './observed.ts';
import { ageOf, day, lasted, none } from './words.ts';

/** Nothing is started: a person's value may be meant for somebody whom Keyturn does not know. Told once. */
export function editedByHand(about: Observed): Objection | null {
  const { versions, seen, secret, rollout } = about;
  const { current, completed } = versions;
  // Before its first rotation every value is a person's.
  if (current === null || current === completed || seen.lastRotatedAt === null || rollout !== null)
    return null;
  const movedBack = isMovedBack(versions, about.made);
  if (isUnclosed(about) || (!movedBack && (isMadeByRotation(about) || isPhase(about)))) return null;
  const how = movedBack
    ? 'was made current again by hand'
    : `was made by hand after the rotation of ${seen.lastRotatedAt.toISOString()}`;
  return {
    is: 'tell',
    finding: 'edited-by-hand',
    versionId: current,
    sentence: `Version ${current} of ${seen.name} ${how}. No consumer is restarted for it: those that run may have another value.`,
    next: command('rotate', secret.key),
  };
}

export function supplyDue({ secret, seen, versions, made, now }: Observed): Objection | null {
  const since = made.get(versions.current ?? '');
  const days = secret.remindAfterDays;
  if (days === undefined || since === undefined || ageOf(since, now) < days * day) return null;
  return {
    is: 'tell',
    finding: 'supply-due',
    versionId: versions.current ?? none,
    sentence: `The value of ${seen.name} is ${lasted(ageOf(since, now))} old; a new one is due after ${days} days, and only a person can supply it.`,
    next: command('supply', secret.key),
  };
}
