/**
 * Which secrets want a closer look. It is decided from the listing alone, so that a fleet in order costs a call
 * for each hundred of its secrets; it may suspect too much, never too little.
 */
import type { FleetSecret } from '../contract/fleet.ts';
import { stoppedIn } from '../contract/marks.ts';
import type { SecretSettings } from '../contract/settings.ts';
import { type FindingId, isFresh, type Told, toldOf } from './findings.ts';
import { type Versions, versionsOf } from './labels.ts';
import { limits, longestRollout } from './limits.ts';
import { rejectionsOf, rolloutOfFamily, rootOf } from './observed.ts';
import type { RolloutSeen } from './rollouts-seen.ts';
import { slotOf } from './slot.ts';

const day = 24 * 3_600_000;

/** What is suspected, what matters most first: the order in which secrets are looked at. */
export const suspicions = ['rollout', 'pending', 'date'] as const;
export type Suspicion = (typeof suspicions)[number];

interface Listed {
  readonly secret: SecretSettings;
  readonly seen: FleetSecret;
  readonly versions: Versions;
  readonly told: Told | null;
  readonly now: Date;
  readonly spread: number;
  rolloutOf(versionId: string): RolloutSeen | null;
}

const questions: Readonly<Record<Suspicion, (listed: Listed) => boolean>> = {
  rollout: (listed) => rolloutIsOpen(listed) || rollBackIsOpen(listed) || areStopped(listed),
  pending: isPending,
  date: isDue,
};

/**
 * Null: nothing about this secret is suspicious, or what is was told lately.
 *
 * @param spread milliseconds over which starts are spread.
 */
export function suspicionOf(
  secret: SecretSettings,
  seen: FleetSecret,
  { now, spread }: { readonly now: Date; readonly spread: number },
  rolloutOf: (versionId: string) => RolloutSeen | null,
): Suspicion | null {
  if (seen.deleted) return null;
  const listed = {
    secret,
    seen,
    versions: versionsOf(seen),
    told: toldOf(seen.tags),
    now,
    spread,
    rolloutOf,
  };
  return suspicions.find((suspicion) => questions[suspicion](listed)) ?? null;
}

/** The current version has no completed rollout: it was not started, has stopped, takes long, or none is due. */
function rolloutIsOpen({ secret, versions, seen, told, now, spread, rolloutOf }: Listed): boolean {
  const { current, completed, currentIsPending } = versions;
  if (current === null || current === completed) return false;
  const rotated = seen.lastRotatedAt?.getTime();
  // Before its first rotation every value is a person's.
  if (rotated === undefined && !currentIsPending) return false;
  const rollout = rolloutOfFamily(rootOf(current, seen.labels.keys()), rolloutOf);
  if (rollout?.status === 'RUNNING') {
    return isLate(rollout, secret, now) && !isFresh(told, 'rollout-late', current, now);
  }
  if (
    wasTold(told, ['consumers-stopped', 'rollout-stalled', 'edited-by-hand', 'rotation-stuck'], current, now)
  )
    return false;
  // Its event has some time, and after that it has a slot of its own.
  const slot = rollout === null ? slotOf(seen.name, spread) : 0;
  const grace = secret.observed === true ? 0 : limits.eventGrace;
  return rotated === undefined || now.getTime() - rotated >= grace + slot;
}

/** A roll-back goes on under the name of the version that it gives up, which is the previous one then. */
function rollBackIsOpen({ secret, versions, seen, told, now, rolloutOf }: Listed): boolean {
  const { current, previous, rolledBack, completed } = versions;
  if (previous === null || previous === rolledBack || previous === completed) return false;
  const rollout = rolloutOfFamily(rootOf(previous, seen.labels.keys()), rolloutOf);
  if (rollout === null) return false;
  // A phase of an overlap has the same rollout as the version before it.
  for (const version of [previous, current ?? previous]) {
    if (wasTold(told, ['consumers-stopped', 'rollout-stalled', 'rollout-late'], version, now)) return false;
  }
  return rollout.status !== 'RUNNING' || isLate(rollout, secret, now);
}

/** Consumers that a rollout has stopped, and that it may have left so. */
function areStopped({ versions, seen, told, now }: Listed): boolean {
  if (stoppedIn(seen.tags) === null) return false;
  return !wasTold(told, ['consumers-stopped'], versions.current ?? 'none', now);
}

function isPending({ versions, seen, told, now }: Listed): boolean {
  const { pending } = versions;
  if (pending === null) return false;
  // What was told is not looked at again, unless there is something to do by now.
  const poisoned = rejectionsOf(seen.tags, pending) >= limits.rejections && told?.versionId !== pending;
  return poisoned || !isFresh(told, 'rotation-stuck', pending, now);
}

function isDue({ secret, seen, versions, told, now }: Listed): boolean {
  const current = versions.current ?? 'none';
  const off = seen.scheduled && !seen.rotationEnabled && seen.lastRotatedAt !== null;
  if (off && !isFresh(told, 'rotation-off', current, now)) return true;
  if (isOverdue(seen, now) && !isFresh(told, 'rotation-overdue', current, now)) return true;
  if (secret.remindAfterDays === undefined || isFresh(told, 'supply-due', current, now)) return false;
  const age = now.getTime() - (seen.lastRotatedAt ?? seen.createdAt).getTime();
  return age >= secret.remindAfterDays * day;
}

export function isOverdue({ nextRotationAt, deleted }: FleetSecret, now: Date): boolean {
  return !deleted && nextRotationAt !== null && now.getTime() - nextRotationAt.getTime() > limits.overdue;
}

/** A sweep before this one found a pending version too old, and it is pending still. */
export function isKnownStuck(seen: FleetSecret): boolean {
  const { pending, current, currentIsPending } = versionsOf(seen);
  const told = toldOf(seen.tags);
  const open = pending ?? (currentIsPending ? current : null);
  return told?.finding === 'rotation-stuck' && told.versionId === open;
}

function isLate({ startedAt }: RolloutSeen, secret: SecretSettings, now: Date): boolean {
  return now.getTime() - startedAt.getTime() > longestRollout(secret);
}

function wasTold(told: Told | null, of: readonly FindingId[], versionId: string, now: Date): boolean {
  return of.some((finding) => isFresh(told, finding, versionId, now));
}
