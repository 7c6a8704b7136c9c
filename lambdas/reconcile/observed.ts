import type { FleetSecret } from '../contract/fleet.ts';
import { pendingSinceTag, rejectedTag, stoppedIn } from '../contract/marks.ts';
import type { SecretSettings } from '../contract/settings.ts';
import { derivedToken, publishedPhases } from '../contract/tokens.ts';
import { type Versions, versionsOf } from './labels.ts';
import type { RolloutSeen } from './rollouts-seen.ts';

/** Everything that a decision is made from. */
export interface Observed {
  readonly secret: SecretSettings;
  /** A fresh DescribeSecret: the listing that raised the suspicion may be minutes old. */
  readonly seen: FleetSecret;
  readonly versions: Versions;
  /** When each version was made; one that was never filled is missing. */
  readonly made: ReadonlyMap<string, Date>;
  /** The youngest execution for the version that `concerned` names, or for a phase of it. */
  readonly rollout: RolloutSeen | null;
  /** What has stopped the consumers; null: they run. */
  readonly stopped: Stopped | null;
  /** Executions of that rollout so far, as far as they run or ended otherwise than well. */
  readonly attempts: number;
  /** Of these, the ones that are named after the current version. */
  readonly attemptsOfCurrent: number;
  readonly now: Date;
  /** How many milliseconds starts are spread over. */
  readonly spread: number;
}

/** A rollout that has stopped the consumers, and has not been seen to start them again. */
export interface Stopped {
  readonly since: Date;
  /** The youngest execution of that rollout; null: none runs, and none ended otherwise than well. */
  readonly rollout: RolloutSeen | null;
}

/** What an observation is made of; the rollout is looked up for the version that it turns out to be about. */
export type Gathered = Omit<Observed, 'versions' | 'rollout' | 'stopped' | 'attempts' | 'attemptsOfCurrent'>;

export function observed(gathered: Gathered, rolloutOf: (versionId: string) => RolloutSeen | null): Observed {
  const versions = versionsOf(gathered.seen);
  const about = concerned(versions, gathered.made);
  const known = about === null ? [] : rolloutsOf(rootOf(about, gathered.made.keys()), rolloutOf);
  return {
    ...gathered,
    versions,
    rollout: youngest(known),
    stopped: stoppedBy(gathered.seen.tags, gathered.made.keys(), rolloutOf),
    attempts: known.reduce((sum, { attempt }) => sum + attempt, 0),
    attemptsOfCurrent: versions.current === null ? 0 : (rolloutOf(versions.current)?.attempt ?? 0),
  };
}

function stoppedBy(
  tags: ReadonlyMap<string, string>,
  among: Iterable<string>,
  rolloutOf: (versionId: string) => RolloutSeen | null,
): Stopped | null {
  const mark = stoppedIn(tags);
  if (mark === null) return null;
  return { since: mark.since, rollout: youngest(rolloutsOf(rootOf(mark.versionId, among), rolloutOf)) };
}

/**
 * The last executions for a version and for its phases: one that is resumed is named after the phase that was
 * current then.
 */
function rolloutsOf(root: string, rolloutOf: (versionId: string) => RolloutSeen | null): RolloutSeen[] {
  const family = [root, ...publishedPhases.map((phase) => derivedToken(root, phase))];
  return family.flatMap((versionId) => rolloutOf(versionId) ?? []);
}

function youngest(rollouts: readonly RolloutSeen[]): RolloutSeen | null {
  return rollouts.toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime())[0] ?? null;
}

/** The youngest execution for a version or a phase of it. */
export function rolloutOfFamily(
  root: string,
  rolloutOf: (versionId: string) => RolloutSeen | null,
): RolloutSeen | null {
  return youngest(rolloutsOf(root, rolloutOf));
}

/**
 * The version that a rotation made, of which this one is a phase; else the version itself. The ids of phases
 * follow from it, so no value has to be read to tell.
 *
 * @param among the ids of the secret's versions.
 */
export function rootOf(versionId: string, among: Iterable<string>): string {
  for (const root of among) {
    if (publishedPhases.some((phase) => derivedToken(root, phase) === versionId)) return root;
  }
  return versionId;
}

/** Whether the current version was published by a rollout, as a phase after the one that the rotation made. */
export function isPhase({ versions, made }: Observed): boolean {
  const { current } = versions;
  return current !== null && rootOf(current, made.keys()) !== current;
}

/** AWSCURRENT was moved back: the version before it is younger than it is. */
export function isMovedBack({ current, previous }: Versions, made: ReadonlyMap<string, Date>): boolean {
  const [now, before] = [made.get(current ?? ''), made.get(previous ?? '')];
  return now !== undefined && before !== undefined && before > now;
}

/**
 * The version whose rollout tells how things stand: the current one, or the one that was given up when
 * AWSCURRENT was moved back, since a roll-back goes on under the name of the version that it gives up.
 */
export function concerned(versions: Versions, made: ReadonlyMap<string, Date>): string | null {
  return isMovedBack(versions, made) ? versions.previous : versions.current;
}

/**
 * finish has made the pending version current, and Secrets Manager has not closed the rotation: AWSPENDING is
 * still there, and LastRotatedDate is of an earlier one.
 */
export function isUnclosed({ versions, seen, made }: Observed): boolean {
  if (!versions.currentIsPending) return false;
  const since = made.get(versions.current ?? '');
  return since !== undefined && (seen.lastRotatedAt === null || seen.lastRotatedAt < since);
}

/**
 * A rotation closes after it made its version; a value that a person typed is younger than the last rotation.
 * So nobody has to read a value to tell the two apart.
 */
export function isMadeByRotation({ versions, seen, made }: Observed): boolean {
  const since = made.get(versions.current ?? '');
  return since !== undefined && seen.lastRotatedAt !== null && since <= seen.lastRotatedAt;
}

/** The version that waits to become current or to be closed, and since when; null: no rotation is open. */
export function openRotation(about: Observed): { versionId: string; since: Date | null } | null {
  const { versions, made, seen } = about;
  const versionId = versions.pending ?? (isUnclosed(about) ? versions.current : null);
  if (versionId === null) return null;
  return { versionId, since: made.get(versionId) ?? markedSince(seen.tags, versionId) };
}

/** When an empty pending version was first seen: nothing else dates it. */
function markedSince(tags: ReadonlyMap<string, string>, versionId: string): Date | null {
  const [marked, time = ''] = (tags.get(pendingSinceTag) ?? '').split(' ');
  const since = new Date(time);
  return marked === versionId && !Number.isNaN(since.getTime()) ? since : null;
}

/** How often this pending version was rejected, as far as the events of it arrived. */
export function rejectionsOf(tags: ReadonlyMap<string, string>, versionId: string): number {
  const [rejected, count] = (tags.get(rejectedTag) ?? '').split(' ');
  const number = Number(count);
  return rejected === versionId && Number.isSafeInteger(number) ? number : 0;
}
