import { type ExecutionStatus, type Executions, executionStatuses } from '../contract/fleet.ts';
import { executionName } from '../rollout/start.ts';

/** The last attempt of a rollout that runs, or that ended otherwise than well. */
export interface RolloutSeen {
  readonly status: ExecutionStatus;
  /** 1 for the first execution; more when it was resumed. */
  readonly attempt: number;
  readonly startedAt: Date;
}

/** The rollout of a version; null: none is running, and none has failed within 90 days. */
export type RolloutOf = (key: string, secretId: string, versionId: string) => RolloutSeen | null;

/**
 * Reads which rollouts run and which failed, a thousand a call. Asking for each execution by its name would
 * take a call a secret from a bucket that fills with 10–15 a second (Step Functions developer guide, "Quotas").
 */
export async function rolloutsSeen(
  executions: Executions,
  stateMachineArns: Iterable<string>,
): Promise<RolloutOf> {
  const seen = new Map<string, RolloutSeen>();
  for (const arn of stateMachineArns) {
    for (const status of executionStatuses) {
      let cursor: string | null = null;
      do {
        const page = await executions.list(arn, status, cursor);
        for (const { name, startedAt } of page.executions) remember(seen, name, status, startedAt);
        cursor = page.next;
      } while (cursor !== null);
    }
  }
  return (key, secretId, versionId) =>
    seen.get(executionName(key, { secretId, versionId, attempt: 1 })) ?? null;
}

/** A resumed rollout is an execution of its own, with its attempt at the end of the name (rollout/start.ts). */
function remember(
  seen: Map<string, RolloutSeen>,
  name: string,
  status: ExecutionStatus,
  startedAt: Date,
): void {
  const [, first = name, again = '1'] = /^(.*-[0-9a-f]{32})(?:-([0-9]+))?$/.exec(name) ?? [];
  const attempt = Number(again);
  const known = seen.get(first);
  if (known === undefined || attempt > known.attempt) seen.set(first, { status, attempt, startedAt });
}
