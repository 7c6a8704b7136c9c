/**
 * What Secrets Manager remembers: secrets, their versions and labels.
 *
 * A state is never changed in place. A write puts a new one beside the old, which is how a read may be shown
 * what was true a moment ago (AWS API reference: operations are eventually consistent).
 */
import type { WorldClock } from '../wire.ts';
import type { Rules, Window } from './schedule.ts';

export type SecretValue =
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'binary'; readonly base64: string };

export interface Version {
  /** The ClientRequestToken of the write or of the rotation. */
  readonly id: string;
  /** Null: the version that a rotation has opened and not yet filled. */
  readonly value: SecretValue | null;
  readonly labels: ReadonlySet<string>;
  readonly createdAt: number;
  /** Midnight UTC of the day of the last read; null: never read. */
  readonly accessedAt: number | null;
  /** The function that wrote the value, or for which it was written (RotationToken); null: somebody else. */
  readonly author: string | null;
  /** The keys that open it. */
  readonly kmsKeyIds: readonly string[];
}

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

export interface RotationSettings {
  readonly enabled: boolean;
  readonly functionArn: string;
  readonly rules: Rules | null;
  /** The window of the next scheduled rotation; stays in the past while a rotation fails. */
  readonly next: Window | null;
}

export interface Secret {
  readonly arn: string;
  readonly name: string;
  /** Empty: none. */
  readonly description: string;
  /** Null: the key that AWS manages. */
  readonly kmsKeyId: string | null;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly accessedAt: number | null;
  readonly rotatedAt: number | null;
  readonly creationToken: string;
  /** Null: never tagged. An empty list is shown, as AWS does after the last tag is gone. */
  readonly tags: readonly Tag[] | null;
  readonly rotation: RotationSettings | null;
  /** When the secret will be gone; null: it is not being deleted. */
  readonly deletionAt: number | null;
  readonly versions: ReadonlyMap<string, Version>;
}

/** The keys of a version that is written now; the name of the AWS-managed one is validated (LocalStack's snapshots). */
export function keysOf(secret: Secret): string[] {
  return [secret.kmsKeyId ?? 'DefaultEncryptionKey'];
}

/** One remembered state: null says that the secret did not exist any more. */
interface State {
  readonly since: number;
  readonly secret: Secret | null;
}

export class Store {
  readonly #clock: WorldClock;
  readonly #lag: () => number;
  readonly #states = new Map<string, State[]>();

  /** @param lag milliseconds that reads may stay behind; asked at every read. */
  constructor(clock: WorldClock, lag: () => number) {
    this.#clock = clock;
    this.#lag = lag;
  }

  /** All secrets that exist now, in the order of their creation. */
  all(): Secret[] {
    return [...this.#states.keys()].flatMap((arn) => this.get(arn) ?? []);
  }

  get(arn: string): Secret | null {
    return this.#states.get(arn)?.at(-1)?.secret ?? null;
  }

  /** The secret by name, full ARN or partial ARN, as writes see it. */
  find(secretId: string): Secret | null {
    return this.#find(secretId, (states) => states.at(-1)?.secret ?? null);
  }

  /** The same as reads see it, which is behind by the lag. */
  findLagging(secretId: string): Secret | null {
    const horizon = this.#clock.now() - this.#lag();
    return this.#find(secretId, (states) => {
      const shown = states.findLast((state) => state.since <= horizon);
      if (shown !== undefined) return shown.secret;
      // What was true before a lag was set is not kept; the oldest known state stands for it.
      const oldest = states[0]?.secret ?? null;
      return oldest !== null && oldest.createdAt <= horizon ? oldest : null;
    });
  }

  put(secret: Secret): void {
    this.#remember(secret.arn, secret);
  }

  remove(arn: string): void {
    this.#remember(arn, null);
    if (this.#lag() === 0) this.#states.delete(arn);
  }

  #remember(arn: string, secret: Secret | null): void {
    const now = this.#clock.now();
    const states = this.#states.get(arn) ?? [];
    const horizon = now - this.#lag();
    // The newest state at or before the horizon is still shown; anything older is not.
    const shown = states.findLastIndex((state) => state.since <= horizon);
    if (shown > 0) states.splice(0, shown);
    states.push({ since: now, secret });
    this.#states.set(arn, states);
  }

  #find(secretId: string, pick: (states: readonly State[]) => Secret | null): Secret | null {
    const exact = this.#states.get(secretId);
    if (exact !== undefined) return pick(exact);
    for (const states of this.#states.values()) {
      const secret = pick(states);
      if (secret !== null && answersTo(secret, secretId)) return secret;
    }
    return null;
  }
}

/**
 * A partial ARN leaves out the hyphen and the six characters that AWS adds. One that ends in a hyphen and six
 * characters anyway is taken for a full ARN, and then names nothing (AWS API reference, GetSecretValue, SecretId).
 */
function answersTo(secret: Secret, secretId: string): boolean {
  if (!secretId.startsWith('arn:')) return secret.name === secretId;
  return !/-[A-Za-z0-9]{6}$/.test(secretId) && secret.arn.slice(0, -7) === secretId;
}
