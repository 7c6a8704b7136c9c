/**
 * An AWS account on the loopback interface: every service of the endpoint behind one address, the resources of
 * synthesised templates in it, and everything that it saw.
 */

import { readFile } from 'node:fs/promises';
import { CallFaults } from './call-faults.ts';
import { CallLog } from './call-log.ts';
import type { CanarySearch, Leak } from './canaries.ts';
import { canarySearch } from './canaries.ts';
import type { WallClock } from './clocks.ts';
import { wallClock } from './clocks.ts';
import { controlDoor } from './control.ts';
import { Ecs } from './ecs.ts';
import type { ServiceDefinition } from './ecs-spec.ts';
import { EventBridge } from './event-bridge.ts';
import { targetDelivery } from './event-targets.ts';
import { answerInvocation } from './function-invocations.ts';
import { Functions } from './functions.ts';
import { Iam } from './iam.ts';
import { accessResolvers } from './iam-resources.ts';
import { startJsonServer } from './json-server.ts';
import { Destinations } from './messaging.ts';
import { randomness } from './random.ts';
import type { Plane } from './resources/index.ts';
import { resourceCreator } from './resources/index.ts';
import { IndexedSecretsManager } from './secret-index.ts';
import type { Options as SecretsManagerOptions } from './secrets-manager/index.ts';
import { SecretsManager } from './secrets-manager/index.ts';
import { StepFunctions } from './step-functions.ts';
import { taskSecret } from './task-secrets.ts';
import type { Deployed } from './template.ts';
import { deployTemplate } from './template.ts';
import type { Caller, Json } from './wire.ts';

export interface AccountOptions {
  /** Divides waits, retry intervals and the periods of schedules. At least 1; default 1. */
  readonly compression?: number;
  /** Seconds of the endpoint's clock per real second. Above 0; default 1. */
  readonly speed?: number;
  /** Makes the endpoint's random ids the same in every run. Default: random. */
  readonly seed?: string;
  /** Port on 127.0.0.1; default 0: any that is free. */
  readonly port?: number;
  readonly secretsManagerOptions?: Partial<SecretsManagerOptions>;
  /** Members of documents that are no secrets (a key's id or version). */
  readonly publicMembers?: readonly string[];
  /** What functions get beyond Lambda and the template (NODE_EXTRA_CA_CERTS). Default: nothing. */
  readonly machineEnvironment?: Readonly<Record<string, string>>;
}

/** One line that a function or a task printed. */
export interface LogLine {
  /** The function's or task's ARN. */
  readonly source: string;
  /** Milliseconds since the epoch, in the endpoint's time. */
  readonly at: number;
  readonly line: string;
}

export interface Account {
  readonly url: string;
  readonly clock: WallClock;
  readonly plane: Plane;
  readonly secretsManager: SecretsManager;
  readonly ecs: Ecs;
  readonly calls: CallLog;
  readonly faults: CallFaults;
  readonly canaries: CanarySearch;
  readonly publicMembers: Set<string>;
  readonly logs: readonly LogLine[];
  /** Creates the resources of one `<stack>.template.json`. @throws Error that names the resource */
  deploy(templateFile: string): Promise<Deployed>;
  /** Creates an ECS service and waits until it runs. @returns the load balancer's port */
  defineService(definition: ServiceDefinition): Promise<number>;
  /** Every leak so far, found in logs, events, histories, notifications, templates and calls. */
  leaks(): readonly Leak[];
  /** Ends every process, execution and connection. */
  stop(): Promise<void>;
}

