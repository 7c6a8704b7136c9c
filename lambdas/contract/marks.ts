/** Labels and tags of Keyturn's own on a secret: where state lives that must outlast every process. */

/** The label under which a value that a person supplied waits to be copied by the next rotation. */
export const suppliedLabel = 'KEYTURN_SUPPLIED';

/** The label that a version has while a phase of an overlap is being published. */
export const phaseLabel = 'KEYTURN_PHASE';

/**
 * The label that pins the version from before an overlap: AWSPREVIOUS goes to the next write, whoever makes it,
 * and what has no label may be deleted.
 */
export const beforeLabel = 'KEYTURN_BEFORE';

/**
 * The label that pins the version that a rollout of a data key gave up: data may be under its keys until the way back
 * is over, which the tag `rolledBackTag` tells.
 */
export const givenUpLabel = 'KEYTURN_GIVEN_UP';

/** The tag by which a person consents: `2026-11-21T18:00:00Z jane: planned cutover`. */
export const consentTag = 'keyturn:consent';

/** The tag that names the version that was current when a person consented: another one has used it up. */
export const consentBaseTag = 'keyturn:consent-base';

/** The tag that tells which version's rollout was completed last. */
export const completedTag = 'keyturn:completed';

/**
 * The tag that names the version whose rollout takes the value before it away at its target: written before that, so
 * that nothing goes back to a value which may not work any more.
 */
export const disabledTag = 'keyturn:disabled';

/**
 * The tag that tells where the sessions at a target stood before the consumers of a version restarted, for targets that
 * do not tell when a session began: `<version> 2026-11-21T18:00:00Z <mark>`.
 */
export const sessionsTag = 'keyturn:sessions';

/** The tag that names the version whose rollout was rolled back last. */
export const rolledBackTag = 'keyturn:rolled-back';

/**
 * The tag that tells since when the consumers are stopped so that data can be moved, and for which version's rollout:
 * `<version> 2026-11-21T18:00:00Z`; `none` once they run again.
 */
export const stoppedTag = 'keyturn:stopped';

/** @returns null when the consumers run. */
export function stoppedIn(
  tags: ReadonlyMap<string, string>,
): { readonly versionId: string; readonly since: Date } | null {
  const [versionId = '', time = ''] = tags.get(stoppedTag)?.split(' ') ?? [];
  const since = new Date(time);
  return Number.isNaN(since.getTime()) ? null : { versionId, since };
}

/** The tag of every secret that a stack of ours created: its deployment's name. */
export const deploymentTag = 'keyturn:deployment';

/** The tag by which the reconciler remembers what it told last: `rotation-stuck <version> 2026-11-21T18:00:00Z`. */
export const toldTag = 'keyturn:told';

/** The tag that counts how often a pending value was rejected: `<version> <count> <id of the last event>`. */
export const rejectedTag = 'keyturn:rejected';

/** The tag that tells since when a pending version without a value has been seen: `<version> <time>`. */
export const pendingSinceTag = 'keyturn:pending-since';
