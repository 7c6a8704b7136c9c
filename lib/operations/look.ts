import type { OperatorPorts, SecretOverview } from '../../lambdas/contract/operator-ports.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { attemptInCharge, type RolloutStanding, standingOf, type Walked } from './rollout-standing.ts';
import type { Subject } from './subject.ts';

/** What can be seen of a secret without reading a value: ids, labels, tags, times, executions. */
export interface Sighting {
  readonly subject: Subject;
  readonly overview: SecretOverview;
  /** The version under AWSCURRENT; null: the secret is empty. */
  readonly currentId: string | null;
  readonly previousId: string | null;
  /** The version that has AWSPENDING and is not current: a rotation that is not over. Null: none. */
  readonly pendingId: string | null;
  /** The attempt in charge of the current version. */
  readonly walked: Walked | null;
  readonly rollout: RolloutStanding;
  readonly now: Date;
}

/** Looks at a secret; changes nothing. @throws KeyturnError of AWS. */
export async function lookAt(
  subject: Subject,
  { secrets, rollouts, clock }: OperatorPorts,
): Promise<Sighting> {
  const overview = await secrets.overview(subject.secret.settings.id);
  const { walked, overtaken } = await attemptInCharge(subject, overview, rollouts);
  const now = clock.now();
  const currentId = holderOf(overview, 'AWSCURRENT');
  const pending = holderOf(overview, 'AWSPENDING');
  return {
    subject,
    overview,
    currentId,
    previousId: holderOf(overview, 'AWSPREVIOUS'),
    pendingId: pending === currentId ? null : pending,
    walked,
    rollout: standingOf({ overview, now, walked, overtaken }),
    now,
  };
}

/** Milliseconds since a version was made; null where Secrets Manager does not list it. */
export function ageOf({ overview, now }: Sighting, versionId: string): number | null {
  const createdAt = overview.versions.get(versionId)?.createdAt;
  return createdAt === undefined ? null : Math.max(0, now.getTime() - createdAt.getTime());
}
