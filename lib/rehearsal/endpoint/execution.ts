/** One execution of a state machine. */

import './promise-with-resolvers.ts';
import { StateMachine } from 'aws-local-stepfunctions';
import type { HistoryEvent } from './execution-history.ts';
import { historyEvent, historyLimit } from './execution-history.ts';
import type { Handed, PreparedDefinition } from './state-machine-definition.ts';
import { asDefinition } from './state-machine-definition.ts';
import { TaskError } from './state-tasks.ts';
import { waitMilliseconds } from './state-wait.ts';
import type { Json, WorldClock } from './wire.ts';

export interface ExecutionOptions {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  readonly stateMachineName: string;
  readonly roleArn: string;
  /** JSON text, as the caller sent it. */
  readonly input: string;
  readonly prepared: PreparedDefinition;
  readonly runTask: (stateName: string, resource: string, input: Json) => Promise<Json>;
  readonly clock: WorldClock;
  /** Divides every wait. */
  readonly compression: number;
}

export type ExecutionStatus = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';

/** Per state, execution input and output. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
export const payloadLimitBytes = 262_144;

export class Execution {
  readonly options: ExecutionOptions;
  readonly history: HistoryEvent[] = [];
  /** Seconds since the epoch, in the endpoint's time. */
  readonly startDate: number;
  stopDate: number | null = null;
  status: ExecutionStatus = 'RUNNING';
  output: string | null = null;
  error: string | null = null;
  cause: string | null = null;
  /** As AWS counts them: every state that was entered, and every retry; those of a distributed map's items are theirs. */
  stateTransitions = 0;
  readonly #abort: () => void;
  /** State and input -> tries so far, for tasks that are told their retry count. */
  readonly #tries = new Map<string, number>();
  /** Waits and the time limit: they end with the execution. */
  readonly #timers = new Set<() => void>();
  /** Resolves when the execution has ended and its history is complete. */
  readonly ended: Promise<void>;

  constructor(options: ExecutionOptions) {
    this.options = options;
    const { prepared, clock, input, arn, name, roleArn } = options;
    this.startDate = clock.now() / 1000;
    const machine = new StateMachine(asDefinition(prepared.definition), {
      validationOptions: { noValidate: true },
    });
    const run = machine.run(JSON.parse(input), {
      noThrowOnAbort: true,
      overrides: { taskResourceLocalHandlers: this.#handlers() },
      context: {
        Execution: { Id: arn, Name: name, RoleArn: roleArn },
        StateMachine: { Id: options.stateMachineArn, Name: options.stateMachineName },
      },
    });
    this.#abort = run.abort;
    const limit = prepared.timeoutSeconds;
    if (limit !== null) {
      this.#timers.add(clock.after(limit * 1000, () => this.stop('TIMED_OUT', 'States.Timeout', null)));
    }
    this.ended = Promise.all([this.#settle(run.result), this.#record(run.eventLogs)]).then(() =>
      this.#quiet(),
    );
  }

  /** Ends the execution; one that has ended stays as it is. */
  stop(status: 'ABORTED' | 'TIMED_OUT', error: string | null, cause: string | null): void {
    if (this.status !== 'RUNNING') return;
    this.#end(status);
    this.error = error;
    this.cause = cause;
    this.#abort();
  }

  #end(status: ExecutionStatus): void {
    this.status = status;
    this.stopDate = this.options.clock.now() / 1000;
  }

  #quiet(): void {
    for (const cancel of this.#timers) cancel();
  }

  async #settle(result: Promise<unknown>): Promise<void> {
    try {
      const value = await result;
      if (this.status !== 'RUNNING') return;
      this.output = JSON.stringify(value);
      this.#end('SUCCEEDED');
    } catch (thrown) {
      if (this.status !== 'RUNNING') return;
      const failure = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
      this.error = failure instanceof Error ? failure.name : 'States.Runtime';
      this.cause = failure instanceof Error ? failure.message : String(failure);
      this.#end('FAILED');
    }
  }

  async #record(logs: ReturnType<StateMachine['run']>['eventLogs']): Promise<void> {
    const { handed, apart } = this.options.prepared;
    for await (const log of logs) {
      // Of a Fail state AWS tells that it was entered, and by ExecutionFailed what it says.
      if (log.type === 'StateFailed' && log.state.type === 'Fail') continue;
      const isTransition = log.type === 'StateEntered' || log.type === 'StateRetried';
      if (isTransition && !apart.has(log.state.name)) this.stateTransitions += 1;
      const ownType = log.type === 'StateEntered' || log.type === 'StateExited' ? log.state.type : '';
      const typeOf = (name: string) => (handed.get(name)?.kind === 'wait' ? 'Wait' : ownType);
      this.history.push(historyEvent(log, this.history.length + 1, typeOf));
      if (this.history.length === historyLimit) {
        this.stop(
          'TIMED_OUT',
          'States.Runtime',
          `The execution reached the maximum number of history events (${historyLimit}).`,
        );
      }
    }
  }

  #handlers(): Record<string, (input: unknown) => Promise<never>> {
    const entries = [...this.options.prepared.handed].map(([name, handed]) => [
      name,
      async (input: Json) => this.#handle(name, handed, input),
    ]);
    // The package types a handler's value as a mutable JSON of its own.
    return Object.fromEntries(entries) as Record<string, (input: unknown) => Promise<never>>;
  }

  async #handle(stateName: string, handed: Handed, input: Json): Promise<Json> {
    if (handed.kind === 'wait') {
      // Functions write timestamps by their own clocks, which are the machine's.
      const delay = waitMilliseconds(handed.duration, input, Date.now()) / this.options.compression;
      await new Promise<void>((resolve) => {
        const cancel = this.options.clock.after(delay, resolve);
        // An execution that was stopped must let go of the interpreter, whose own timer would keep the process.
        this.#timers.add(() => {
          cancel();
          resolve();
        });
      });
      return input;
    }
    const output = await this.options.runTask(
      stateName,
      handed.resource,
      this.#withRetryCounts(stateName, handed.retryCounts, input),
    );
    if (Buffer.byteLength(JSON.stringify(output)) > payloadLimitBytes) {
      const cause = `The state/task '${stateName}' returned a result with a size exceeding the maximum number of bytes service limit.`;
      throw new TaskError('States.DataLimitExceeded', cause, false);
    }
    return output;
  }

  /**
   * The interpreter does not say which try this is. Items of a map differ in their input, and a retry has the input
   * of the try before it, so the same input again is a retry.
   */
  #withRetryCounts(stateName: string, members: readonly string[], input: Json): Json {
    if (members.length === 0 || typeof input !== 'object' || input === null || Array.isArray(input))
      return input;
    const key = `${stateName} ${JSON.stringify(input)}`;
    const tries = this.#tries.get(key) ?? 0;
    this.#tries.set(key, tries + 1);
    return { ...input, ...Object.fromEntries(members.map((member) => [member, tries])) };
  }
}
