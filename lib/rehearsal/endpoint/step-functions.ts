/**
 * Step Functions: standard state machines in JSONPath.
 *
 * Left out: Express, JSONata, readers and writers of distributed maps, task tokens, activities, redrive, versions and aliases.
 */

import { randomUUID } from 'node:crypto';
import { arn } from './arn.ts';
import { Execution, payloadLimitBytes } from './execution.ts';
import { number, text } from './json-shape.ts';
import type { PreparedDefinition } from './state-machine-definition.ts';
import { prepareDefinition } from './state-machine-definition.ts';
import type { TaskReach } from './state-tasks.ts';
import { taskOf } from './state-tasks.ts';
import type { JsonObject, Service, WorldClock } from './wire.ts';
import { AwsError } from './wire.ts';

export interface StateMachineSpec {
  readonly name: string;
  readonly roleArn: string;
  /** Amazon States Language, JSON text. */
  readonly definition: string;
}

export interface StepFunctionsOptions {
  readonly clock: WorldClock;
  /** Divides waits and the intervals of Retry. At least 1. */
  readonly compression: number;
  readonly reach: TaskReach;
  readonly onEnd?: (execution: Execution) => void;
}

interface Machine extends StateMachineSpec {
  readonly arn: string;
  readonly prepared: PreparedDefinition;
  readonly creationDate: number;
}

export class StepFunctions implements Service {
  readonly signingName = 'states';
  readonly #options: StepFunctionsOptions;
  readonly #machines = new Map<string, Machine>();
  readonly #executions = new Map<string, Execution>();

  constructor(options: StepFunctionsOptions) {
    this.#options = options;
  }

  /** @throws Error that names the state for a definition that AWS refuses or that cannot be rehearsed. */
  createStateMachine(spec: StateMachineSpec): string {
    const prepared = prepareDefinition(
      spec.definition,
      this.#options.compression,
      `state machine ${spec.name}`,
    );
    for (const [name, handed] of prepared.handed) {
      if (handed.kind === 'task') taskOf(handed.resource, `state machine ${spec.name}, state ${name}`);
    }
    const machineArn = arn('states', `stateMachine:${spec.name}`);
    // Step Functions developer guide, "IAM policies for using Distributed Map states".
    if (prepared.apart.size > 0)
      this.#options.reach.iam.require(spec.roleArn, 'states:StartExecution', machineArn);
    const creationDate = this.#options.clock.now() / 1000;
    this.#machines.set(machineArn, { ...spec, arn: machineArn, prepared, creationDate });
    return machineArn;
  }

  /** Every execution, oldest first. */
  executions(): readonly Execution[] {
    return [...this.#executions.values()];
  }

  /** Aborts what runs and waits for the ends. */
  async stop(): Promise<void> {
    const running = this.executions().filter(({ status }) => status === 'RUNNING');
    for (const execution of running) execution.stop('ABORTED', null, null);
    await Promise.all(running.map(({ ended }) => ended));
  }

  /**
   * Starts an execution, or answers with the open one of the same name and input.
   * @throws AwsError StateMachineDoesNotExist, InvalidName, InvalidExecutionInput, ExecutionAlreadyExists
   */
  start(stateMachineArn: string, input: string, name: string = randomUUID()): Execution {
    const machine = this.#machine(stateMachineArn);
    // https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\p{Cc}]{1,80}$/u.test(name)) {
      throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
    }
    checkInput(input);
    const executionArn = arn('states', `execution:${machine.name}:${name}`);
    const known = this.#executions.get(executionArn);
    if (known !== undefined) {
      if (known.status === 'RUNNING' && known.options.input === input) return known;
      throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
    }
    const { clock, compression, reach, onEnd } = this.#options;
    const execution = new Execution({
      arn: executionArn,
      name,
      stateMachineArn: machine.arn,
      stateMachineName: machine.name,
      roleArn: machine.roleArn,
      input,
      prepared: machine.prepared,
      runTask: async (state, resource, taskInput) =>
        taskOf(resource, state)(taskInput, machine.roleArn, reach),
      clock,
      compression,
    });
    this.#executions.set(executionArn, execution);
    void execution.ended.then(() => onEnd?.(execution));
    return execution;
  }

