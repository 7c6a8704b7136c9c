/** Who called what, how often: for the budget of calls per rotation, and for questions after a failure. */

import { lastPart } from './arn.ts';
import { isObject, text } from './json-shape.ts';
import type { Caller, Json } from './service.ts';

export interface CallCount {
  readonly service: string;
  readonly operation: string;
  /** As the call named it; null for calls without one. */
  readonly secretId: string | null;
  /** The function's name, or `operator`. */
  readonly caller: string;
  readonly count: number;
}

/** Operations whose request or answer carries a value, as it must: they are not searched for leaks. */
const carriesValue = {
  request: new Set(['CreateSecret', 'PutSecretValue', 'UpdateSecret']),
  response: new Set(['GetSecretValue', 'BatchGetSecretValue', 'GetRandomPassword']),
};

export class CallLog {
  readonly #counts = new Map<string, number>();
  readonly #onText: (text: string, where: string) => void;

  /** @param onText gets each body that has no business to carry a value */
  constructor(onText: (text: string, where: string) => void) {
    this.#onText = onText;
  }

  request(body: string, service: string, operation: string, caller: Caller): void {
    const who = caller.functionArn === null ? 'operator' : lastPart(caller.functionArn);
    const key = JSON.stringify([service, operation, secretIdIn(body), who]);
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    if (!carriesValue.request.has(operation)) this.#onText(body, `request ${service}:${operation} by ${who}`);
  }

  response(body: string, service: string, operation: string): void {
    if (!carriesValue.response.has(operation)) this.#onText(body, `answer ${service}:${operation}`);
  }

  counts(): CallCount[] {
    return [...this.#counts].map(([key, count]) => {
      const [service, operation, secretId, caller] = JSON.parse(key) as [
        string,
        string,
        string | null,
        string,
      ];
      return { service, operation, secretId, caller, count };
    });
  }

  clear(): void {
    this.#counts.clear();
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
