/** Makes calls of functions misbehave: invariant 5 of the design, before or after any call. */

import { lastPart } from './arn.ts';
import type { Interception } from './json-server.ts';
import { text } from './json-shape.ts';
import type { Caller, JsonObject } from './wire.ts';
import { AwsError } from './wire.ts';

export interface CallFault {
  /**
   * - `error`: the call is refused with `code`
   * - `reset`: the connection breaks before anything is done
   * - `lose-answer`: it is done, and the connection breaks
   * - `crash-before`, `crash-after`: the calling function's process dies before or after it is done
   * - `delay`: it is done after `milliseconds` of the wall clock
   */
  readonly kind: 'error' | 'reset' | 'lose-answer' | 'crash-before' | 'crash-after' | 'delay';
  /** Signing name; default: every service. */
  readonly service?: string;
  /** Default: every operation. */
  readonly operation?: string;
  /** SecretId as the call names it; default: every one. */
  readonly secretId?: string;
  /** The calling function's name; default: every caller. */
  readonly functionName?: string;
  /** Calls that match and are let through first. Default 0. */
  readonly after?: number;
  /** Calls that are hit then. Default 1. */
  readonly times?: number;
  /** For `error`; default ThrottlingException. */
  readonly code?: string;
  /** For `delay`. */
  readonly milliseconds?: number;
}

export class CallFaults {
  readonly #faults: { readonly fault: CallFault; skip: number; left: number }[] = [];
  readonly #crash: (functionArn: string) => Promise<void>;

  /** @param crash kills a function's processes; resolves when they are gone */
  constructor(crash: (functionArn: string) => Promise<void>) {
    this.#crash = crash;
  }

  add(fault: CallFault): void {
    this.#faults.push({ fault, skip: fault.after ?? 0, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** How many hits are still to come: 0 proves that every fault struck. */
  get pending(): number {
    return this.#faults.reduce((sum, { left }) => sum + left, 0);
  }

  async intercept(
    service: string,
    operation: string,
    input: JsonObject,
    caller: Caller,
  ): Promise<Interception> {
    const entry = this.#faults.find(
      ({ fault, left }) => left > 0 && applies(fault, service, operation, input, caller),
    );
    if (entry === undefined) return 'pass';
    if (entry.skip > 0) {
      entry.skip -= 1;
      return 'pass';
    }
    entry.left -= 1;
    return this.#strike(entry.fault, caller);
  }

  async #strike(
    { kind, code = 'ThrottlingException', milliseconds = 0 }: CallFault,
    caller: Caller,
  ): Promise<Interception> {
    switch (kind) {
      case 'error':
        return { failBefore: new AwsError(code, `${code} by the rehearsal`) };
      case 'reset':
        return { failBefore: 'reset' };
      case 'lose-answer':
        return { loseAnswer: true };
      case 'crash-before':
        if (caller.functionArn !== null) await this.#crash(caller.functionArn);
        return { failBefore: 'reset' };
      case 'crash-after': {
        const { functionArn } = caller;
        // The process must not live to see the connection break: it would fail of that, and not die.
        return {
          loseAnswer: true,
          beforeCut: async () => (functionArn === null ? undefined : this.#crash(functionArn)),
        };
      }
      case 'delay':
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
        return 'pass';
    }
  }
}

const applies = (
  fault: CallFault,
  service: string,
  operation: string,
  input: JsonObject,
  caller: Caller,
): boolean =>
  (fault.service ?? service) === service &&
  (fault.operation ?? operation) === operation &&
  (fault.secretId === undefined || fault.secretId === text(input.SecretId)) &&
  (fault.functionName === undefined || fault.functionName === lastPart(caller.functionArn ?? ''));
