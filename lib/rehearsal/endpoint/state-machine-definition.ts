/**
 * Reads a state machine's definition and turns it into what the interpreter runs correctly.
 *
 * aws-local-stepfunctions runs JSONPath definitions, with deviations that matter here, so that each is either
 * rewritten or refused: it would ignore JSONata, give up a task after 60 s, let a timer above 24.8 days fire at
 * once, sleep real hours, and knows no `$$.State` (of which a task's RetryCount is counted here).
 */

import { StateMachine } from 'aws-local-stepfunctions';
import { isObject, listOf, number, object, objects, text } from './json-shape.ts';
import type { Json, JsonObject } from './wire.ts';

/** A state that the interpreter hands to us: a task, or a wait in a task's clothes. */
export type Handed =
  | {
      readonly kind: 'task';
      readonly resource: string;
      /** Members of the parameters that are `$$.State.RetryCount`. */
      readonly retryCounts: readonly string[];
    }
  | { readonly kind: 'wait'; readonly duration: WaitDuration };

export type WaitDuration =
  | { readonly seconds: number }
  | { readonly secondsPath: string }
  | { readonly timestamp: string }
  | { readonly timestampPath: string };

export interface PreparedDefinition {
  /** What the interpreter runs. */
  readonly definition: JsonObject;
  readonly handed: ReadonlyMap<string, Handed>;
  /** The states of items that are executions of their own: those of distributed maps. */
  readonly apart: ReadonlySet<string>;
  /** The definition's own limit; null: a year, which no rehearsal lasts. */
  readonly timeoutSeconds: number | null;
}

/** https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
const nameLimit = 80;
const definitionLimitBytes = 1_048_576;

/** A timer in Node holds 2^31 - 1 ms; Step Functions' own default is 99,999,999 s. */
const longestTimeoutSeconds = 2_147_483;

/**
 * @param compression divides the intervals of Retry; the waits are divided where they are slept
 * @throws Error that names the state for what AWS refuses, and for what cannot be rehearsed
 */
export function prepareDefinition(json: string, compression: number, where: string): PreparedDefinition {
  if (Buffer.byteLength(json) > definitionLimitBytes)
    throw new Error(`${where}: a definition has at most 1 MB`);
  const definition = object(JSON.parse(json) as Json);
  refuseUnsupported(definition, where);
  const handed = new Map<string, Handed>();
  const names = new Set<string>();
  const apart = new Set<string>();
  const { TimeoutSeconds, ...rest } = prepareStates(definition, { compression, where, handed, names, apart });
  refuseState(rest, where);
  validate(definition, where);
  return { definition: rest, handed, apart, timeoutSeconds: number(TimeoutSeconds) ?? null };
}

/** The package's type for definitions, which a parsed JSON text has after it was validated. */
export const asDefinition = (definition: JsonObject): ConstructorParameters<typeof StateMachine>[0] =>
  definition as unknown as ConstructorParameters<typeof StateMachine>[0];

/** The package compiles its schemas anew each time, which takes a quarter of a second. */
const validated = new Set<string>();

