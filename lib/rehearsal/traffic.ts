/**
 * Steady traffic on one platform, through its stable address, for as long as a rehearsal runs.
 *
 * What counts as failed is said in `Outcome` and decided in `session.ts`. The minimal health answer, a 200
 * that an instance gives to a bearer it does not know, is served traffic: it is counted as degraded.
 */
import { setMaxListeners } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour } from './behaviour.ts';
import { Cutovers } from './cutovers.ts';
import { ClientSession, everything, type Ground } from './session.ts';
import { OpenTally, type Stretch, type Tally } from './tally.ts';

export interface TrafficOptions {
  /** The platform's stable address. */
  readonly url: string;
  /** Addresses of its services, for requests that name one. Default: none. */
  readonly urls?: Readonly<Record<string, string>>;
  readonly behaviours: readonly Behaviour[];
  /** Reads a variable's current value from Secrets Manager. May fail: the client then keeps what it has. */
  readVariable(secret: string, variable: string): Promise<string>;
  /** Milliseconds of a clock that never goes back. Default: performance.now. */
  readonly now?: () => number;
  /** Milliseconds for one exchange. Default: 10 000. */
  readonly deadline?: number;
}

export interface Traffic {
  /** From now on, tokens signed by this secret may be refused: its consumers are about to restart. */
  beginCutover(secret: string): void;
  /** Every consumer holds the new value. Tokens last good before now may be refused once more. */
  endCutover(secret: string): void;
  /** From now on services may be stopped: no answer, 502 and 503 count as refused. */
  beginStop(): void;
  /** Every service runs again. */
  endStop(): void;
  /** From this moment of `now` on, new logins with this secret are refused: its strategy says so. */
  beginGap(secret: string, at: number): void;
  /** From this moment on they are let in again. */
  endGap(secret: string, at: number): void;
  /** Whether a refusal may be put down to such a gap. */
  inGap(secret: string, refusal: Stretch): boolean;
  /** Milliseconds of the clock that every request is timed by. */
  now(): number;
  /** Starts counting. Several may be open at once. */
  tally(): Tally;
  /** Sends nothing more, and waits for the requests in flight. */
  stop(): Promise<void>;
}

/** Starts every client at once. Never throws, and nothing that a platform does makes it reject. */
export function startTraffic(options: TrafficOptions): Traffic {
  const clients = options.behaviours.reduce((sum, behaviour) => sum + behaviour.clients, 0);
  const agent = new Agent({ keepAlive: true, maxSockets: Math.max(1, clients) });
  const cutovers = new Cutovers();
  const stops = new Cutovers();
  const gaps = new Cutovers();
  const tallies = new Set<OpenTally>();
  const stopping = new AbortController();
  // Every client that sleeps listens to it; Node would warn of a leak from the eleventh on.
  setMaxListeners(clients, stopping.signal);
  const ground: Ground = {
    url: options.url,
    urls: options.urls ?? {},
    agent,
    deadline: options.deadline ?? 10_000,
    cutovers,
    stops,
    tallies,
    now: options.now ?? (() => performance.now()),
    readVariable: (secret, variable) => options.readVariable(secret, variable),
  };

  async function run(behaviour: Behaviour, index: number): Promise<void> {
    const round = behaviour.client(new ClientSession(behaviour.name, behaviour.secret, ground));
    // Clients of one kind start spread over one pause: steady traffic, not volleys.
    await paused((behaviour.pause * index) / behaviour.clients, stopping.signal);
    while (!stopping.signal.aborted) {
      try {
        await round();
      } catch (error) {
        // A fault of the behaviour itself: it must neither pass unseen nor end the rehearsal.
        const kind = error instanceof Error ? error.name : typeof error;
        for (const tally of tallies) {
          tally.add(behaviour.secret, 'total');
          tally.add(behaviour.secret, 'failed');
          tally.failure(`${behaviour.name}: the client itself failed (${kind}).`);
        }
      }
      await paused(behaviour.pause, stopping.signal);
    }
  }

  const running = options.behaviours.flatMap((behaviour) =>
    Array.from({ length: behaviour.clients }, (_, index) => run(behaviour, index)),
  );

  return {
    beginCutover: (secret) => cutovers.begin(secret, ground.now()),
    endCutover: (secret) => cutovers.end(secret, ground.now()),
    beginStop: () => stops.begin(everything, ground.now()),
    endStop: () => stops.end(everything, ground.now()),
    beginGap: (secret, at) => gaps.begin(secret, at),
    endGap: (secret, at) => gaps.end(secret, at),
    inGap: (secret, { from, to }) => gaps.explains(secret, from, to),
    now: () => ground.now(),
    tally() {
      const tally: OpenTally = new OpenTally(() => tallies.delete(tally));
      tallies.add(tally);
      return tally;
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
      agent.destroy();
    },
  };
}

async function paused(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    // Stopped while it slept.
  }
}
