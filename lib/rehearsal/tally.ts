/** Counts of requests over a stretch of time, per secret. */

export interface Counts {
  readonly total: number;
  /** Of `total`: no connection, 5xx, an unexplained refusal, an unreadable answer. */
  readonly failed: number;
  /** Of `total`: refused because of a declared cutover. Not failed. */
  readonly refused: number;
  /** Of `total`: served, but with less than a good value opens (the minimal health answer). Not failed. */
  readonly degraded: number;
  /** The longest time in seconds that one client went from being refused or degraded to a whole answer. */
  readonly gapSeconds: number;
}

/** A stretch of the traffic's milliseconds. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What consumers' own sessions at their database met. */
export interface SessionCounts {
  /** Statements on sessions that were open before. */
  readonly statements: number;
  /** Of these: not answered, or answered by an error. A session that broke counts as one. */
  readonly failed: number;
  /** New sessions that were asked for. */
  readonly logins: number;
  /** When one of these was not let in. */
  readonly refusals: readonly Stretch[];
}

/** What happened at a platform, from the opening of the tally on. */
export interface Tally {
  /** @param secret counts of the clients of this secret only. Default: all of the platform. */
  counts(secret?: string): Counts;
  /** @param secret the login with which the sessions are opened */
  sessions(secret: string): SessionCounts;
  /** Up to ten sentences on failed requests, the earliest first. They hold no value. */
  failures(): readonly string[];
  /** Waits for the requests that were sent while it was open, then counts no more. */
  close(): Promise<void>;
}

/** How a request ended, or what was said about the one before. */
export type Mark = keyof Counts;

const mostSentences = 10;

/** The traffic's side of a tally. */
export class OpenTally implements Tally {
  readonly #bySecret = new Map<string, Counts>();
  readonly #sessions = new Map<string, SessionCounts>();
  readonly #failures: string[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  readonly #closing: () => void;

  /** @param closing tells the traffic to hand no more requests to this tally */
  constructor(closing: () => void) {
    this.#closing = closing;
  }

  /** A request that was sent while the tally was open. */
  await(request: Promise<unknown>): void {
    this.#pending.add(request);
    const done = () => this.#pending.delete(request);
    request.then(done, done);
  }

  add(secret: string, mark: Exclude<Mark, 'gapSeconds'>): void {
    const before = this.#of(secret);
    this.#bySecret.set(secret, { ...before, [mark]: before[mark] + 1 });
  }

  gap(secret: string, seconds: number): void {
    const before = this.#of(secret);
    this.#bySecret.set(secret, { ...before, gapSeconds: Math.max(before.gapSeconds, seconds) });
  }

  /** What a consumer reported of its sessions. */
  reported(secret: string, found: SessionCounts): void {
    const before = this.sessions(secret);
    this.#sessions.set(secret, {
      statements: before.statements + found.statements,
      failed: before.failed + found.failed,
      logins: before.logins + found.logins,
      refusals: [...before.refusals, ...found.refusals],
    });
  }

  sessions(secret: string): SessionCounts {
    return this.#sessions.get(secret) ?? noSessions;
  }

  failure(sentence: string): void {
    if (this.#failures.length < mostSentences) this.#failures.push(sentence);
  }

  counts(secret?: string): Counts {
    if (secret !== undefined) return this.#of(secret);
    return [...this.#bySecret.values()].reduce(sum, none);
  }

  failures(): readonly string[] {
    return [...this.#failures];
  }

  async close(): Promise<void> {
    this.#closing();
    await Promise.allSettled(this.#pending);
  }

  #of(secret: string): Counts {
    return this.#bySecret.get(secret) ?? none;
  }
}

const none: Counts = { total: 0, failed: 0, refused: 0, degraded: 0, gapSeconds: 0 };

const noSessions: SessionCounts = { statements: 0, failed: 0, logins: 0, refusals: [] };

function sum(a: Counts, b: Counts): Counts {
  return {
    total: a.total + b.total,
    failed: a.failed + b.failed,
    refused: a.refused + b.refused,
    degraded: a.degraded + b.degraded,
    // Clients wait side by side, not one after the other.
    gapSeconds: Math.max(a.gapSeconds, b.gapSeconds),
  };
}
