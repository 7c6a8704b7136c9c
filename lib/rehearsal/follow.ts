/** Follows one rotation from its token to its end: the four steps, then the rollout. */
import { setTimeout as sleep } from 'node:timers/promises';
import { waysOut } from '../../lambdas/contract/plan.ts';
import type { AccountClient, ExecutionSummary } from './endpoint/account-client.ts';
import type { HistoryEvent } from './endpoint/execution-history.ts';
import type { RotationRun } from './endpoint/secrets-manager/index.ts';
import type { ReportStage } from './report.ts';

/** Milliseconds between two looks, and for the whole way. */
const pause = 60;
const patience = 60_000;

/**
 * A stage that has failed this often, over this many milliseconds, is not waited for any longer: on AWS it would be
 * tried for hours more, since a person may come and help, and to a rehearsal nobody comes.
 */
const mostFailures = 6;
const leastWait = 4_000;

/** Refusals by which a rotation ends at once, whatever Secrets Manager tries again. */
const refusals: ReadonlySet<string> = new Set([
  'ConsentMissing',
  'SupplyMissing',
  'DocumentInvalid',
  'ValueRejected',
  'CurrentChanged',
]);

export type End = 'completed' | 'superseded' | 'rolled-back' | 'stalled' | 'refused';

export interface Followed {
  readonly end: End;
  readonly stages: readonly ReportStage[];
  /** The sentence of a refusal or failure; null when there was none. */
  readonly sentence: string | null;
  /** What the prove stage found; null when it did not come to that. */
  readonly oldValueRefused: boolean | null;
  /** State transitions of the rollout. */
  readonly transitions: number | null;
}

/** @param onProgress hears the step or stage that runs now. */
export async function follow(
  client: AccountClient,
  token: string,
  onProgress: (what: string) => Promise<void>,
): Promise<Followed> {
  const deadline = performance.now() + patience;
  for (;;) {
    const run = (await client.rotations()).find((one) => one.token === token && one.kind === 'rotation');
    const execution = (await client.executions()).find(({ input }) => versionOf(input) === token);
    const refusal = run === undefined ? null : refusalOf(run);
    if (run !== undefined && refusal !== null) {
      return {
        end: 'refused',
        stages: stepsOf(run),
        sentence: refusal,
        oldValueRefused: null,
        transitions: null,
      };
    }
    if (
      run !== undefined &&
      execution !== undefined &&
      execution.status !== 'RUNNING' &&
      run.status === 'succeeded'
    ) {
      return ended(run, execution, await client.history(execution.arn));
    }
    const stuck = execution === undefined ? null : stuckIn(await client.history(execution.arn));
    if (run !== undefined && execution !== undefined && stuck !== null) {
      return {
        end: 'stalled',
        stages: [...stepsOf(run), ...stagesOf(await client.history(execution.arn))],
        sentence: stuck,
        oldValueRefused: null,
        transitions: execution.stateTransitions,
      };
    }
    await onProgress(await now(client, run, execution));
    if (performance.now() > deadline) {
      const sentence = `It was not over after ${patience / 1000} s: the rotation is ${run?.status ?? 'unknown'}, the rollout ${execution?.status ?? 'not started'}.`;
      return {
        end: 'stalled',
        stages: run === undefined ? [] : stepsOf(run),
        sentence,
        oldValueRefused: null,
        transitions: null,
      };
    }
    await sleep(pause);
  }
}

function ended(run: RotationRun, execution: ExecutionSummary, history: readonly HistoryEvent[]): Followed {
  const stages = [...stepsOf(run), ...stagesOf(history)];
  const superseded = stages.some(({ name }) => name === 'superseded');
  const end = endOf(execution, superseded);
  const output = execution.output === null ? null : record(execution.output);
  return {
    end,
    stages: stages.filter(({ name }) => !['done', 'superseded', 'stalled', 'rolled back'].includes(name)),
    sentence: end === 'stalled' || end === 'rolled-back' ? failureIn(history) : null,
    oldValueRefused: output?.oldValueRefused === true ? true : null,
    transitions: execution.stateTransitions,
  };
}

function endOf({ status, error }: ExecutionSummary, superseded: boolean): End {
  if (status === 'SUCCEEDED') return superseded ? 'superseded' : 'completed';
  return error === waysOut['roll-back'].error ? 'rolled-back' : 'stalled';
}

/** The steps of the attempt that counted, and before it what earlier attempts took. */
function stepsOf(run: RotationRun): ReportStage[] {
  return run.attempts.flatMap((attempt, index) => {
    const again = run.attempts.length > 1 ? ` (try ${index + 1})` : '';
    return attempt.steps.map(({ step, startedAt, endedAt }) => ({
      name: `${step.replace('Secret', '')}${again}`,
      seconds: Math.max(0, (endedAt ?? startedAt) - startedAt) / 1000,
    }));
  });
}

function stagesOf(history: readonly HistoryEvent[]): ReportStage[] {
  return history.flatMap((event) => {
    const name = nameIn(event.stateEnteredEventDetails);
    if (name === null) return [];
    const exit = history.find(
      (later) => later.id > event.id && /StateEntered$|^Execution(Succeeded|Failed)$/.test(later.type),
    );
    const until = exit?.timestamp ?? history.at(-1)?.timestamp ?? event.timestamp;
    return [{ name, seconds: Math.round(Math.max(0, until - event.timestamp) * 1000) / 1000 }];
  });
}

function refusalOf(run: RotationRun): string | null {
  const outcome = run.attempts[0]?.steps.at(-1)?.outcome;
  if (typeof outcome !== 'object' || outcome === null || !refusals.has(outcome.errorType)) return null;
  return outcome.errorMessage;
}

async function now(
  client: AccountClient,
  run: RotationRun | undefined,
  execution: ExecutionSummary | undefined,
): Promise<string> {
  if (execution === undefined)
    return run?.attempts.at(-1)?.steps.at(-1)?.step.replace('Secret', '') ?? 'asked for';
  const entered = (await client.history(execution.arn)).flatMap(
    (event) => nameIn(event.stateEnteredEventDetails) ?? [],
  );
  return entered.at(-1) ?? 'rollout';
}

/** The sentence of a stage that fails again and again; null while there is hope. */
function stuckIn(history: readonly HistoryEvent[]): string | null {
  const entered = history.findLast((event) => nameIn(event.stateEnteredEventDetails) !== null);
  const latest = history.at(-1);
  if (entered === undefined || latest === undefined) return null;
  const failures = history.filter(({ id, type }) => id > entered.id && type === 'TaskFailed').length;
  const waited = (latest.timestamp - entered.timestamp) * 1000;
  if (failures < mostFailures || waited < leastWait) return null;
  return `${failureIn(history)} The stage ${nameIn(entered.stateEnteredEventDetails)} was tried ${failures} times.`;
}

function failureIn(history: readonly HistoryEvent[]): string {
  const failed = history.findLast(({ type }) => type === 'TaskFailed');
  const details = failed?.taskFailedEventDetails;
  const cause =
    typeof details === 'object' && details !== null && 'cause' in details ? String(details.cause) : '';
  const message = record(cause)?.errorMessage;
  return typeof message === 'string' ? message : 'The rollout stopped.';
}

function versionOf(input: string): unknown {
  return record(input)?.versionId;
}

function nameIn(details: unknown): string | null {
  return typeof details === 'object' &&
    details !== null &&
    'name' in details &&
    typeof details.name === 'string'
    ? details.name
    : null;
}

function record(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}
