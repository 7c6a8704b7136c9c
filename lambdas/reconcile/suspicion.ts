/**
 * Which secrets want a closer look. It is decided from the listing alone, so that a fleet in order costs a call
 * for each hundred of its secrets; it may suspect too much, never too little.
 */
import type { FleetSecret } from '../contract/fleet.ts';
import type { SecretSettings } from '../contract/settings.ts';
import { type FindingId, isFresh, type Told, toldOf } from './findings.ts';
import { type Versions, versionsOf } from './labels.ts';
import { limits } from './limits.ts';
import { rejectionsOf } from './observed.ts';
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
  rollout: (listed) => rolloutIsOpen(listed) || rollBackIsOpen(listed),
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
function rolloutIsOpen({ versions, seen, told, now, spread, rolloutOf }: Listed): boolean {
  const { current, completed, currentIsPending } = versions;
  if (current === null || current === completed) return false;
  const rotated = seen.lastRotatedAt?.getTime();
  // Before its first rotation every value is a person's.
  if (rotated === undefined && !currentIsPending) return false;
  const rollout = rolloutOf(current);
  if (rollout?.status === 'RUNNING') {
    return isLate(rollout, now) && !isFresh(told, 'rollout-late', current, now);
  }
  if (wasTold(told, ['rollout-stalled', 'edited-by-hand', 'rotation-stuck'], current, now)) return false;
  // Its event has some time, and after that it has a slot of its own.
  const slot = rollout === null ? slotOf(seen.name, spread) : 0;
  return rotated === undefined || now.getTime() - rotated >= limits.eventGrace + slot;
}

/** A roll-back goes on under the name of the version that it gives up, which is the previous one then. */
function rollBackIsOpen({ versions, told, now, rolloutOf }: Listed): boolean {
  const { previous, rolledBack, completed } = versions;
  if (previous === null || previous === rolledBack || previous === completed) return false;
  const rollout = rolloutOf(previous);
  if (rollout === null || wasTold(told, ['rollout-stalled', 'rollout-late'], previous, now)) return false;
  return rollout.status !== 'RUNNING' || isLate(rollout, now);
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
  const overdue = now.getTime() - (seen.nextRotationAt?.getTime() ?? Number.POSITIVE_INFINITY);
  if (overdue > limits.overdue && !isFresh(told, 'rotation-overdue', current, now)) return true;
  if (secret.remindAfterDays === undefined || isFresh(told, 'supply-due', current, now)) return false;
  const age = now.getTime() - (seen.lastRotatedAt ?? seen.createdAt).getTime();
  return age >= secret.remindAfterDays * day;
}

function isLate({ startedAt }: RolloutSeen, now: Date): boolean {
  return now.getTime() - startedAt.getTime() > limits.rollout;
}

function wasTold(told: Told | null, of: readonly FindingId[], versionId: string, now: Date): boolean {
  return of.some((finding) => isFresh(told, finding, versionId, now));
}
