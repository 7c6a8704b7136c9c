/** What stands in the way of a rotation now: asked before RotateSecret, whose own refusal explains nothing. */
import { KeyturnError } from '../../lambdas/contract/errors.ts';
import { suppliedLabel } from '../../lambdas/contract/marks.ts';
import { consentFor } from '../../lambdas/rotation/consent.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { consentNeed, consentOn } from './consents.ts';
import { findingsOf, isNewer, type Limits, usualLimits } from './findings.ts';
import type { Sighting } from './look.ts';

export interface Obstacle {
  readonly sentence: string;
  /** What to do about it. */
  readonly hint: string;
}

type Check = (sighting: Sighting, limits: Limits) => Obstacle | null;

const checks: readonly Check[] = [
  ({ overview }) =>
    overview.deleted
      ? {
          sentence: `The secret ${overview.name} is scheduled for deletion.`,
          hint: 'Restore it with RestoreSecret first.',
        }
      : null,
  ({ subject, overview }) =>
    subject.secret.class.admission === 'elsewhere'
      ? {
          sentence: `The secret ${overview.name} is rotated by the service that manages it, not by Keyturn.`,
          hint: 'Rotate it there (for RDS: modify-db-instance --rotate-master-user-password --apply-immediately); the rollout follows.',
        }
      : null,
  ({ overview }) =>
    overview.rotationFunctionArn === null
      ? {
          sentence: `The secret ${overview.name} has no rotation function.`,
          hint: 'Deploy the stack of this deployment file; it sets the function.',
        }
      : null,
  (sighting, limits) => {
    if (sighting.pendingId === null) return null;
    const finding = findingsOf(sighting, limits).find(({ id }) => id.startsWith('pending-'));
    return {
      sentence: finding?.sentence ?? `AWSPENDING is on version ${sighting.pendingId}.`,
      hint:
        finding?.command == null
          ? `Wait for it; if it stays, clear it: keyturn discard ${sighting.subject.secret.key}.`
          : `Clear it: ${finding.command}.`,
    };
  },
  (sighting) => consentObstacle(sighting),
  (sighting) => {
    const { subject, overview, currentId } = sighting;
    const { key, class: secretClass } = subject.secret;
    if (!secretClass.supplied) return null;
    const suppliedId = holderOf(overview, suppliedLabel);
    return suppliedId !== null && isNewer(sighting, suppliedId, currentId)
      ? null
      : {
          sentence: `The value of ${key} comes from a person, and none waits to be used.`,
          hint: `Supply it: keyturn supply ${key}.`,
        };
  },
];

/** Everything in the way of a rotation, the first one first; none: it may begin. */
export function obstaclesTo(sighting: Sighting, limits: Limits = usualLimits): Obstacle[] {
  return checks.flatMap((check) => check(sighting, limits) ?? []);
}

/** The create step decides the same way; here it is asked before anything has begun. */
function consentObstacle({ subject, overview, now }: Sighting): Obstacle | null {
  const { key } = subject.secret;
  const reason = consentNeed(subject, now);
  if (reason === null) return null;
  const hint = `Consent to it: keyturn approve ${key} --for 1h --reason "…".`;
  if (consentOn(overview, now)?.is === 'used') {
    return {
      sentence: `${key} does not rotate without a person's consent, because ${reason}; the consent on it has been used.`,
      hint,
    };
  }
  try {
    consentFor(overview, reason, undefined, now);
    return null;
  } catch (caught) {
    if (!(caught instanceof KeyturnError)) throw caught;
    return { sentence: caught.message, hint };
  }
}
