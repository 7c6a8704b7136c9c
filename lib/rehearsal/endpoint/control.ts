/**
 * The account's own interface, for a runner in another process: `POST /_keyturn/<operation>` with a JSON object,
 * answered with JSON; 400 with `{ error }` when it cannot be done. account-client.ts is its other side.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Account } from './account.ts';
import { arn } from './arn.ts';
import type { CallFault } from './call-faults.ts';
import type { ServiceDefinition } from './ecs-spec.ts';
import type { EventFault } from './event-bridge.ts';
import type { InvocationFault } from './invocation-faults.ts';
import { isObject, number, text, texts } from './json-shape.ts';
import type { Json, JsonObject } from './wire.ts';

type ControlOperation = (account: Account, input: JsonObject) => unknown;

const prefix = '/_keyturn/';

/** Every operation; each answer must survive JSON. */
const operations = {
  health: ({ url, clock }) => ({ url, now: clock.now() }),
  deploy: ({ deploy }, input) => deploy(needed(input, 'template')),
  // The shape of a service is checked by ecs-spec.ts and by ECS itself.
  'define-service': async ({ defineService }, input) => ({
    port: await defineService(input as unknown as ServiceDefinition),
  }),
  services: ({ ecs }) =>
    ecs.services().map(({ spec, port }) => ({ cluster: spec.cluster, service: spec.service, port })),
  'break-service': ({ ecs }, input) => {
    const name = needed(input, 'service');
    const service = ecs
      .services()
      .find(({ spec }) => spec.service === name && spec.cluster === needed(input, 'cluster'));
    if (service === undefined) throw new Error(`there is no service ${name}`);
    service.broken = input.broken === true;
  },
  logs: ({ logs }, input) => since(logs, input),
  events: ({ plane }, input) => since(plane.events.records, input),
  notifications: ({ plane }, input) =>
    since([...plane.topics.notifications, ...plane.queues.notifications], input),
  invocations: ({ plane }, input) => since(plane.functions.invocations, input),
  functions: ({ plane }) =>
    plane.functions.list().map(({ arn: functionArn, name }) => ({ arn: functionArn, name })),
  rotations: ({ secretsManager }) => secretsManager.runs,
  executions: ({ plane }) =>
    plane.states
      .executions()
      .map(({ options, status, startDate, stopDate, error, cause, output, stateTransitions }) => ({
        ...{
          arn: options.arn,
          name: options.name,
          stateMachineArn: options.stateMachineArn,
          input: options.input,
        },
        ...{ status, startDate, stopDate, error, cause, output, stateTransitions },
      })),
  history: ({ plane }, input) => {
    const executionArn = needed(input, 'execution');
    const found = plane.states.executions().find(({ options }) => options.arn === executionArn);
    return found?.history.slice(number(input.from) ?? 0) ?? [];
  },
  calls: ({ calls }) => calls.counts(),
  'call-records': ({ calls }, input) => since(calls.records, input),
  'clear-calls': ({ calls }) => calls.clear(),
  leaks: ({ leaks, canaries }) => ({ leaks: leaks(), watched: canaries.size }),
  watch: ({ canaries }, input) => canaries.watch(needed(input, 'value'), needed(input, 'label')),
  scan: ({ canaries }, input) => canaries.scan(needed(input, 'text'), needed(input, 'where')),
  'public-members': ({ publicMembers }, input) => {
    for (const member of texts(input.members)) publicMembers.add(member);
  },
  advance: ({ clock }, input) => {
    clock.advance(number(input.milliseconds) ?? 0);
    return { now: clock.now() };
  },
  'fault-call': ({ faults }, input) => faults.add(input as unknown as CallFault),
  'fault-event': ({ plane }, input) => plane.events.addFault(input as unknown as EventFault),
  'fault-invocation': ({ plane }, input) => plane.functions.faults.add(input as unknown as InvocationFault),
  'pending-faults': ({ faults, plane }) => ({ pending: faults.pending + plane.functions.faults.pending }),
  'clear-faults': ({ faults, plane }) => {
    faults.clear();
    plane.events.clearFaults();
    plane.functions.faults.clear();
  },
  'secrets-manager-options': ({ secretsManager }, input) => Object.assign(secretsManager.options, input),
  'fire-rule': ({ plane }, input) => void plane.events.fire(needed(input, 'rule')),
  recycle: ({ plane }, input) => plane.functions.recycle(functionArn(input)),
  invoke: ({ plane }, input) => plane.functions.invoke(functionArn(input), input.event ?? {}),
} satisfies Record<string, ControlOperation>;

export type ControlName = keyof typeof operations;

/** The server's fallback: control operations, and 404 for everything else. */
export function controlDoor(account: Account) {
  return async (request: IncomingMessage, response: ServerResponse, body: string): Promise<void> => {
    const answer = (status: number, value: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value ?? null));
    };
    const name = request.url?.startsWith(prefix) ? request.url.slice(prefix.length) : '';
    if (request.method !== 'POST' || !isControl(name)) {
      answer(404, { error: `there is no ${request.method} ${request.url} here` });
      return;
    }
    try {
      const input = body === '' ? {} : (JSON.parse(body) as Json);
      if (!isObject(input)) throw new Error('the body is a JSON object');
      const operation: ControlOperation = operations[name];
      answer(200, await operation(account, input));
    } catch (error) {
      answer(400, { error: error instanceof Error ? error.message : String(error) });
    }
  };
}

const isControl = (name: string): name is ControlName => Object.hasOwn(operations, name);

/** From `from` (default 0) on, with where to go on. */
function since<T>(all: readonly T[], input: JsonObject): { items: readonly T[]; next: number } {
  return { items: all.slice(number(input.from) ?? 0), next: all.length };
}

function needed(input: JsonObject, name: string): string {
  const value = text(input[name]);
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}

function functionArn(input: JsonObject): string {
  const named = needed(input, 'function');
  return named.startsWith('arn:') ? named : arn('lambda', `function:${named}`);
}
