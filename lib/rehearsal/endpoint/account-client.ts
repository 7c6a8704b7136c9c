/** The other side of control.ts: an account that runs in another process, or in this one, by its address. */

import type { LogLine } from './account.ts';
import type { CallFault } from './call-faults.ts';
import type { CallCount, CallRecord } from './call-log.ts';
import type { Leak } from './canaries.ts';
import type { ControlName } from './control.ts';
import type { ServiceDefinition } from './ecs-spec.ts';
import type { EventFault, EventRecord } from './event-bridge.ts';
import type { ExecutionStatus } from './execution.ts';
import type { HistoryEvent } from './execution-history.ts';
import type { FunctionResult } from './function-worker.ts';
import type { InvocationRecord } from './functions.ts';
import type { InvocationFault } from './invocation-faults.ts';
import type { Notification } from './messaging.ts';
import type { RotationRun, Options as SecretsManagerOptions } from './secrets-manager/index.ts';
import type { Deployed } from './template.ts';
import type { Json } from './wire.ts';

/** A list that grows: `next` is the `from` of the next question. */
export interface Items<T> {
  readonly items: readonly T[];
  readonly next: number;
}

export interface ExecutionSummary {
  readonly arn: string;
  readonly name: string;
  readonly stateMachineArn: string;
  /** JSON text. */
  readonly input: string;
  readonly status: ExecutionStatus;
  /** Seconds since the epoch, in the endpoint's time. */
  readonly startDate: number;
  readonly stopDate: number | null;
  readonly error: string | null;
  readonly cause: string | null;
  readonly output: string | null;
  readonly stateTransitions: number;
}

export type AccountClient = ReturnType<typeof accountClient>;

/**
 * @param url the account's address, as its SDK clients use it
 * Every method rejects with an Error that holds the account's sentence.
 */
export function accountClient(url: string) {
  async function ask<T>(name: ControlName, input: object = {}): Promise<T> {
    const response = await fetch(new URL(`/_keyturn/${name}`, url), {
      method: 'POST',
      body: JSON.stringify(input),
    });
    const answer: unknown = await response.json();
    if (response.ok) return answer as T;
    const error =
      typeof answer === 'object' && answer !== null && 'error' in answer ? answer.error : response.status;
    throw new Error(`${name}: ${String(error)}`);
  }
  const tell = async (name: ControlName, input: object = {}): Promise<void> =>
    void (await ask<null>(name, input));

  return {
    url,
    health: () => ask<{ url: string; now: number }>('health'),
    /** @param template path of a `<stack>.template.json` that the account's process can read */
    deploy: (template: string) => ask<Deployed>('deploy', { template }),
    defineService: async (definition: ServiceDefinition) =>
      (await ask<{ port: number }>('define-service', definition)).port,
    services: () => ask<{ cluster: string; service: string; port: number }[]>('services'),
    /** While broken, no task of the service that starts becomes healthy. */
    breakService: (cluster: string, service: string, broken: boolean) =>
      tell('break-service', { cluster, service, broken }),
    functions: () => ask<{ arn: string; name: string }[]>('functions'),
    logs: (from = 0) => ask<Items<LogLine>>('logs', { from }),
    events: (from = 0) => ask<Items<EventRecord>>('events', { from }),
    notifications: (from = 0) => ask<Items<Notification>>('notifications', { from }),
    invocations: (from = 0) => ask<Items<InvocationRecord>>('invocations', { from }),
    rotations: () => ask<RotationRun[]>('rotations'),
    executions: () => ask<ExecutionSummary[]>('executions'),
    /** @param from events that are known already */
    history: (execution: string, from = 0) => ask<HistoryEvent[]>('history', { execution, from }),
    calls: () => ask<CallCount[]>('calls'),
    callRecords: (from = 0) => ask<Items<CallRecord>>('call-records', { from }),
    clearCalls: () => tell('clear-calls'),
    leaks: () => ask<{ leaks: Leak[]; watched: number }>('leaks'),
    watch: (value: string, label: string) => tell('watch', { value, label }),
    scan: (text: string, where: string) => tell('scan', { text, where }),
    publicMembers: (members: readonly string[]) => tell('public-members', { members }),
    advance: (milliseconds: number) => ask<{ now: number }>('advance', { milliseconds }),
    faultCall: (fault: CallFault) => tell('fault-call', fault),
    faultEvent: (fault: EventFault) => tell('fault-event', fault),
    faultInvocation: (fault: InvocationFault) => tell('fault-invocation', fault),
    /** Hits of call and invocation faults that are still to come: 0 proves that each struck. */
    pendingFaults: async () => (await ask<{ pending: number }>('pending-faults')).pending,
    clearFaults: () => tell('clear-faults'),
    secretsManagerOptions: (options: Partial<Omit<SecretsManagerOptions, 'eventFaults'>>) =>
      tell('secrets-manager-options', options),
    fireRule: (rule: string) => tell('fire-rule', { rule }),
    recycle: (functionName: string) => tell('recycle', { function: functionName }),
    invoke: (functionName: string, event: Json) =>
      ask<FunctionResult>('invoke', { function: functionName, event }),
  };
}
