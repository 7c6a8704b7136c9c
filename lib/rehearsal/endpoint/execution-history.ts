/**
 * The interpreter's log as GetExecutionHistory tells it. Inputs and outputs are in it, in clear, as in AWS: this is
 * what the search for leaked secrets reads.
 */

import type { StateMachine } from 'aws-local-stepfunctions';
import type { Json, JsonObject } from './wire.ts';

/** One event of the interpreter; the package does not export its name. */
type EventLog = ReturnType<StateMachine['run']>['eventLogs'] extends AsyncGenerator<infer Log> ? Log : never;

export interface HistoryEvent {
  readonly id: number;
  readonly previousEventId: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  readonly type: string;
  readonly [details: string]: Json;
}

/** Standard executions fail beyond. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
export const historyLimit = 25_000;

/** One event of the log as an event of the history. */
export function historyEvent(log: EventLog, id: number, typeOf: (stateName: string) => string): HistoryEvent {
  const base = { id, previousEventId: id - 1, timestamp: log.timestamp / 1000 };
  switch (log.type) {
    case 'ExecutionStarted':
      return { ...base, type: log.type, executionStartedEventDetails: { input: json(log.input) } };
    case 'ExecutionSucceeded':
      return { ...base, type: log.type, executionSucceededEventDetails: { output: json(log.output) } };
    case 'ExecutionFailed':
      return { ...base, type: log.type, executionFailedEventDetails: failure(log) };
    case 'ExecutionAborted':
      return { ...base, type: log.type };
    case 'ExecutionTimeout':
      return { ...base, type: 'ExecutionTimedOut' };
    case 'StateEntered': {
      const { name, input } = log.state;
      return {
        ...base,
        type: `${typeOf(name)}StateEntered`,
        stateEnteredEventDetails: { name, input: json(input) },
      };
    }
    case 'StateExited': {
      const { name, output } = log.state;
      return {
        ...base,
        type: `${typeOf(name)}StateExited`,
        stateExitedEventDetails: { name, output: json(output) },
      };
    }
    case 'StateFailed': {
      const details = { ...failure(log), resourceType: 'lambda', resource: log.state.name };
      return { ...base, type: 'TaskFailed', taskFailedEventDetails: details };
    }
    case 'StateRetried': {
      // AWS shows a retry as the task being scheduled again.
      const details = { resourceType: 'lambda', resource: log.state.name, parameters: json(log.state.input) };
      return { ...base, type: 'TaskScheduled', taskScheduledEventDetails: details };
    }
    case 'MapIterationStarted':
    case 'MapIterationSucceeded':
    case 'MapIterationFailed': {
      const key = `${log.type.charAt(0).toLowerCase()}${log.type.slice(1)}EventDetails`;
      return { ...base, type: log.type, [key]: { name: log.parentState.name, index: log.index } };
    }
    default:
      return { ...base, type: log.type };
  }
}

const json = (value: unknown): string => JSON.stringify(value ?? null);

const failure = ({ Error: error, Cause }: { Error: string; Cause: unknown }): JsonObject => ({
  error,
  cause: typeof Cause === 'string' ? Cause : json(Cause),
});
