/** A server whose credentials are rotated: its users, its sessions, and the way there through the gate. */
import type { SecretDocument } from '../../lambdas/contract/document.ts';
import type { Target, TargetPorts, TargetSession } from '../../lambdas/contract/target.ts';
import { FakeServer } from '../lambdas/classes/fake-server.ts';
import type { Gate, Process } from './gate.ts';

export interface DatabaseSetting {
  /** Users and their passwords at the beginning. */
  readonly users: Readonly<Record<string, string>>;
  /** Whether it tells when a session began. Default: it does. */
  readonly tellsTimes?: boolean;
}

interface RunningTask {
  readonly createdAt: number;
  readonly document: Readonly<Record<string, string>>;
}

export class Database {
  readonly server: FakeServer;
  readonly #variable: string;
  readonly #tasks: () => readonly RunningTask[];

  constructor(
    { users, tellsTimes = true }: DatabaseSetting,
    { variable, tasks, now }: { variable: string; tasks: () => readonly RunningTask[]; now: () => number },
  ) {
    this.server = new FakeServer(users);
    if (!tellsTimes) this.server.time = now;
    this.#variable = variable;
    this.#tasks = tasks;
    // A task keeps the session that it opened when it started.
    this.server.held = () => [
      ...this.server.sessions,
      ...tasks().flatMap(({ createdAt, document }) => {
        const login = loginOf(document[variable]);
        return login === null ? [] : [{ user: login.user, by: 'web', openedAt: new Date(createdAt) }];
      }),
    ];
  }

  get passwords(): string[] {
    return [...this.server.passwords.values()];
  }

  accepts(document: SecretDocument): boolean {
    return document.has(this.#variable) && this.#admits(document.value(this.#variable).reveal());
  }

  /** Running tasks that could not open another session. */
  lockedOut(): RunningTask[] {
    return this.#tasks().filter(({ document }) => !this.#admits(document[this.#variable]));
  }

  /** A person gives the current user a password of their own, at the server and in the console. */
  typed(current: SecretDocument | null, password: string): Record<string, string> | null {
    if (current === null) return null;
    const url = new URL(current.value(this.#variable).reveal());
    this.server.passwords.set(url.username, password);
    url.password = password;
    return { [this.#variable]: url.href };
  }

  ports(gate: Gate, process: Process): TargetPorts {
    const through = <Args extends unknown[], T>(name: string, does: (...args: Args) => Promise<T>) => {
      return (...args: Args) => gate.call(name, process, () => does(...args));
    };
    const gated = (session: TargetSession): TargetSession => ({
      changePassword: through('ALTER own', session.changePassword),
      addPassword: through('ALTER add', session.addPassword),
      keepOnly: through('ALTER keep', session.keepOnly),
      preparePair: through('ALTER pair', session.preparePair),
      disableLogin: through('ALTER disable', session.disableLogin),
      uses: through('SELECT sessions', session.uses),
      endUses: through('END sessions', session.endUses),
      missingRights: session.missingRights,
      end: session.end,
    });
    const target: Target = {
      login: async (login) => gated(await gate.call('LOGIN', process, () => this.server.target.login(login))),
      mark: (login) =>
        gate.call('MARK sessions', process, async () => (await this.server.target.mark?.(login)) ?? null),
    };
    return { target, credential: through('GetSecretValue of admin', this.server.ports.credential) };
  }

  #admits(text: string | undefined): boolean {
    const login = loginOf(text);
    return login !== null && this.server.accepts(login.user, login.password);
  }
}

function loginOf(text: string | undefined): { user: string; password: string } | null {
  if (text === undefined || !URL.canParse(text)) return null;
  const { username, password } = new URL(text);
  return { user: username, password };
}
