/** Who called what, how often: for the budget of calls per rotation, and for questions after a failure. */

import { lastPart } from './arn.ts';
import { isObject, text } from './json-shape.ts';
import type { Caller, Json } from './wire.ts';

export interface CallRecord {
  /** Milliseconds since the epoch, in the endpoint's time. */
  readonly at: number;
  readonly service: string;
  readonly operation: string;
  /** As the call named it; null for calls without one. */
  readonly secretId: string | null;
  /** The function's name, or `operator`. */
  readonly caller: string;
  /** Another number for each connection. */
  readonly connection: number;
}

export interface CallCount extends Omit<CallRecord, 'at' | 'connection'> {
  readonly count: number;
}

/** Operations whose request or answer carries a value, as it must: they are not searched for leaks. */
const carriesValue = {
  request: new Set(['CreateSecret', 'PutSecretValue', 'UpdateSecret']),
  response: new Set(['GetSecretValue', 'BatchGetSecretValue', 'GetRandomPassword']),
};

export class CallLog {
  /** Every call in its order: the points at which a rehearsal can let a function crash. */
  readonly records: CallRecord[] = [];
  readonly #now: () => number;
  readonly #onText: (text: string, where: string) => void;

  /** @param onText gets each body that has no business to carry a value */
  constructor(now: () => number, onText: (text: string, where: string) => void) {
    this.#now = now;
    this.#onText = onText;
  }

  request(body: string, service: string, operation: string, caller: Caller, connection: number): void {
    const who = caller.functionArn === null ? 'operator' : lastPart(caller.functionArn);
    this.records.push({
      ...{ at: this.#now(), service, operation, secretId: secretIdIn(body), caller: who, connection },
    });
    if (!carriesValue.request.has(operation)) this.#onText(body, `request ${service}:${operation} by ${who}`);
  }

  response(body: string, service: string, operation: string): void {
    if (!carriesValue.response.has(operation)) this.#onText(body, `answer ${service}:${operation}`);
  }

  counts(): CallCount[] {
    const counts = new Map<string, CallCount>();
    for (const { at: _, ...call } of this.records) {
      const key = JSON.stringify(call);
      counts.set(key, { ...call, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    return [...counts.values()];
  }

  clear(): void {
    this.records.length = 0;
  }
}

function secretIdIn(body: string): string | null {
  try {
    const input = JSON.parse(body) as Json;
    return isObject(input) ? (text(input.SecretId) ?? text(input.Name) ?? null) : null;
  } catch {
    return null;
  }
}
