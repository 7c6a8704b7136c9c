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

/** The tag by which a person consents: `2026-11-21T18:00:00Z jane: planned cutover`. */
export const consentTag = 'keyturn:consent';

/** The tag that names the version that was current when a person consented: another one has used it up. */
export const consentBaseTag = 'keyturn:consent-base';

/** The tag that tells which version's rollout was completed last. */
export const completedTag = 'keyturn:completed';

/** The tag that names the version whose rollout was rolled back last. */
export const rolledBackTag = 'keyturn:rolled-back';
