/** A server that keeps passwords, and counts who tried to get in. */
import { type ErrorCode, KeyturnError } from '../../../lambdas/contract/errors.ts';
import type { Target, TargetLogin, TargetPorts } from '../../../lambdas/contract/target.ts';

export class FakeServer {
  readonly passwords: Map<string, string>;
  /** `table right` that every user has. */
  readonly granted = new Set<string>();
  readonly logins: { readonly host: string; readonly user: string; readonly password: string }[] = [];
  /** Sessions that are open. */
  open = 0;
  /** What the next calls end with, in order. */
  readonly faults: { readonly at: 'login' | 'before-change' | 'after-change'; readonly code: ErrorCode }[] =
    [];

  constructor(passwords: Readonly<Record<string, string>>) {
    this.passwords = new Map(Object.entries(passwords));
  }

  copy(): FakeServer {
    return new FakeServer(Object.fromEntries(this.passwords));
  }

  get ports(): TargetPorts {
    return {
      target: this.target,
      credential: async () => {
        throw failing('AwsNotFound');
      },
    };
  }

  get target(): Target {
    return {
      login: async ({ host, user, password }: TargetLogin) => {
        this.logins.push({ host, user, password: password.reveal() });
        this.#fault('login');
        if (this.passwords.get(user) !== password.reveal()) throw failing('CredentialRejected');
        this.open += 1;
        return {
          changePassword: async (to) => {
            this.#fault('before-change');
            this.passwords.set(user, to.reveal());
            this.#fault('after-change');
          },
          addPassword: refuse,
          keepOnly: refuse,
          preparePair: refuse,
          disableLogin: refuse,
          uses: refuse,
          endUses: refuse,
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
      },
    };
  }

  #fault(at: 'login' | 'before-change' | 'after-change'): void {
    if (this.faults[0]?.at !== at) return;
    const fault = this.faults.shift();
    if (fault !== undefined) throw failing(fault.code);
  }
}

function failing(code: ErrorCode): KeyturnError {
  return new KeyturnError({ code, message: 'The server said no.', retryable: code !== 'CredentialRejected' });
}

function refuse(): Promise<never> {
  return Promise.reject(failing('TargetRefused'));
}
