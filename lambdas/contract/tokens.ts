import { createHash } from 'node:crypto';

/** The phases that a rollout publishes, each as a version of its own. */
export const publishedPhases = ['promoted', 'retired', 'withdrawn'] as const;

/**
 * The version id of a later phase of one rotation. It follows from the rotation's own token, so that a stage
 * that runs twice writes one version.
 *
 * @returns 36 characters in the form of a UUID: ids of versions have 32 to 64 (API reference, PutSecretValue).
 */
export function derivedToken(root: string, phase: string): string {
  const hex = createHash('sha256').update(`${root} ${phase}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
