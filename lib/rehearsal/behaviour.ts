/** What a client of a platform does, as data: the traffic runs behaviours, platforms declare them. */

/** A credential that the platform issued, with the secret that signed it. */
export interface Token {
  readonly value: string;
  /** The deployment's key of the signing secret. */
  readonly secret: string;
  /**
   * When the last request that showed the token to be good was sent, in the traffic's milliseconds; the
   * traffic moves it.
   */
  lastGood: number;
}

export interface ClientRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** The consumer or companion that is asked. Default: the one that answers at the platform's address. */
  readonly at?: string;
  /** Further request headers. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A status that counts as served, beside 2xx: the platform's answer to a value that it does not know. */
  readonly lesser?: number;
  /** `authorization` is added from `bearer`. */
  readonly bearer?: string;
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, string>>;
  /** The token that the request depends on, wherever it is sent: only its refusal can be excused. */
  readonly token?: Token;
}

/** What became of a request. Every request is counted once, under one of these. */
export type Outcome<T> =
  | { readonly kind: 'served'; readonly value: T }
  /** A 401 that a declared cutover explains: log in again. */
  | { readonly kind: 'refused' }
  /** Anything else: no connection, 5xx, a 401 that nothing explains, an answer that cannot be read. */
  | { readonly kind: 'failed' };

/** What a service has met at its database since its last report. */
export interface SessionReport {
  /** Statements on sessions that were open, and how many of these failed. */
  readonly statements: number;
  readonly failed: number;
  /** New sessions that it asked for. */
  readonly logins: number;
  /** Of each that was not let in: how many milliseconds ago. */
  readonly refusedAgo: readonly number[];
  /** What the database said of failures, each once: its codes, never its words. */
  readonly codes: readonly string[];
}

/** One client's way to its platform. */
export interface Session {
  /** `read` takes what it needs from the body of a 2xx; null makes the request a failed one. Never throws. */
  send<T>(request: ClientRequest, read: (body: unknown) => T | null): Promise<Outcome<T>>;
  /** A token that was issued by the request that has just been served. */
  issued(value: string, secret: string): Token;
  /** The current value of a variable, from Secrets Manager; null when it cannot be read now. */
  variable(secret: string, variable: string): Promise<string | null>;
  /** The client got less than it should: an answer was served, but not the one that a good value opens. */
  degraded(): void;
  /** What the platform's service that has just answered says of its own sessions at a database. */
  reported(report: SessionReport): void;
  /** The client got everything: ends a gap that a refusal or a lesser answer began. */
  whole(): void;
}

export interface Behaviour {
  /** Who these clients are: `users`, `monitoring`. */
  readonly name: string;
  /** The deployment's key of the secret under which their requests are counted. */
  readonly secret: string;
  /** Clients at work at once, each with one request at a time. */
  readonly clients: number;
  /** Milliseconds between two rounds of a client. Keep it under the load balancer's idle time-out. */
  readonly pause: number;
  /** A new client; the traffic calls what it returns once per round. */
  client(session: Session): () => Promise<void>;
}

/** A request that needs no token, and where the answer holds the token. */
export interface Login {
  readonly path: string;
  readonly body: Readonly<Record<string, string>>;
  /** Member of the answer. */
  readonly member: string;
}

export interface TokenClient extends Omit<Behaviour, 'client'> {
  readonly login: Login;
  /** The deployment's key of the secret that signs the tokens. */
  readonly signedBy: string;
  readonly call: Pick<ClientRequest, 'method' | 'path' | 'body' | 'at'>;
}

/** Clients that log in, call with their token, and log in again once the token is refused. */
export function tokenClient({ login, signedBy, call, ...behaviour }: TokenClient): Behaviour {
  return {
    ...behaviour,
    client(session) {
      let token: Token | null = null;
      return async () => {
        token ??= await loggedIn(session, login, signedBy);
        if (token === null) return;
        const outcome = await session.send({ ...call, bearer: token.value, token }, (body) =>
          isRecord(body) ? body : null,
        );
        if (outcome.kind === 'served') session.whole();
        // After a failure too: a token that is refused without a reason would otherwise be sent for ever.
        else token = null;
      };
    },
  };
}

/** Logs in; null when that failed (it has been counted). */
export async function loggedIn(session: Session, login: Login, signedBy: string): Promise<Token | null> {
  const outcome = await session.send({ method: 'POST', path: login.path, body: login.body }, (body) =>
    textAt(body, login.member),
  );
  return outcome.kind === 'served' ? session.issued(outcome.value, signedBy) : null;
}

/** A member of a JSON object that is a text, or null. */
export function textAt(body: unknown, member: string): string | null {
  const value = isRecord(body) ? body[member] : undefined;
  return typeof value === 'string' ? value : null;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
