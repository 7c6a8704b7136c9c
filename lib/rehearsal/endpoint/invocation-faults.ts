/** Makes invocations misbehave: a step or stage may be refused, run twice, run beside itself, or end unheard. */

import { checkPattern, matchesPattern } from './event-pattern.ts';
import type { FunctionResult } from './function-worker.ts';
import type { Json, JsonObject } from './wire.ts';

export interface InvocationFault {
  /**
   * - `refuse`: it does not run; the answer is `errorType`
   * - `lose-result`: it runs to its end, and the caller hears of a time-out
   * - `twice`: it runs, then runs again with the same event; the second result counts
   * - `beside`: two processes run the event at once; the first one's result counts
   */
  readonly kind: 'refuse' | 'lose-result' | 'twice' | 'beside';
  /** Default: every function. */
  readonly functionName?: string;
  /** An event pattern on the event (`{ "Step": ["createSecret"] }`); default: every event. */
  readonly pattern?: JsonObject;
  /** Invocations that match and are let through first. Default 0. */
  readonly after?: number;
  /** Invocations that are hit then. Default 1. */
  readonly times?: number;
  /** For `refuse`; default Lambda.TooManyRequestsException. */
  readonly errorType?: string;
}

export class InvocationFaults {
  readonly #faults: { readonly fault: InvocationFault; skip: number; left: number }[] = [];

  /** @throws Error for a pattern that cannot match */
  add(fault: InvocationFault): void {
    checkPattern(fault.pattern ?? {}, 'invocation fault');
    this.#faults.push({ fault, skip: fault.after ?? 0, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** How many hits are still to come. */
  get pending(): number {
    return this.#faults.reduce((sum, { left }) => sum + left, 0);
  }

  /** Runs the invocation as the faults have it. */
  async apply(
    functionName: string,
    event: Json,
    run: () => Promise<FunctionResult>,
  ): Promise<FunctionResult> {
    const fault = this.#take(functionName, event);
    switch (fault?.kind) {
      case undefined:
        return run();
      case 'refuse':
        return failed(fault.errorType ?? 'Lambda.TooManyRequestsException', 'refused by the rehearsal');
      case 'lose-result':
        await run();
        return failed('Sandbox.Timedout', 'Error: Task timed out: its result was lost by the rehearsal');
      case 'twice':
        await run();
        return run();
      case 'beside': {
        const [first] = await Promise.all([run(), run()]);
        return first;
      }
    }
  }

  #take(functionName: string, event: Json): InvocationFault | null {
    const entry = this.#faults.find(
      ({ fault, left }) =>
        left > 0 &&
        (fault.functionName ?? functionName) === functionName &&
        matchesPattern(fault.pattern ?? {}, event),
    );
    if (entry === undefined) return null;
    if (entry.skip > 0) {
      entry.skip -= 1;
      return null;
    }
    entry.left -= 1;
    return entry.fault;
  }
}

const failed = (errorType: string, errorMessage: string): FunctionResult => ({
  ok: false,
  errorType,
  errorMessage,
  trace: [],
});
