/** A server that keeps passwords of its own, as far as a class needs it. `adapters/targets` implements it. */
import { KeyturnError } from './errors.ts';
import type { Sensitive } from './sensitive.ts';

/** The kinds of server there are; each is one file in `lambdas/adapters/targets`. */
export type Engine = 'postgres' | 'mysql' | 'redis';

/**
 * Who may have signed a server's certificate: `system` (the roots that Node ships), `rds` (Amazon's: of RDS, Aurora,
 * RDS Proxy and ElastiCache), certificates as PEM text, or a file of them on the machine.
 */
export type Authorities = 'system' | 'rds' | { readonly pem: string } | { readonly path: string };

/** `off` is taken for a loopback address or a Unix socket only. */
export type TargetTls = { readonly authorities: Authorities } | 'off';

/**
 * What a change of a password does where the server cannot save it, so that a restart would bring the old one back:
 * `required` refuses before anything is changed, `best-effort` goes on and says so in the log.
 */
export type Persistence = 'required' | 'best-effort';

export interface TargetLogin {
  readonly engine: Engine;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Sensitive;
  /** Of Redis: the number of the logical database. */
  readonly database: string;
  readonly tls: TargetTls;
  /** Of Redis. Default: required. */
  readonly persistence?: Persistence;
  /** Of ElastiCache: the id of the user, whose passwords its API keeps. Default: the server keeps them. */
  readonly elastiCacheUser?: string;
}

/** What a user must be allowed to do with a table. */
export interface TableRights {
  /** As SQL writes it: `orders`, `billing."Order"`. */
  readonly table: string;
  /** `SELECT`, `INSERT`, … */
  readonly rights: readonly string[];
}

/** Two login roles that take turns, and what they share. */
export interface LoginPair {
  /** The one that is to log in from now on. */
  readonly user: string;
  readonly password: Sensitive;
  /** The one in use until now: never changed, beyond what both share. */
  readonly other: string;
  /** Owns what either makes, and never logs in. */
  readonly owner: string;
  /** Every database in which the pair is prepared, the session's own among them: what the users have elsewhere is refused. */
  readonly databases: readonly string[];
}

/** Open sessions of a user, counted by what opened them. */
export interface Use {
  /** As the session names itself (`application_name`, `CLIENT SETNAME`), or its address; never empty. */
  readonly by: string;
  readonly sessions: number;
}

/** A moment, for servers that tell times and for those that do not. */
export interface Moment {
  readonly at: Date;
  /** What `Target.mark` returned soon after it; null: nothing was marked. */
  readonly mark: string | null;
}

/** Which sessions are meant. */
export interface UsesAsked {
  readonly user: string;
  /** Only those that are not known to have been opened later. Left out: all of this user. */
  readonly openedBefore?: Moment;
}

/**
 * An open session. An engine that cannot do one of these says so by TargetRefused, in a sentence that names the
 * engine.
 */
export interface TargetSession {
  /** Gives the user who is logged in another password; the former one ends. The same again changes nothing that a login sees. */
  changePassword(password: Sensitive): Promise<void>;
  /** Gives a user a second password, beside the one in use. The same again changes nothing. */
  addPassword(user: string, password: Sensitive): Promise<void>;
  /** Leaves a user with this password only. */
  keepOnly(user: string, password: Sensitive): Promise<void>;
  /**
   * Makes one of two users ready to log in: the roles, what they own and were granted, and the password. Repairs
   * what is there. Needs the rights of an administrator.
   */
  preparePair(pair: LoginPair): Promise<void>;
  /** Keeps a user from logging in; what it owns and was granted stays. Open sessions stay. */
  disableLogin(user: string): Promise<void>;
  /** Open sessions, this one left out. */
  uses(asked: UsesAsked): Promise<readonly Use[]>;
  /** Ends those sessions. */
  endUses(asked: UsesAsked): Promise<void>;
  /** @returns what the user lacks, each as `SELECT on orders`; empty: nothing. */
  missingRights(wanted: readonly TableRights[]): Promise<readonly string[]>;
  /** Never fails. */
  end(): Promise<void>;
}

/** One step of the way to a server, as it went. */
export type ReachedStep =
  | { readonly step: 'dns' | 'tcp' | 'tls' | 'login'; readonly ok: true; readonly says: string }
  | { readonly step: 'dns' | 'tcp' | 'tls' | 'login'; readonly ok: false; readonly error: KeyturnError };

export interface Target {
  /**
   * Logs in, with one attempt.
   *
   * @throws KeyturnError CredentialRejected when the server does not let this user in with this password;
   *   other codes when that cannot be known.
   */
  login(login: TargetLogin): Promise<TargetSession>;
  /**
   * Goes the way to a login step by step, up to the first that fails, and changes nothing. One login attempt at most.
   * Left out: an engine that only knows whether it is let in. Never fails.
   */
  reach?(login: TargetLogin): Promise<readonly ReachedStep[]>;
  /**
   * Where the server's numbers of sessions stand: what gets a higher one was opened later. Holds the signs of a tag's
   * value only (letters, digits, `_.:/=+-@`), and at most 150 of them. Left out: an engine that tells when a session began.
   *
   * @returns null where this user cannot know.
   */
  mark?(login: TargetLogin): Promise<string | null>;
}

/** The way to the servers of one kind: what a file in `lambdas/adapters/targets` exports. */
export interface ConnectedTarget {
  readonly engine: Engine;
  readonly target: Target;
}

/** What a class with a target works with beside its documents. */
export interface TargetPorts {
  readonly target: Target;
  /**
   * A member of the current value of another secret, such as an administrator's password. Read at use.
   * @throws KeyturnError AwsNotFound, or DocumentInvalid where the secret has no such member.
   */
  credential(secretId: string, member: string): Promise<Sensitive>;
}

/** The way to the servers of several kinds: the login says which. */
export function targetOf(connected: readonly ConnectedTarget[]): Target {
  const of = ({ engine }: TargetLogin): Target => {
    const found = connected.find((one) => one.engine === engine);
    if (found !== undefined) return found.target;
    throw new KeyturnError({
      code: 'Internal',
      message: `This function was deployed without a way to a server of ${engine}.`,
    });
  };
  return {
    login: async (login) => of(login).login(login),
    reach: async (login) => {
      const target = of(login);
      return target.reach?.(login) ?? [await loggedIn(target, login)];
    },
    mark: async (login) => (await of(login).mark?.(login)) ?? null,
  };
}

async function loggedIn(target: Target, login: TargetLogin): Promise<ReachedStep> {
  try {
    await (await target.login(login)).end();
    return { step: 'login', ok: true, says: `${login.user} is let in` };
  } catch (caught) {
    if (!(caught instanceof KeyturnError)) throw caught;
    return { step: 'login', ok: false, error: caught };
  }
}

/** For functions whose class has no target. */
export const noTarget: TargetPorts = {
  target: targetOf([]),
  credential: () =>
    Promise.reject(
      new KeyturnError({
        code: 'Internal',
        message: 'This function was deployed without a way to read another secret.',
      }),
    ),
};
