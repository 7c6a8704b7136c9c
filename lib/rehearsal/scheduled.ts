/** Rotations that nobody asks for: the endpoint's time moves on until a window opens. */
import type { ProbePorts } from '../../lambdas/contract/hooks.ts';
import { keepsOldValue } from '../../lambdas/contract/plan.ts';
import type { Stage } from './acts.ts';
import type { AccountClient } from './endpoint/account-client.ts';
import { type Played, play } from './play.ts';
import type { Progress } from './progress.ts';
import type { Running } from './rehearsal.ts';

const hour = 3_600_000;

/** A monthly window opens within this many hours. */
const mostHours = 32 * 24;

/** Moves time until every platform with a schedule has seen one of its windows, and plays what fires. */
export async function scheduled(
  running: readonly Running[],
  client: AccountClient,
  progress: Progress,
  ports: ProbePorts,
): Promise<Played[]> {
  const waiting = new Set(running.filter(({ stages }) => stages.some(mayWaitForWindow)));
  const known = new Set((await client.rotations()).map(({ token }) => token));
  const played: Played[] = [];
  for (let hours = 0; waiting.size > 0 && hours < mostHours; hours += 1) {
    await client.advance(hour);
    // A window fires on the endpoint's clock; the rotation itself takes real time.
    await new Promise((resolve) => setImmediate(resolve));
    const fired = (await client.rotations()).filter(
      ({ token, trigger }) => trigger === 'schedule' && !known.has(token),
    );
    for (const { token, secretArn } of fired) {
      known.add(token);
      for (const platform of running) {
        const stage = platform.stages.find(({ secretId }) => secretArn.includes(`:secret:${secretId}-`));
        if (stage === undefined) continue;
        waiting.delete(platform);
        const scenario = {
          id: 'schedule',
          expected: 'completed',
          begin: async () => token,
          clear: null,
        } as const;
        played.push(await play(scenario, { stage, traffic: platform.traffic, progress, ports }));
      }
    }
  }
  return played;
}

/**
 * A server's own clock does not move with the endpoint's: where sessions are told apart by when they began, those of now
 * would count as older than a version of next week.
 */
function mayWaitForWindow({ secret: { resolved } }: Stage): boolean {
  return resolved.window !== null && !keepsOldValue(resolved.plan);
}
