/** A server that keeps passwords, and counts who tried to get in. */
import { type ErrorCode, KeyturnError } from '../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import type {
  LoginPair,
  Target,
  TargetLogin,
  TargetPorts,
  TargetSession,
  UsesAsked,
} from '../../../lambdas/contract/target.ts';

/** Who administers it; the password is a member of another secret. */
export const administrator = { user: 'administrator', password: 'of-the-administrator' };

/** A session that somebody else holds. */
export interface HeldSession {
  readonly user: string;
  readonly by: string;
  readonly openedAt: Date;
}

export class FakeServer {
  readonly passwords: Map<string, string>;
  /** The password that a user had before, where it holds two. */
  readonly retained = new Map<string, string>();
  /** Pairs as they were prepared last. */
  readonly pairs: Omit<LoginPair, 'password'>[] = [];
  /** Sessions of others. */
  held: () => readonly HeldSession[] = () => this.sessions;
  sessions: HeldSession[] = [];
  /** `table right` that every user has. */
  readonly granted = new Set<string>();
  readonly logins: { readonly host: string; readonly user: string; readonly password: string }[] = [];
  /** Sessions that are open. */
  open = 0;
  /** The time, for one that numbers its sessions by it, and does not tell when they began. Null: it tells. */
  time: (() => number) | null = null;
  /** What the next calls end with, in order. */
  readonly faults: {
    readonly at: 'login' | 'mark' | 'before-change' | 'after-change';
    readonly code: ErrorCode;
  }[] = [];

  constructor(passwords: Readonly<Record<string, string>>) {
    this.passwords = new Map(Object.entries(passwords));
  }

  copy(): FakeServer {
    return new FakeServer(Object.fromEntries(this.passwords));
  }

  get ports(): TargetPorts {
    return {
      target: this.target,
      credential: async (_secretId, member) => {
        if (member !== 'password') throw failing('AwsNotFound');
        return new Sensitive(administrator.password);
      },
    };
  }

  get target(): Target {
    return {
      login: async ({ host, user, password }: TargetLogin) => {
        this.logins.push({ host, user, password: password.reveal() });
        this.#fault('login');
        if (!this.accepts(user, password.reveal())) throw failing('CredentialRejected');
        this.open += 1;
        return this.#session(user);
      },
      mark: async ({ user, password }: TargetLogin) => {
        this.#fault('mark');
        if (!this.accepts(user, password.reveal())) throw failing('CredentialRejected');
        return this.time === null ? null : `${this.time()}@server`;
      },
    };
  }

  accepts(user: string, password: string): boolean {
    if (user === administrator.user) return password === administrator.password;
    return this.passwords.get(user) === password || this.retained.get(user) === password;
  }

  #session(user: string): TargetSession {
    const change = (does: () => void) => async () => {
      this.#fault('before-change');
      does();
      this.#fault('after-change');
    };
    const administering = (does: () => void) => {
      if (user !== administrator.user) throw failing('PrivilegeMissing');
      return change(does)();
    };
    return {
      changePassword: (to) => change(() => this.passwords.set(user, to.reveal()))(),
      addPassword: (of, to) =>
        change(() => {
          const primary = this.passwords.get(of);
          if (primary === to.reveal()) return;
          if (primary !== undefined) this.retained.set(of, primary);
          this.passwords.set(of, to.reveal());
        })(),
      keepOnly: (of, only) =>
        change(() => {
          this.retained.delete(of);
          this.passwords.set(of, only.reveal());
        })(),
      preparePair: ({ password, ...pair }) =>
        administering(() => {
          this.passwords.set(pair.user, password.reveal());
          this.pairs.push(pair);
        }),
      disableLogin: (of) => administering(() => this.passwords.delete(of)),
      uses: async (asked) => {
        const found = this.#meant(asked);
        const names = [...new Set(found.map(({ by }) => by))];
        return names.map((by) => ({ by, sessions: found.filter((one) => one.by === by).length }));
      },
      endUses: async (asked) => {
        const ended = this.#meant(asked);
        this.sessions = this.sessions.filter((one) => !ended.includes(one));
      },
      missingRights: async (wanted) =>
        wanted.flatMap(({ table, rights }) =>
          rights
            .filter((right) => !this.granted.has(`${table} ${right}`))
            .map((right) => `${right} on ${table}`),
        ),
      end: async () => {
        this.open -= 1;
      },
    };
  }

  #meant({ user, openedBefore }: UsesAsked): HeldSession[] {
    const isOld = ({ openedAt }: HeldSession) => {
      if (openedBefore === undefined) return true;
      if (this.time === null) return openedAt < openedBefore.at;
      const [number] = openedBefore.mark?.split('@') ?? [];
      return number === undefined || openedAt.getTime() <= Number(number);
    };
    return this.held().filter((one) => one.user === user && isOld(one));
  }

  #fault(at: 'login' | 'mark' | 'before-change' | 'after-change'): void {
    if (this.faults[0]?.at !== at) return;
    const fault = this.faults.shift();
    if (fault !== undefined) throw failing(fault.code);
  }
}

function failing(code: ErrorCode): KeyturnError {
  return new KeyturnError({ code, message: 'The server said no.', retryable: code !== 'CredentialRejected' });
}