  async handle(operation: string, input: JsonObject): Promise<JsonObject> {
    switch (operation) {
      case 'StartExecution': {
        const { options, startDate } = this.start(
          text(input.stateMachineArn) ?? '',
          text(input.input) ?? '{}',
          text(input.name),
        );
        return { executionArn: options.arn, startDate };
      }
      case 'DescribeExecution':
        return description(this.#execution(input));
      case 'GetExecutionHistory':
        return this.#history(input);
      case 'ListExecutions':
        return this.#list(input);
      case 'StopExecution': {
        const execution = this.#execution(input);
        execution.stop('ABORTED', text(input.error) ?? null, text(input.cause) ?? null);
        return { stopDate: execution.stopDate };
      }
      case 'DescribeStateMachine': {
        const {
          arn: stateMachineArn,
          name,
          definition,
          roleArn,
          creationDate,
        } = this.#machine(text(input.stateMachineArn) ?? '');
        return {
          stateMachineArn,
          name,
          definition,
          roleArn,
          creationDate,
          status: 'ACTIVE',
          type: 'STANDARD',
        };
      }
      case 'ListStateMachines': {
        const stateMachines = [...this.#machines.values()].map(
          ({ arn: stateMachineArn, name, creationDate }) => ({
            stateMachineArn,
            name,
            creationDate,
            type: 'STANDARD',
          }),
        );
        return { stateMachines };
      }
      default:
        throw new AwsError('UnknownOperationException', `states has no operation ${operation} here`);
    }
  }

  #machine(stateMachineArn: string): Machine {
    const machine = this.#machines.get(stateMachineArn);
    if (machine !== undefined) return machine;
    throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${stateMachineArn}'`);
  }

  #execution(input: JsonObject): Execution {
    const executionArn = text(input.executionArn) ?? '';
    const execution = this.#executions.get(executionArn);
    if (execution !== undefined) return execution;
    throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${executionArn}'`);
  }

  #history(input: JsonObject): JsonObject {
    const { history } = this.#execution(input);
    const ordered = input.reverseOrder === true ? [...history].reverse() : history;
    return page(ordered, input, 1000, (events) => ({ events }));
  }

  #list(input: JsonObject): JsonObject {
    const { arn: machineArn } = this.#machine(text(input.stateMachineArn) ?? '');
    const wanted = text(input.statusFilter);
    const found = this.executions()
      .filter(
        ({ options, status }) => options.stateMachineArn === machineArn && (wanted ?? status) === status,
      )
      .reverse()
      .map(({ options, status, startDate, stopDate }) => ({
        executionArn: options.arn,
        stateMachineArn: machineArn,
        name: options.name,
        status,
        startDate,
        ...(stopDate === null ? {} : { stopDate }),
      }));
    return page(found, input, 1000, (executions) => ({ executions }));
  }
}

function checkInput(input: string): void {
  if (Buffer.byteLength(input) > payloadLimitBytes) {
    throw new AwsError('InvalidExecutionInput', `Input is longer than ${payloadLimitBytes} bytes`);
  }
  try {
    JSON.parse(input);
  } catch {
    // JSON.parse quotes its input, which AWS does not and a secret must not survive.
    throw new AwsError('InvalidExecutionInput', 'Invalid State Machine Execution Input: not JSON');
  }
}

function description({ options, status, startDate, stopDate, output, error, cause }: Execution): JsonObject {
  return {
    executionArn: options.arn,
    stateMachineArn: options.stateMachineArn,
    name: options.name,
    status,
    startDate,
    input: options.input,
    inputDetails: { included: true },
    redriveCount: 0,
    ...(stopDate === null ? {} : { stopDate }),
    ...(output === null ? {} : { output, outputDetails: { included: true } }),
    ...(error === null ? {} : { error }),
    ...(cause === null ? {} : { cause }),
  };
}

/** maxResults 0–1000, where 0 and nothing mean 100; nextToken is an offset. */
function page<T>(
  all: readonly T[],
  input: JsonObject,
  limit: number,
  shape: (some: T[]) => JsonObject,
): JsonObject {
  const size = Math.min(number(input.maxResults) || 100, limit);
  const from = Number(text(input.nextToken) ?? '0');
  const next = from + size < all.length ? { nextToken: String(from + size) } : {};
  return { ...shape(all.slice(from, from + size)), ...next };
}
