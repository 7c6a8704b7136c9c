import { KeyturnError } from '../../contract/errors.ts';
import type { Clock, HttpResponse } from '../../contract/ports.ts';
import type { InstancesApi, InstancesCall } from './http.ts';

/** Times that one call is held back by the platform before the stage is tried again later. */
const mostDelays = 4;
/** Seconds: where the platform does not say how long, and the longest that one call waits. */
const usualDelay = 2;
const longestDelay = 30;

/**
 * A call that waits when the platform says that it has too much to do (429, or 503 with a time), for as long as it
 * asks, within limits. @throws KeyturnError ProbeInconclusive (retryable) when it goes on saying so.
 */
export async function asked(
  api: InstancesApi,
  call: InstancesCall,
  clock: Clock,
  what: string,
): Promise<HttpResponse> {
  for (let delays = 0; ; delays += 1) {
    const answer = await api.send(call);
    const heldBack = answer.status === 429 || (answer.status === 503 && answer.retryAfter !== undefined);
    if (!heldBack) return answer;
    if (delays === mostDelays) {
      throw new KeyturnError({
        code: 'ProbeInconclusive',
        message: `The platform held back ${what} ${mostDelays + 1} times (${answer.status}).`,
        hint: 'Lower instances.concurrency in the deployment file.',
        retryable: true,
      });
    }
    await clock.sleep(1_000 * Math.min(answer.retryAfter ?? usualDelay, longestDelay));
  }
}

export function notRenewed(id: string, reason: string): KeyturnError {
  return new KeyturnError({
    code: 'InstanceNotRenewed',
    message: `The instance ${id} is not renewed: ${reason}.`,
    retryable: true,
  });
}
