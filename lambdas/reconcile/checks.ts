/**
 * What can be wrong with a secret, in the order in which it matters. Each check answers with what to do and a
 * sentence for the operator; the first that objects decides. A hold that has run out will be a check between
 * `rotation-stuck` and `rollout-stalled`, once a plan has a hold.
 */
import type { Check, Objection } from './decision.ts';
import { limits } from './limits.ts';
import {
  concerned,
  isMadeByRotation,
  isMovedBack,
  isUnclosed,
  type Observed,
  openRotation,
  rejectionsOf,
} from './observed.ts';
import { slotOf } from './slot.ts';

const hour = 3_600_000;
const day = 24 * hour;

export const checks = [
  {
    id: 'deleted',
    objects: ({ seen }) =>
      seen.deleted
        ? nothing(`The secret ${seen.name} waits for its deletion; nothing is done about it.`)
        : null,
  },
  { id: 'value-rejected', objects: valueRejected },
  { id: 'rotation-under-way', objects: rotationUnderWay },
  { id: 'rollout-missing', objects: rolloutMissing },
  { id: 'rotation-stuck', objects: rotationStuck },
  { id: 'rollout-stalled', objects: rolloutStalled },
  { id: 'rollout-late', objects: rolloutLate },
  {
    id: 'rollout-under-way',
    objects: ({ rollout, seen }) =>
      rollout?.status === 'RUNNING' ? nothing(`The rollout of ${seen.name} is under way.`) : null,
  },
  { id: 'edited-by-hand', objects: editedByHand },
  { id: 'rotation-off', objects: rotationOff },
  { id: 'rotation-overdue', objects: rotationOverdue },
  { id: 'supply-due', objects: supplyDue },
] as const satisfies readonly Check[];

export type CheckId = (typeof checks)[number]['id'];

/**
 * The poison rule: a value that its target or its class rejects is the same at every retry. It is dropped, so
 * that the next window takes a new one, when it is proven that it was not applied: what was current when it was
 * made is current still, and no target outside could hold it (`restorable`).
 */