export async function startAccount(options: AccountOptions = {}): Promise<Account> {
  const { compression = 1, speed = 1, seed = null, port = 0 } = options;
  if (!(compression >= 1)) throw new RangeError(`compression must be at least 1, received ${compression}`);
  const clock = wallClock({ speed });
  const canaries = canarySearch();
  const publicMembers = new Set(options.publicMembers ?? []);
  const logs: LogLine[] = [];
  const texts: { readonly text: string; readonly where: string }[] = [];
  const keep = (text: string, where: string) => void texts.push({ text, where });
  const onLog = (source: string, line: string) => {
    logs.push({ source, at: clock.now(), line });
    keep(line, `log of ${source}`);
  };

  let url = '';
  const functions = new Functions({
    endpoint: () => url,
    onLog,
    ahead: () => clock.now() - Date.now(),
    machineEnvironment: options.machineEnvironment ?? {},
  });
  const topics = new Destinations('sns', () => clock.now());
  const queues = new Destinations('sqs', () => clock.now());
  const iam = new Iam(accessResolvers((secretId) => indexed.find(secretId)));
  const events = new EventBridge({
    clock,
    compression,
    deliver: targetDelivery({
      functions,
      topics,
      queues,
      iam,
      startExecution: (machine, input) => void states.start(machine, input),
    }),
    onEvent: ({ event }) => keep(JSON.stringify(event), `event ${event['detail-type']}`),
  });
  const states = new StepFunctions({
    clock,
    compression,
    reach: { functions, iam, events, topics },
    onEnd: ({ options: { name }, history }) => keep(JSON.stringify(history), `history of execution ${name}`),
  });
  const secretsManager = new SecretsManager({
    clock,
    random: randomness(seed),
    invoker: functions,
    emit: events.emit,
    options: compressed(options.secretsManagerOptions ?? {}, compression),
  });
  const indexed = new IndexedSecretsManager(secretsManager, { canaries, publicMembers });
  const ecs = new Ecs({
    now: () => clock.now(),
    resolveSecret: (valueFrom) => taskSecret(indexed, valueFrom),
    onLog,
  });
  const plane: Plane = {
    functions,
    iam,
    events,
    states,
    topics,
    queues,
    secretsManager: indexed,
    keys: new Map(),
  };
  const calls = new CallLog(() => clock.now(), keep);
  const faults = new CallFaults((functionArn) => functions.crash(functionArn));
  const exported: Record<string, Json> = {};
  let searched = { values: 0, texts: 0 };

  const account: Account = {
    get url() {
      return url;
    },
    clock,
    plane,
    secretsManager,
    ecs,
    calls,
    faults,
    canaries,
    publicMembers,
    logs,
    async deploy(templateFile) {
      keep(await readFile(templateFile, 'utf8'), `template ${templateFile}`);
      const deployed = await deployTemplate(templateFile, resourceCreator(plane), exported);
      Object.assign(exported, deployed.exports);
      return deployed;
    },
    defineService: (definition) => ecs.defineService(definition),
    leaks() {
      // A value may have been let out before it was known: with new values the old texts are searched again.
      if (canaries.size > searched.values) searched = { values: canaries.size, texts: 0 };
      for (const { text, where } of texts.slice(searched.texts)) canaries.scan(text, where);
      searched.texts = texts.length;
      // What still runs has a history too, and what was sent to people is read by people.
      for (const {
        options: { name },
        history,
      } of states.executions()) {
        canaries.scan(JSON.stringify(history), `history of execution ${name}`);
      }
      for (const { destinationArn, message } of [...topics.notifications, ...queues.notifications]) {
        canaries.scan(message, `message to ${destinationArn}`);
      }
      // A member may have been declared public after its value was seen.
      return canaries.leaks.filter(({ label }) => !publicMembers.has(label.split(' ').at(-1) ?? ''));
    },
    async stop() {
      events.stop();
      await states.stop();
      await functions.stop();
      await ecs.stop();
      await server.close();
      clock.close();
    },
  };

  const callerOf = (accessKeyId: string) => functions.callerOf(accessKeyId) ?? operator(accessKeyId);
  const invocations = { functions, iam, calls, callerOf };
  const control = controlDoor(account);
  const server = await startJsonServer(
    {
      services: [indexed, events, states, ecs],
      callerOf,
      onRequest: (...call) => calls.request(...call),
      onResponse: (body, service, operation) => calls.response(body, service, operation),
      authorise: (caller, service, operation, input) => iam.authorise(caller, service, operation, input),
      intercept: (service, operation, input, caller) => faults.intercept(service, operation, input, caller),
      fallback: async (request, response, body) => {
        if (!(await answerInvocation(invocations, request, response, body)))
          await control(request, response, body);
      },
    },
    port,
  );
  url = server.url;
  return account;
}

/** Every key that no function has is the operator's: a team rehearses with whatever credentials it has. */
const operator = (accessKeyId: string): Caller => ({ accessKeyId, roleArn: null, functionArn: null });

/** Secrets Manager's own pauses shrink with everybody's. */
function compressed(
  options: Partial<SecretsManagerOptions>,
  compression: number,
): Partial<SecretsManagerOptions> {
  const { retryDelays = [60_000, 300_000, 900_000] } = options;
  return { ...options, retryDelays: retryDelays.map((delay) => delay / compression) };
}
