/** One client's requests: sent, judged, and booked on the tallies that were open when they were sent. */
import type { Agent } from 'node:http';
import type { ClientRequest, Outcome, Session, SessionReport, Token } from './behaviour.ts';
import type { Cutovers } from './cutovers.ts';
import { exchange, type HttpAnswer } from './http-client.ts';
import type { OpenTally } from './tally.ts';

/** What all clients of a platform share. */
export interface Ground {
  readonly url: string;
  /** Addresses of the platform's services, by name. */
  readonly urls: Readonly<Record<string, string>>;
  readonly agent: Agent;
  /** Milliseconds for one exchange. */
  readonly deadline: number;
  readonly cutovers: Cutovers;
  /** When services were stopped on purpose; always under `everything`. */
  readonly stops: Cutovers;
  readonly tallies: ReadonlySet<OpenTally>;
  now(): number;
  readVariable(secret: string, variable: string): Promise<string>;
}

/** What a stop concerns. */
export const everything = 'everything';

type Judged<T> = Outcome<T> & { /** Why it failed. */ readonly sentence?: string };

export class ClientSession implements Session {
  readonly #client: string;
  readonly #secret: string;
  readonly #ground: Ground;
  #sentAt: number;
  /** The tallies of the last request. */
  #tallies: readonly OpenTally[] = [];
  /** Since when the client has not had a whole answer. */
  #brokenSince: number | null = null;

  /**
   * @param client who it is, for sentences
   * @param secret the secret under which its requests are counted
   */
  constructor(client: string, secret: string, ground: Ground) {
    this.#client = client;
    this.#secret = secret;
    this.#ground = ground;
    this.#sentAt = ground.now();
  }

  send<T>(request: ClientRequest, read: (body: unknown) => T | null): Promise<Outcome<T>> {
    this.#sentAt = this.#ground.now();
    this.#tallies = [...this.#ground.tallies];
    const booked = this.#booked(request, read);
    for (const tally of this.#tallies) tally.await(booked);
    return booked;
  }

  issued(value: string, secret: string): Token {
    return { value, secret, lastGood: this.#sentAt };
  }

  async variable(secret: string, variable: string): Promise<string | null> {
    try {
      return await this.#ground.readVariable(secret, variable);
    } catch {
      // Throttled or refused: not the platform's fault, so not a failed request. The client asks again.
      return null;
    }
  }

  degraded(): void {
    this.#brokenSince ??= this.#sentAt;
    for (const tally of this.#tallies) tally.add(this.#secret, 'degraded');
  }

  reported({ statements, failed, logins, refusedAgo, codes }: SessionReport): void {
    const now = this.#ground.now();
    // It was refused before the service counted how long ago that was.
    const refusals = refusedAgo.map((ago) => ({ from: Math.min(this.#sentAt, now - ago), to: now - ago }));
    for (const tally of this.#tallies) {
      tally.reported(this.#secret, { statements, failed, logins, refusals });
      if (failed > 0) {
        tally.failure(`${this.#client}: ${failed} statements on open sessions failed (${codes.join(', ')}).`);
      }
    }
  }

  whole(): void {
    if (this.#brokenSince === null) return;
    const seconds = (this.#ground.now() - this.#brokenSince) / 1000;
    for (const tally of this.#tallies) tally.gap(this.#secret, seconds);
    this.#brokenSince = null;
  }

  async #booked<T>(request: ClientRequest, read: (body: unknown) => T | null): Promise<Outcome<T>> {
    // Kept, since a caller that does not wait may have sent another one meanwhile.
    const sentAt = this.#sentAt;
    const tallies = this.#tallies;
    const { sentence, ...outcome } = await this.#judged(request, read);
    for (const tally of tallies) {
      tally.add(this.#secret, 'total');
      if (outcome.kind !== 'served') tally.add(this.#secret, outcome.kind);
      if (sentence !== undefined) tally.failure(sentence);
    }
    if (outcome.kind === 'refused') this.#brokenSince ??= sentAt;
    if (outcome.kind === 'served' && request.token !== undefined) request.token.lastGood = sentAt;
    return outcome;
  }

  async #judged<T>(request: ClientRequest, read: (body: unknown) => T | null): Promise<Judged<T>> {
    const { agent, deadline, cutovers, now } = this.#ground;
    const url =
      request.at === undefined ? this.#ground.url : (this.#ground.urls[request.at] ?? this.#ground.url);
    const failed = (what: string): Judged<T> => ({
      kind: 'failed',
      sentence: `${this.#client}: ${request.method} ${request.path} ${what}.`,
    });
    const sentAt = now();
    const stopped = () => this.#ground.stops.explains(everything, sentAt, now());
    let answer: HttpAnswer;
    try {
      answer = await exchange(agent, url, request, deadline);
    } catch (error) {
      return stopped() ? { kind: 'refused' } : failed(`got no answer (${codeOf(error)})`);
    }
    // The load balancer's words for a task that went away under a request, and for none at all.
    if ((answer.status === 502 || answer.status === 503) && stopped()) return { kind: 'refused' };
    if ((answer.status >= 200 && answer.status <= 299) || answer.status === request.lesser) {
      const value = read(answer.body);
      return value === null
        ? failed(`answered ${answer.status} with a body that cannot be read`)
        : { kind: 'served', value };
    }
    if (answer.status !== 401 || request.token === undefined) return failed(`answered ${answer.status}`);
    const { secret, lastGood } = request.token;
    return cutovers.explains(secret, lastGood, now())
      ? { kind: 'refused' }
      : failed(`answered 401 outside a cutover of ${secret}`);
  }
}

/** A code such as ECONNREFUSED: never the message, which may quote what was sent. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' ? code : error.name;
}
