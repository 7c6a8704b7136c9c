/** Follows one rotation from its token to its end: the four steps, then the rollout. */
import { setTimeout as sleep } from 'node:timers/promises';
import { rolledBackError } from '../../lambdas/contract/plan.ts';
import { ReencryptionState } from '../../lambdas/contract/rollout-state.ts';
import { derivedToken } from '../../lambdas/contract/tokens.ts';
import type { AccountClient, ExecutionSummary } from './endpoint/account-client.ts';
import type { HistoryEvent } from './endpoint/execution-history.ts';
import type { RotationRun } from './endpoint/secrets-manager/index.ts';
import type { ReportStage } from './report.ts';

/** Milliseconds between two looks, and without anything new. */
const pause = 60;
const patience = 60_000;

/** Items of a map between two words on its progress. */
const progressStep = 50;

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
  /** How the stored data was moved, as the rollout's output tells; null when it moved none, or did not complete. */
  readonly moved: { readonly rows: number; readonly left: number } | null;
}

/** @param onProgress hears the step or stage that runs now. */
export async function follow(
  client: AccountClient,
  token: string,
  onProgress: (what: string) => Promise<void>,
): Promise<Followed> {
  let deadline = performance.now() + patience;
  let seen = 0;
  const known = new Map<string, HistoryEvent[]>();
  // A rollout that is resumed from a phase of an overlap is named after that phase's version.
  const versions = new Set<unknown>([token, derivedToken(token, 'promoted')]);
  for (;;) {
    const run = (await client.rotations()).find((one) => one.token === token && one.kind === 'rotation');
    // The latest attempt, where the rollout was resumed.
    const execution = (await client.executions()).findLast(({ input }) => versions.has(versionOf(input)));
    const history = execution === undefined ? [] : await grown(client, execution.arn, known);
    // A map over hundreds of instances takes its time on a busy machine; what still moves is not given up.
    if (history.length > seen) deadline = performance.now() + patience;
    seen = history.length;
    const refusal = run === undefined ? null : refusalOf(run);
    if (run !== undefined && refusal !== null) {
      return {
        end: 'refused',
        stages: stepsOf(run),
        sentence: refusal,
        oldValueRefused: null,
        transitions: null,
        moved: null,
      };
    }
    if (
      run !== undefined &&
      execution !== undefined &&
      execution.status !== 'RUNNING' &&
      run.status === 'succeeded'
    ) {
      // It may have ended after its history was read.
      return ended(run, execution, await grown(client, execution.arn, known));
    }
    const stuck = execution === undefined ? null : stuckIn(history);
    if (run !== undefined && execution !== undefined && stuck !== null) {
      return {
        end: 'stalled',
        stages: [...stepsOf(run), ...stagesOf(history)],
        sentence: stuck,
        oldValueRefused: null,
        transitions: execution.stateTransitions,
        moved: null,
      };
    }
    await onProgress(now(run, history));
    if (performance.now() > deadline) {
      const sentence = `It was not over after ${patience / 1000} s: the rotation is ${run?.status ?? 'unknown'}, the rollout ${execution?.status ?? 'not started'}.`;
      return {
        end: 'stalled',
        stages: run === undefined ? [] : stepsOf(run),
        sentence,
        oldValueRefused: null,
        transitions: null,
        moved: null,
      };
    }
    await sleep(pause);
  }
}

/**
 * The history so far. Only what is new is asked for: a map over hundreds of instances has thousands of events.
 *
 * @param known what was read before, by execution
 */
async function grown(
  client: AccountClient,
  execution: string,
  known: Map<string, HistoryEvent[]>,
): Promise<readonly HistoryEvent[]> {
  const events = known.get(execution) ?? [];
  known.set(execution, events);
  events.push(...(await client.history(execution, events.length)));
  return events;
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
    moved: movedIn(output),
  };
}

/** What the state says of stored data: `left` is what no key opens and a person acknowledged. */
function movedIn(output: Readonly<Record<string, unknown>> | null): Followed['moved'] {
  const state = ReencryptionState.safeParse(output?.reencryption);
  if (!state.success || state.data.targets.length === 0) return null;
  const sum = (of: 'moved' | 'left') => state.data.targets.reduce((total, count) => total + count[of], 0);
  return { rows: sum('moved'), left: sum('left') };
}

function endOf({ status, error }: ExecutionSummary, superseded: boolean): End {
  if (status === 'SUCCEEDED') return superseded ? 'superseded' : 'completed';
  return error === rolledBackError ? 'rolled-back' : 'stalled';
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
  const marks = history.filter(
    (event) => stageIn(event) !== null || /^Execution(Succeeded|Failed)$/.test(event.type),
  );
  return marks.flatMap((event, index) => {
    const name = stageIn(event);
    if (name === null) return [];
    const exit = marks[index + 1];
    const until = exit?.timestamp ?? history.at(-1)?.timestamp ?? event.timestamp;
    return [{ name, seconds: Math.round(Math.max(0, until - event.timestamp) * 1000) / 1000 }];
  });
}

function refusalOf(run: RotationRun): string | null {
  const outcome = run.attempts[0]?.steps.at(-1)?.outcome;
  if (typeof outcome !== 'object' || outcome === null || !refusals.has(outcome.errorType)) return null;
  return outcome.errorMessage;
}

function now(run: RotationRun | undefined, history: readonly HistoryEvent[]): string {
  if (history.length === 0)
    return run?.attempts.at(-1)?.steps.at(-1)?.step.replace('Secret', '') ?? 'asked for';
  const entered = history.findLast((event) => stageIn(event) !== null);
  const name = entered === undefined ? null : stageIn(entered);
  if (entered === undefined || name === null) return 'rollout';
  return `${name}${entered.type === 'MapStateEntered' ? ` ${mapProgress(entered, history)}` : ''}`;
}

/** "120 of 500": items that have come to their end, failed ones too. */
function mapProgress(entered: HistoryEvent, history: readonly HistoryEvent[]): string {
  const since = history.filter(({ id }) => id > entered.id);
  const done = since.filter(({ type }) => type === 'MapIterationSucceeded').length;
  // In steps: a pipe gets a line for each change.
  return `${done - (done % progressStep)} of ${itemsIn(entered.stateEnteredEventDetails)}`;
}

/** How long the list is that a map was entered with. */
function itemsIn(details: unknown): number {
  const input = typeof details === 'object' && details !== null ? Reflect.get(details, 'input') : undefined;
  const state = typeof input === 'string' ? record(input) : null;
  const items = state?.ranges ?? state?.instances;
  return Array.isArray(items) ? items.length : 0;
}

/** The stage that an event enters; null for other events, and for the states inside a map. */
function stageIn({ stateEnteredEventDetails }: HistoryEvent): string | null {
  const name = nameIn(stateEnteredEventDetails);
  return name === null || isInner(name) ? null : name;
}

/** States inside a map are named after it, with a colon. */
function isInner(name: string): boolean {
  return name.includes(': ');
}

/** The sentence of a stage that fails again and again; null while there is hope. */
function stuckIn(history: readonly HistoryEvent[]): string | null {
  const entered = history.findLast((event) => stageIn(event) !== null);
  const latest = history.at(-1);
  if (entered === undefined || latest === undefined) return null;
  // Items of a map fail side by side, and the map goes on.
  if (entered.type === 'MapStateEntered') return null;
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
