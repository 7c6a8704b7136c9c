/** What can be wrong with a rotation, before it has finished. */
import { command } from '../contract/commands.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { Objection } from './decision.ts';
import { limits } from './limits.ts';
import { isUnclosed, type Observed, openRotation, rejectionsOf } from './observed.ts';
import { ageOf, lasted, none, nothing, stuck } from './words.ts';

/**
 * The poison rule: a value that its target or its class rejects is the same at every retry. It is dropped, so
 * that the next window takes a new one, when it is proven that it was not applied: what was current when it was
 * made is current still, and no target outside could hold it (`restorable`).
 */
export function valueRejected(about: Observed): Objection | null {
  const { versions, seen, secret, made } = about;
  const { pending } = versions;
  const count = pending === null ? 0 : rejectionsOf(seen.tags, pending);
  if (pending === null || count < limits.rejections) return null;
  const rejected = `The pending value of ${seen.name} (version ${pending}) was rejected ${count} times`;
  const [then, now] = [made.get(pending), made.get(versions.current ?? '')];
  // A version that was never filled holds nothing that anybody could have applied.
  const applicable = then !== undefined;
  if (applicable && !secret.restorable) {
    return stuck(
      about,
      pending,
      `${rejected}, and its target may hold it all the same: only its target can tell, so it is kept.`,
    );
  }
  const unchanged = versions.current === null || (now !== undefined && applicable && now <= then);
  if (versions.previous === pending || (applicable && !unchanged)) {
    return stuck(about, pending, `${rejected}, and AWSCURRENT has moved since it was made, so it is kept.`);
  }
  return {
    is: 'drop',
    versionId: pending,
    sentence: `${rejected}. It was never current and nothing outside Secrets Manager was told of it, so AWSPENDING is taken from it; the next rotation makes a new value.`,
  };
}

export function rotationUnderWay(about: Observed): Objection | null {
  const open = openRotation(about);
  if (open === null) return null;
  const { seen, now } = about;
  if (open.since === null) {
    return {
      is: 'mark',
      versionId: open.versionId,
      sentence: `A rotation of ${seen.name} is under way; version ${open.versionId} has no value yet, and is noted as seen now.`,
    };
  }
  return ageOf(open.since, now) < limits.pending
    ? nothing(`A rotation of ${seen.name} is under way since ${open.since.toISOString()}.`)
    : null;
}

export function rotationStuck(about: Observed): Objection | null {
  const open = openRotation(about);
  if (open === null || open.since === null) return null;
  const since = `has been open for ${lasted(ageOf(open.since, about.now))}`;
  const filled = about.made.has(open.versionId);
  const where = isUnclosed(about)
    ? 'finishSecret made it current, and Secrets Manager has not closed the rotation; its label AWSPENDING is still there'
    : filled
      ? 'it has a value, so setSecret, testSecret or finishSecret does not get through; the label AWSPENDING is on it'
      : 'it has no value, so createSecret does not get through; the label AWSPENDING is on it';
  return stuck(
    about,
    open.versionId,
    `The rotation of ${about.seen.name} to version ${open.versionId} ${since}: ${where}.`,
  );
}

/** What another service rotates is looked at here, and mended there. */
function wayOn({ key, observed }: SecretSettings): string {
  return command(observed === true ? 'status' : 'rotate', key);
}

/** CancelRotateSecret leaves the schedule standing there, and nobody notices that it does nothing. */
export function rotationOff({ seen, versions, secret }: Observed): Objection | null {
  if (!seen.scheduled || seen.rotationEnabled || seen.lastRotatedAt === null) return null;
  return {
    is: 'tell',
    finding: 'rotation-off',
    versionId: versions.current ?? none,
    sentence: `The secret ${seen.name} has a schedule and its rotation is switched off: it will not rotate.`,
    next: wayOn(secret),
  };
}

export function rotationOverdue({ seen, versions, secret, now }: Observed): Objection | null {
  const { nextRotationAt: due } = seen;
  if (due === null || ageOf(due, now) <= limits.overdue) return null;
  return {
    is: 'tell',
    finding: 'rotation-overdue',
    versionId: versions.current ?? none,
    sentence: `The secret ${seen.name} should have rotated by ${due.toISOString()}, ${lasted(ageOf(due, now))} ago.`,
    next: wayOn(secret),
  };
}
