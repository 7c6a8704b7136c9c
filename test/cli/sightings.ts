/** Sightings put together by hand: what Secrets Manager and Step Functions might show of a secret. */
import { fileURLToPath } from 'node:url';
import type { ExecutionSummary, SecretOverview } from '../../lambdas/contract/operator-ports.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { readDeployments } from '../../lib/deployment/read.ts';
import type { Sighting } from '../../lib/operations/look.ts';
import type { RolloutStanding, Walked } from '../../lib/operations/rollout-standing.ts';
import { type Subject, subjectOf } from '../../lib/operations/subject.ts';

export const now = new Date('2026-11-21T12:00:00Z');

/** A moment this many minutes before now. */
export const minutesAgo = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);

export function subject(key: string, example = 'ocore'): Subject {
  const file = fileURLToPath(new URL(`../../lib/examples/${example}.json`, import.meta.url));
  const [deployment] = readDeployments([file]);
  if (deployment === undefined) throw new Error(`there is no example ${example}`);
  return subjectOf(deployment, key);
}

export interface Shown {
  /** Version -> its labels, and how many minutes old it is. */
  readonly versions?: Readonly<Record<string, { readonly labels: readonly string[]; readonly age: number }>>;
  readonly tags?: Readonly<Record<string, string>>;
  readonly rotated?: Date | null;
  readonly due?: Date;
  readonly rotationOff?: boolean;
  readonly deleted?: boolean;
}

export const arn = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:ocore/jwt-AbCdEf';

/** Default: version `new` is current since an hour, `old` was before, and the rollout was completed. */
export function overview(shown: Shown = {}): SecretOverview {
  const versions = Object.entries(
    shown.versions ?? {
      new: { labels: ['AWSCURRENT'], age: 60 },
      old: { labels: ['AWSPREVIOUS'], age: 90_000 },
    },
  );
  return {
    arn,
    name: 'ocore/jwt',
    rotationEnabled: shown.rotationOff !== true,
    rotationFunctionArn: 'arn:aws:lambda:eu-central-1:111122223333:function:keyturn-x',
    labels: new Map(
      versions.filter(([, { labels }]) => labels.length > 0).map(([id, { labels }]) => [id, labels]),
    ),
    tags: new Map(Object.entries(shown.tags ?? { 'keyturn:completed': 'new' })),
    lastRotatedAt: shown.rotated === undefined ? minutesAgo(59) : shown.rotated,
    deleted: shown.deleted === true,
    nextRotationAt: shown.due ?? null,
    versions: new Map(versions.map(([id, { age }]) => [id, { createdAt: minutesAgo(age) }])),
  };
}

export function sighting(
  about: Subject,
  shown: Shown,
  rollout: RolloutStanding = { is: 'completed' },
): Sighting {
  const seen = overview(shown);
  const holder = (label: string) =>
    [...seen.labels].find(([, labels]) => labels.includes(label))?.[0] ?? null;
  const pending = holder('AWSPENDING');
  const currentId = holder('AWSCURRENT');
  return {
    subject: about,
    overview: seen,
    currentId,
    previousId: holder('AWSPREVIOUS'),
    pendingId: pending === currentId ? null : pending,
    walked: null,
    rollout,
    now,
  };
}

export const state: RolloutState = {
  schema: 1,
  secretId: arn,
  versionId: 'new',
  previousVersionId: 'old',
  plan: 'redeploy-and-prove',
  publishedAt: minutesAgo(59).toISOString(),
  attempt: 1,
};

/** An execution that went through these states, each with the rollout's state that it was given. */
export function walked(
  end: Partial<ExecutionSummary>,
  way: readonly (readonly [string, RolloutState, { readonly error: string; readonly cause: string }?])[],
): Walked {
  const execution: ExecutionSummary = {
    arn: 'arn:aws:states:eu-central-1:111122223333:execution:keyturn-x:y',
    status: 'FAILED',
    startedAt: minutesAgo(58),
    stoppedAt: minutesAgo(50),
    input: JSON.stringify(way[0]?.[1] ?? state),
    output: null,
    error: null,
    ...end,
  };
  const states = way.map(([name, given, failure], index) => ({
    name,
    enteredAt: minutesAgo(58 - index),
    input: JSON.stringify(given),
    failures: failure === undefined ? 0 : 1,
    lastFailure: failure ?? null,
  }));
  return { number: 1, execution, states };
}