/** The package's own validation: unknown fields, unreachable states, paths that do not parse. */
function validate(definition: JsonObject, where: string): void {
  const json = JSON.stringify(definition);
  if (validated.has(json)) return;
  try {
    void new StateMachine(asDefinition(definition), { validationOptions: { checkArn: false } });
    validated.add(json);
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

interface Preparation {
  readonly compression: number;
  readonly where: string;
  readonly handed: Map<string, Handed>;
  readonly names: Set<string>;
  readonly apart: Set<string>;
}

function refuseUnsupported(definition: JsonObject, where: string): void {
  const json = JSON.stringify(definition);
  if (/"QueryLanguage":"JSONata"/.test(json))
    throw new Error(`${where}: the rehearsal runs JSONPath, not JSONata`);
}

/** What is left of the context object's state once the retry counts of tasks were taken out. */
function refuseState(definition: JsonObject, where: string): void {
  const [path] = /\$\$\.(State|Task)\b/.exec(JSON.stringify(definition)) ?? [];
  if (path !== undefined) throw new Error(`${where}: the rehearsal has no ${path} in the context object`);
}

function prepareStates(machine: JsonObject, preparation: Preparation): JsonObject {
  const states = Object.entries(object(machine.States)).map(([name, state]): [string, Json] => {
    const at = `${preparation.where}, state ${name}`;
    if (name.length > nameLimit) throw new Error(`${at}: a name has at most ${nameLimit} characters`);
    if (preparation.names.has(name)) throw new Error(`${at}: names are unique within the whole machine`);
    preparation.names.add(name);
    return [name, prepareState(name, object(state), { ...preparation, where: at })];
  });
  return { ...machine, States: Object.fromEntries(states) };
}

function prepareState(name: string, state: JsonObject, preparation: Preparation): JsonObject {
  const retrying = withCompressedRetry(state, preparation.compression);
  switch (text(state.Type)) {
    case 'Task': {
      const retryCounts = retryCountsIn(state);
      preparation.handed.set(name, { kind: 'task', resource: text(state.Resource) ?? '', retryCounts });
      const counted = withoutRetryCounts(retrying, retryCounts);
      if (state.TimeoutSecondsPath !== undefined) return counted;
      const limit = Math.min(number(state.TimeoutSeconds) ?? longestTimeoutSeconds, longestTimeoutSeconds);
      return { ...counted, TimeoutSeconds: limit };
    }
    case 'Wait': {
      preparation.handed.set(name, { kind: 'wait', duration: durationOf(state, preparation.where) });
      const { Seconds: _s, SecondsPath: _sp, Timestamp: _t, TimestampPath: _tp, ...rest } = state;
      return { ...rest, Type: 'Task', Resource: 'wait', TimeoutSeconds: longestTimeoutSeconds };
    }
    case 'Parallel':
      return {
        ...retrying,
        Branches: objects(state.Branches).map((branch) => prepareNested(branch, preparation)),
      };
    case 'Map':
      return prepareMap(retrying, preparation);
    default:
      return state;
  }
}

const retryCount = '$$.State.RetryCount';

function retryCountsIn(state: JsonObject): string[] {
  return Object.entries(object(state.Parameters))
    .filter(([, value]) => value === retryCount)
    .map(([name]) => name.slice(0, -'.$'.length));
}

function withoutRetryCounts(state: JsonObject, names: readonly string[]): JsonObject {
  if (names.length === 0) return state;
  const Parameters = Object.fromEntries(
    Object.entries(object(state.Parameters)).filter(([, value]) => value !== retryCount),
  );
  return { ...state, Parameters };
}

/**
 * The interpreter runs inline maps only. An item of a distributed map gets no execution of its own here: it runs as a
 * branch of the one that has the map, with the same input and output. What fails there fails the map, as if no
 * failure were tolerated.
 */
function prepareMap(state: JsonObject, preparation: Preparation): JsonObject {
  const processor = object(state.ItemProcessor ?? state.Iterator);
  const foreign = ['ItemReader', 'ItemBatcher', 'ResultWriter'].find((name) => state[name] !== undefined);
  if (foreign !== undefined) throw new Error(`${preparation.where}: the rehearsal has no ${foreign}`);
  const {
    Iterator: _,
    ToleratedFailurePercentage: _p,
    ToleratedFailureCount: _c,
    Label: _l,
    ...rest
  } = state;
  const { ProcessorConfig, ...inline } = processor;
  if (object(ProcessorConfig).Mode === 'DISTRIBUTED') {
    for (const name of Object.keys(object(processor.States))) preparation.apart.add(name);
  }
  return { ...rest, ItemProcessor: prepareNested(inline, preparation) };
}

/** The interpreter runs a branch as a machine of its own, whose `$$.Execution.Input` is the branch's. */
function prepareNested(machine: JsonObject, preparation: Preparation): JsonObject {
  const [path] = /\$\$\.Execution\.(Input|StartTime)\b/.exec(JSON.stringify(machine)) ?? [];
  if (path !== undefined)
    throw new Error(`${preparation.where}: the rehearsal has no ${path} inside a map or branch`);
  return prepareStates(machine, preparation);
}

function withCompressedRetry(state: JsonObject, compression: number): JsonObject {
  if (state.Retry === undefined) return state;
  const Retry = listOf(state.Retry)
    .filter(isObject)
    .map((retrier) => ({
      ...retrier,
      IntervalSeconds: (number(retrier.IntervalSeconds) ?? 1) / compression,
      ...(retrier.MaxDelaySeconds === undefined
        ? {}
        : { MaxDelaySeconds: (number(retrier.MaxDelaySeconds) ?? 0) / compression }),
    }));
  return { ...state, Retry };
}

function durationOf(state: JsonObject, where: string): WaitDuration {
  const seconds = number(state.Seconds);
  if (seconds !== undefined) return { seconds };
  const secondsPath = text(state.SecondsPath);
  if (secondsPath !== undefined) return { secondsPath };
  const timestamp = text(state.Timestamp);
  if (timestamp !== undefined) return { timestamp };
  const timestampPath = text(state.TimestampPath);
  if (timestampPath !== undefined) return { timestampPath };
  throw new Error(`${where}: a Wait names seconds or a timestamp`);
}
