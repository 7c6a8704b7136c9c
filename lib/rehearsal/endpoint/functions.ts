/**
 * Lambda: functions as processes of their own, and who may invoke them.
 *
 * A process holds the template's environment and what Lambda adds, nothing else. It takes one invocation at a
 * time and stays warm; a second one starts while the first is busy, up to a limit, past which invocations wait
 * (Lambda would throttle: on one machine that would only test the machine).
 */

import { randomUUID } from 'node:crypto';
import type { FunctionResult } from './function-worker.ts';
import { FunctionWorker } from './function-worker.ts';
import { glob } from './glob.ts';
import { InvocationFaults } from './invocation-faults.ts';
import type { Caller, Invoker, Json } from './wire.ts';
import { account, region } from './wire.ts';

export interface FunctionSpec {
  readonly arn: string;
  readonly name: string;
  /** `<file>.<export>`, the file without its ending. */
  readonly handler: string;
  /** The asset's directory: the process's working directory and LAMBDA_TASK_ROOT. */
  readonly codeDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** 1–900 s; Lambda's default is 3. */
  readonly timeoutSeconds: number;
  /** Megabytes, for the environment variable only: nothing limits the process. */
  readonly memoryMb: number;
  readonly roleArn: string | null;
}

/** One `AWS::Lambda::Permission` for `lambda:InvokeFunction`. */
export interface Permission {
  readonly functionArn: string;
  /** A service principal (`events.amazonaws.com`). */
  readonly principal: string;
  readonly sourceAccount?: string;
  /** May hold `*` and `?`. */
  readonly sourceArn?: string;
}

/** What one invocation took. */
export interface InvocationRecord {
  readonly functionArn: string;
  readonly requestId: string;
  readonly coldStart: boolean;
  /** Wall time in milliseconds, a cold start included. */
  readonly durationMs: number;
  /** null: it succeeded. */
  readonly errorType: string | null;
}

export interface FunctionsOptions {
  /** Where the SDK inside the functions sends its calls: read when a process starts. */
  readonly endpoint: () => string;
  /** Every line that a function printed, on either stream. */
  readonly onLog: (functionArn: string, line: string) => void;
  /** Milliseconds by which the endpoint's time is ahead of the machine's. Default: none. */
  readonly ahead?: () => number;
  /** Processes per function that may run at once. Default 10. */
  readonly concurrency?: number;
  /**
   * What the machine needs beyond Lambda and the template, such as NODE_EXTRA_CA_CERTS for a target whose
   * certificate is the rehearsal's own. Default: nothing.
   */
  readonly machineEnvironment?: Readonly<Record<string, string>>;
}

/** Variables that a template may not set. https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
const reserved =
  /^(_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_REGION|REGION|EXECUTION_ENV|LAMBDA_.*|ACCESS_KEY|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)|LAMBDA_(TASK_ROOT|RUNTIME_DIR))$/;

/** Where the SDK would look for one service: every service is here, and AWS_ENDPOINT_URL says where that is. */
const elsewhere = /^AWS_ENDPOINT_URL_/;

