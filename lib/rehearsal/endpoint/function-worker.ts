/** One warm process of a function: what Lambda calls an execution environment. */

import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Json } from './wire.ts';

/** How an invocation ended, with the stack that Lambda hands to the caller. */
export type FunctionResult =
  | { readonly ok: true; readonly payload: Json }
  | {
      readonly ok: false;
      readonly errorType: string;
      readonly errorMessage: string;
      readonly trace: readonly string[];
    };

export interface WorkerOptions {
  readonly codeDirectory: string;
  /** The whole environment of the process: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
}

export interface Invocation {
  readonly event: Json;
  readonly requestId: string;
  readonly functionArn: string;
  readonly timeoutSeconds: number;
  /** Milliseconds that the function's clock is ahead of the machine's. */
  readonly ahead: number;
}

/** Lambda allows 10 s for initialisation; two busy cores need more patience, so only a hang is caught. */
const initLimitMs = 30_000;

const runtime = fileURLToPath(new URL('./function-process.mjs', import.meta.url));

export class FunctionWorker {
  readonly #child: ChildProcess;
  readonly #ready: Promise<FunctionResult | null>;
  readonly #drained: Promise<unknown>;
  #settle: ((message: unknown) => void) | null = null;
  #dead = false;

  constructor({ codeDirectory, environment, onLine }: WorkerOptions) {
    this.#child = fork(runtime, [], {
      cwd: codeDirectory,
      env: { ...environment },
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#drained = Promise.all([lines(this.#child.stdout, onLine), lines(this.#child.stderr, onLine)]);
    this.#child.on('message', (message) => this.#settle?.(message));
    this.#child.on('error', () => this.#ended('could not start'));
    this.#child.once('close', (code, signal) => this.#ended(`exit status ${code ?? signal}`));
    this.#ready = this.#next(initLimitMs).then((message) =>
      typeOf(message) === 'ready' ? null : failureOf(message),
    );
  }

  /** True when the process is gone and the worker must not be used again. */
  get dead(): boolean {
    return this.#dead;
  }

  /** Runs one event. Never throws; after a time-out or crash the worker is `dead`. */
  async invoke({
    event,
    requestId,
    functionArn,
    timeoutSeconds,
    ahead,
  }: Invocation): Promise<FunctionResult> {
    const initFailure = await this.#ready;
    if (initFailure !== null) {
      this.kill();
      return initFailure;
    }
    const limit = timeoutSeconds * 1000;
    const answer = this.#next(limit);
    this.#child.send({ event, requestId, functionArn, deadline: Date.now() + limit, ahead });
    const message = await answer;
    if (message === timedOut) {
      this.kill();
      return {
        ok: false,
        errorType: 'Sandbox.Timedout',
        errorMessage: `RequestId: ${requestId} Error: Task timed out after ${timeoutSeconds.toFixed(2)} seconds`,
        trace: [],
      };
    }
    if (typeOf(message) === 'result') return { ok: true, payload: payloadOf(message) };
    const failure = failureOf(message);
    return failure.errorType === 'Runtime.ExitError'
      ? { ...failure, errorMessage: `RequestId: ${requestId} Error: ${failure.errorMessage}` }
      : failure;
  }

  /** Ends the process at once, as Lambda does with an environment that it takes away. */
  kill(): void {
    this.#dead = true;
    this.#child.kill('SIGKILL');
  }

  /** Resolves when the process is gone and its last line was read. */
  async gone(): Promise<void> {
    await this.#drained;
  }

  #next(limitMs: number): Promise<unknown> {
    const { promise, resolve } = pending();
    const timer = setTimeout(() => resolve(timedOut), limitMs);
    this.#settle = resolve;
    if (this.dead)
      resolve({ type: 'failure', errorType: 'Runtime.ExitError', errorMessage: exited('killed') });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#settle = null;
    });
  }

  #ended(how: string): void {
    this.#dead = true;
    this.#settle?.({ type: 'failure', errorType: 'Runtime.ExitError', errorMessage: exited(how) });
  }
}

const timedOut = Symbol('timed out');

const exited = (how: string): string => `Runtime exited with error: ${how}`;

function pending(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise<unknown>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

async function lines(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): Promise<void> {
  if (stream === null) return;
  for await (const line of createInterface({ input: stream })) onLine(line);
}

const field = (message: unknown, name: string): unknown =>
  typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined;

const typeOf = (message: unknown): unknown => field(message, 'type');

function payloadOf(message: unknown): Json {
  const payload = field(message, 'payload');
  return typeof payload === 'string' ? (JSON.parse(payload) as Json) : null;
}

function failureOf(message: unknown): Extract<FunctionResult, { ok: false }> {
  if (message === timedOut) {
    return {
      ok: false,
      errorType: 'Sandbox.Timedout',
      errorMessage: 'initialisation took too long',
      trace: [],
    };
  }
  const trace = field(message, 'trace');
  return {
    ok: false,
    errorType: String(field(message, 'errorType') ?? 'Runtime.Unknown'),
    errorMessage: String(field(message, 'errorMessage') ?? ''),
    trace: Array.isArray(trace) ? trace.map(String) : [],
  };
}