function valueRejected(about: Observed): Objection | null {
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

function rotationUnderWay(about: Observed): Objection | null {
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

/** Its event was lost, or came to nothing. The execution's name keeps a late event from starting a second one. */
function rolloutMissing(about: Observed): Objection | null {
  const { versions, seen, now, rollout, spread } = about;
  const { current, completed, rolledBack } = versions;
  if (current === null || completed === current || rolledBack === current || rollout !== null) return null;
  if (isUnclosed(about) || !isMadeByRotation(about) || isMovedBack(versions, about.made)) return null;
  const { lastRotatedAt } = seen;
  if (lastRotatedAt === null) return null;
  if (ageOf(lastRotatedAt, now) > limits.start) {
    return stalled(
      about,
      current,
      `The rollout of ${seen.name} was never completed, and what Step Functions knew of it is gone after 90 days. It is not started again without a person.`,
    );
  }
  const due = new Date(lastRotatedAt.getTime() + limits.eventGrace + slotOf(seen.name, spread));
  if (now < due) {
    return nothing(`The rollout of ${seen.name} has not begun; it is started after ${due.toISOString()}.`);
  }
  return {
    is: 'start',
    sentence: `The rotation of ${seen.name} finished at ${lastRotatedAt.toISOString()} and no rollout of version ${current} was started: it is started now.`,
    // When Secrets Manager closed the rotation: a moment after AWSCURRENT moved, so that a consumer that is
    // younger has certainly read the new version.
    state: { versionId: current, previousVersionId: versions.previous, publishedAt: lastRotatedAt },
  };
}

function rotationStuck(about: Observed): Objection | null {
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

/** Told again and never restarted: whoever stopped it, or what did, is still there. */
function rolloutStalled(about: Observed): Objection | null {
  const { versions, rollout, made, seen, now } = about;
  const version = concerned(versions, made);
  if (version === null || rollout === null || rollout.status === 'RUNNING') return null;
  const since = `the rollout that began ${lasted(ageOf(rollout.startedAt, now))} ago`;
  if (isMovedBack(versions, made)) {
    if (versions.rolledBack === version) return null;
    return stalled(
      about,
      version,
      `Version ${version} of ${seen.name} was given up, and ${since} ended before every consumer was seen to run with the previous one again.`,
    );
  }
  if (versions.completed === version) return null;
  return stalled(
    about,
    version,
    `Version ${version} of ${seen.name} is current, and ${since} has stopped: consumers may run with the old value.`,
  );
}

function rolloutLate({ versions, made, rollout, seen, secret, now }: Observed): Objection | null {
  const version = concerned(versions, made);
  if (version === null || rollout?.status !== 'RUNNING') return null;
  const age = ageOf(rollout.startedAt, now);
  if (age <= limits.rollout) return null;
  return {
    is: 'tell',
    finding: 'rollout-late',
    versionId: version,
    sentence: `The rollout of version ${version} of ${seen.name} has been running for ${lasted(age)}; at most ${lasted(limits.rollout)} are expected.`,
    command: `keyturn status ${secret.key}`,
  };
}

/** Nothing is started: a person's value may be meant for somebody whom Keyturn does not know. Told once. */
function editedByHand(about: Observed): Objection | null {
  const { versions, seen, secret, rollout } = about;
  const { current, completed } = versions;
  // Before its first rotation every value is a person's.
  if (current === null || current === completed || seen.lastRotatedAt === null || rollout !== null)
    return null;
  const movedBack = isMovedBack(versions, about.made);
  if (isUnclosed(about) || (isMadeByRotation(about) && !movedBack)) return null;
  const how = movedBack
    ? 'was made current again by hand'
    : `was made by hand after the rotation of ${seen.lastRotatedAt.toISOString()}`;
  return {
    is: 'tell',
    finding: 'edited-by-hand',
    versionId: current,
    sentence: `Version ${current} of ${seen.name} ${how}. No consumer is restarted for it: those that run may have another value.`,
    command: `keyturn rotate ${secret.key}`,
  };
}

/** CancelRotateSecret leaves the schedule standing there, and nobody notices that it does nothing. */
function rotationOff({ seen, versions, secret }: Observed): Objection | null {
  if (!seen.scheduled || seen.rotationEnabled || seen.lastRotatedAt === null) return null;
  return {
    is: 'tell',
    finding: 'rotation-off',
    versionId: versions.current ?? none,
    sentence: `The secret ${seen.name} has a schedule and its rotation is switched off: it will not rotate.`,
    command: `keyturn rotate ${secret.key}`,
  };
}

function rotationOverdue({ seen, versions, secret, now }: Observed): Objection | null {
  const { nextRotationAt: due } = seen;
  if (due === null || ageOf(due, now) <= limits.overdue) return null;
  return {
    is: 'tell',
    finding: 'rotation-overdue',
    versionId: versions.current ?? none,
    sentence: `The secret ${seen.name} should have rotated by ${due.toISOString()}, ${lasted(ageOf(due, now))} ago.`,
    command: `keyturn rotate ${secret.key}`,
  };
}

function supplyDue({ secret, seen, versions, made, now }: Observed): Objection | null {
  const since = made.get(versions.current ?? '');
  const days = secret.remindAfterDays;
  if (days === undefined || since === undefined || ageOf(since, now) < days * day) return null;
  return {
    is: 'tell',
    finding: 'supply-due',
    versionId: versions.current ?? none,
    sentence: `The value of ${seen.name} is ${lasted(ageOf(since, now))} old; a new one is due after ${days} days, and only a person can supply it.`,
    command: `keyturn supply ${secret.key}`,
  };
}

/** What an event says of a secret that has no current version. */
const none = 'none';

function nothing(sentence: string): Objection {
  return { is: 'nothing', sentence };
}

function stuck({ secret }: Observed, versionId: string, sentence: string): Objection {
  return {
    is: 'tell',
    finding: 'rotation-stuck',
    versionId,
    sentence,
    command: `keyturn discard ${secret.key}`,
  };
}

function stalled({ secret }: Observed, versionId: string, sentence: string): Objection {
  return {
    is: 'tell',
    finding: 'rollout-stalled',
    versionId,
    sentence,
    command: `keyturn resume ${secret.key}`,
  };
}

function ageOf(since: Date, now: Date): number {
  return now.getTime() - since.getTime();
}

/** `7 hours`, `3 days`: whole ones, as a person says it. */
function lasted(milliseconds: number): string {
  const [unit, name] = milliseconds >= 2 * day ? [day, 'days'] : [hour, 'hours'];
  return `${Math.floor(milliseconds / unit)} ${name}`;
}