/** All variables of a function together. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const environmentLimitBytes = 4096;

interface Running {
  readonly spec: FunctionSpec;
  readonly accessKeyId: string;
  readonly idle: FunctionWorker[];
  readonly busy: Set<FunctionWorker>;
  readonly waiting: (() => void)[];
}

export class Functions implements Invoker {
  readonly invocations: InvocationRecord[] = [];
  readonly faults = new InvocationFaults();
  readonly #options: FunctionsOptions;
  readonly #functions = new Map<string, Running>();
  readonly #permissions: Permission[] = [];
  readonly #ended: Promise<void>[] = [];
  #stopped = false;

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  /**
   * Makes a function known; its process starts with the first invocation.
   * @throws Error for an environment that Lambda would refuse.
   */
  define(spec: FunctionSpec): void {
    const size = Object.entries(spec.environment).reduce(
      (sum, [key, value]) => sum + key.length + value.length,
      0,
    );
    if (size > environmentLimitBytes) {
      throw new Error(
        `${spec.name}: environment has ${size} bytes; Lambda takes at most ${environmentLimitBytes}`,
      );
    }
    const taken = Object.keys(spec.environment).find((key) => reserved.test(key));
    if (taken !== undefined)
      throw new Error(`${spec.name}: environment variable ${taken} is reserved by Lambda`);
    const accessKeyId = `ASIAFUNCTION${String(this.#functions.size + 1).padStart(8, '0')}`;
    const none = { idle: [], busy: new Set<FunctionWorker>(), waiting: [] };
    this.#functions.set(spec.arn, { spec, accessKeyId, ...none });
  }

  permit(permission: Permission): void {
    this.#permissions.push(permission);
  }

  /** Who signs with this key; null when no function does. */
  callerOf(accessKeyId: string): Caller | null {
    for (const { spec, accessKeyId: key } of this.#functions.values()) {
      if (key === accessKeyId) return { accessKeyId, roleArn: spec.roleArn, functionArn: spec.arn };
    }
    return null;
  }

  has(functionArn: string): boolean {
    return this.#functions.has(unqualified(functionArn));
  }

  list(): readonly FunctionSpec[] {
    return [...this.#functions.values()].map(({ spec }) => spec);
  }

  /**
   * Invoker.permits; `sourceArn` is what the calling service names as its source. A permission that asks for a
   * source ARN does not admit a service that names none.
   */
  permits(functionArn: string, principal: string, sourceArn?: string): boolean {
    if (!this.has(functionArn)) return false;
    return this.#permissions.some(
      (permission) =>
        unqualified(permission.functionArn) === unqualified(functionArn) &&
        permission.principal === principal &&
        (permission.sourceAccount === undefined || permission.sourceAccount === account) &&
        (permission.sourceArn === undefined ||
          (sourceArn !== undefined && glob(permission.sourceArn).test(sourceArn))),
    );
  }

  /** Invoker.invoke, with the stack that Lambda sends along. */
  async invoke(functionArn: string, event: Json): Promise<FunctionResult> {
    const running = this.#functions.get(unqualified(functionArn));
    if (running === undefined || this.#stopped) {
      const errorMessage = `Function not found: ${functionArn}`;
      return { ok: false, errorType: 'Lambda.ResourceNotFoundException', errorMessage, trace: [] };
    }
    return this.faults.apply(running.spec.name, event, () => this.#run(running, event));
  }

  async #run(running: Running, event: Json): Promise<FunctionResult> {
    const started = performance.now();
    const requestId = randomUUID();
    const { worker, coldStart } = await this.#take(running);
    const { timeoutSeconds } = running.spec;
    const ahead = this.#options.ahead?.() ?? 0;
    const result = await worker.invoke({
      event,
      requestId,
      functionArn: running.spec.arn,
      timeoutSeconds,
      ahead,
    });
    this.#giveBack(running, worker);
    this.invocations.push({
      functionArn: running.spec.arn,
      requestId,
      coldStart,
      durationMs: performance.now() - started,
      errorType: result.ok ? null : result.errorType,
    });
    return result;
  }

  /** Throws the warm processes away: the next invocation is a cold start. One that is running dies in the middle. */
  recycle(functionArn: string): void {
    const running = this.#functions.get(unqualified(functionArn));
    if (running === undefined) return;
    for (const worker of [...running.idle.splice(0), ...running.busy]) worker.kill();
  }

  /** Kills the function's processes, whatever they are at, and waits until they are gone. */
  async crash(functionArn: string): Promise<void> {
    const running = this.#functions.get(unqualified(functionArn));
    const processes = [...(running?.idle ?? []), ...(running?.busy ?? [])];
    this.recycle(functionArn);
    await Promise.all(processes.map((process) => process.gone()));
  }

  /** Ends every process and waits for it. No invocation succeeds afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const functionArn of this.#functions.keys()) this.recycle(functionArn);
    await Promise.all(this.#ended);
  }

  async #take(running: Running): Promise<{ worker: FunctionWorker; coldStart: boolean }> {
    const limit = this.#options.concurrency ?? 10;
    while (running.idle.length === 0 && running.busy.size >= limit) {
      await new Promise<void>((resolve) => running.waiting.push(resolve));
    }
    const warm = running.idle.pop();
    const worker = warm ?? this.#start(running);
    running.busy.add(worker);
    return { worker, coldStart: warm === undefined };
  }

  #giveBack(running: Running, worker: FunctionWorker): void {
    running.busy.delete(worker);
    if (!worker.dead) running.idle.push(worker);
    running.waiting.shift()?.();
  }

  #start(running: Running): FunctionWorker {
    const { spec } = running;
    const worker = new FunctionWorker({
      codeDirectory: spec.codeDirectory,
      environment: {
        ...this.#options.machineEnvironment,
        ...Object.fromEntries(Object.entries(spec.environment).filter(([name]) => !elsewhere.test(name))),
        ...this.#lambdaEnvironment(running),
      },
      onLine: (line) => this.#options.onLog(spec.arn, line),
    });
    this.#ended.push(worker.gone());
    return worker;
  }

  #lambdaEnvironment({ spec, accessKeyId }: Running): Record<string, string> {
    return {
      _HANDLER: spec.handler,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_DEFAULT_REGION: region,
      AWS_ENDPOINT_URL: this.#options.endpoint(),
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(spec.memoryMb),
      AWS_LAMBDA_FUNCTION_NAME: spec.name,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_LOG_FORMAT: 'Text',
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${spec.name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: `rehearsal/[$LATEST]${accessKeyId}`,
      AWS_REGION: region,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      AWS_SECRET_ACCESS_KEY: 'not-checked-by-the-endpoint',
      AWS_SESSION_TOKEN: 'not-checked-by-the-endpoint',
      LAMBDA_TASK_ROOT: spec.codeDirectory,
      LANG: 'en_US.UTF-8',
      PATH: '/usr/local/bin:/usr/bin:/bin',
      TZ: ':UTC',
    };
  }
}

/** A function's ARN without a version or alias. */
const unqualified = (functionArn: string): string => functionArn.split(':').slice(0, 7).join(':');
