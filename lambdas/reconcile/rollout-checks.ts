/** What can be wrong after a rotation has finished. */
import { command } from '../contract/commands.ts';
import { beforeLabel } from '../contract/marks.ts';
import { type PlanId, plans } from '../contract/plan.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageId } from '../contract/stages.ts';
import { derivedToken } from '../contract/tokens.ts';
import type { Objection } from './decision.ts';
import { limits, longestRollout } from './limits.ts';
import { concerned, isMadeByRotation, isMovedBack, isUnclosed, type Observed, rootOf } from './observed.ts';
import { slotOf } from './slot.ts';
import { ageOf, lasted, none, nothing, stalled } from './words.ts';

/** Its event was lost, or came to nothing. The execution's name keeps a late event from starting a second one. */
export function rolloutMissing(about: Observed): Objection | null {
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
  // No event of ours tells of a rotation that another service made.
  const grace = about.secret.observed === true ? 0 : limits.eventGrace;
  const due = new Date(lastRotatedAt.getTime() + grace + slotOf(seen.name, spread));
  if (now < due) {
    return nothing(`The rollout of ${seen.name} has not begun; it is started after ${due.toISOString()}.`);
  }
  return {
    is: 'start',
    sentence: `The rotation of ${seen.name} finished at ${lastRotatedAt.toISOString()} and no rollout of version ${current} was started: it is started now.`,
    // When Secrets Manager closed the rotation: a moment after AWSCURRENT moved, so that a consumer that is
    // younger has certainly read the new version.
    state: {
      versionId: current,
      previousVersionId: versions.previous,
      publishedAt: lastRotatedAt,
      attempt: 1,
    },
  };
}

/**
 * An overlap that was stopped from outside while both values were held: nothing failed there, and until it goes
 * on the old value stays accepted. Continued a few times only: whoever stops it again means it. Plans without
 * a hold are left to a person: what was stopped there may be a re-encryption, which somebody did not want then.
 *
 * The next attempt looks at every consumer again and holds anew. When AWSCURRENT moved is not known here, so its
 * publication counts from now: that restarts consumers once more, and can leave none with an old value.
 */
export function holdStopped(about: Observed): Objection | null {
  const { secret, versions, rollout, made, seen, attempts, attemptsOfCurrent, now } = about;
  const { current, completed, rolledBack } = versions;
  if (current === null || current === completed || current === rolledBack) return null;
  if (rollout?.status !== 'ABORTED' && rollout?.status !== 'TIMED_OUT') return null;
  if (isMovedBack(versions, made) || attempts > limits.continuations) return null;
  if (!holds(secret)) return null;
  const root = rootOf(current, made.keys());
  if (current !== derivedToken(root, 'promoted')) return null;
  const before = [...seen.labels].find(([, labels]) => labels.includes(beforeLabel))?.[0] ?? null;
  return {
    is: 'start',
    sentence: `The rollout of ${seen.name} was stopped from outside (${rollout.status}) while both values were held; it is continued now (attempt ${attempts + 1} of at most ${limits.continuations + 1}).`,
    state: {
      versionId: current,
      previousVersionId: before,
      lastProvenVersionId: root,
      publishedAt: now,
      attempt: attemptsOfCurrent + 1,
    },
  };
}

function holds({ plan }: SecretSettings): boolean {
  const stages: readonly StageId[] = Object.hasOwn(plans, plan) ? plans[plan as PlanId].stages : [];
  return stages.includes('hold');
}

/**
 * The consumers were stopped while data was moved, and the rollout that should start them has ended: most often since
 * somebody typed a value. They stay stopped until a person decides under which key the data is to be.
 */
export function consumersStopped({
  stopped,
  rollout,
  versions,
  seen,
  secret,
  now,
}: Observed): Objection | null {
  if (stopped === null || stopped.rollout?.status === 'RUNNING' || rollout?.status === 'RUNNING') return null;
  // Its execution may not be in the list yet, or end just now.
  if (ageOf(stopped.since, now) < limits.eventGrace) return null;
  return {
    is: 'tell',
    finding: 'consumers-stopped',
    versionId: versions.current ?? none,
    sentence: `The consumers of ${seen.name} were stopped at ${stopped.since.toISOString()} to move its data, and no rollout that would start them is under way.`,
    next: command('resume', secret.key),
  };
}

/** Told again and never restarted: whoever stopped it, or what did, is still there. */
export function rolloutStalled(about: Observed): Objection | null {
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

export function rolloutLate({ versions, made, rollout, seen, secret, now }: Observed): Objection | null {
  const version = concerned(versions, made);
  if (version === null || rollout?.status !== 'RUNNING') return null;
  const age = ageOf(rollout.startedAt, now);
  const longest = longestRollout(secret);
  if (age <= longest) return null;
  return {
    is: 'tell',
    finding: 'rollout-late',
    versionId: version,
    sentence: `The rollout of version ${version} of ${seen.name} has been running for ${lasted(age)}; at most ${lasted(longest)} are expected.`,
    next: command('status', secret.key),
  };
}
