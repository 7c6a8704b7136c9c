/** A server of a run at which platforms log in: what a rehearsal asks of it, whatever its engine. */
import type { Engine } from '../../lambdas/contract/target.ts';
import type { ServerLog } from './server-log.ts';
import type { DatabaseLogin, DatabaseServer } from './twins/twin.ts';

export interface RunServer {
  /** PEM text that vouches for the server. */
  readonly ca: string;
  readonly server: DatabaseServer;
  /** Makes what a platform had before Keyturn: its user, and what that leads to. */
  prepareLogin(wanted: LoginWanted): Promise<void>;
  /** Whether the server lets this login in: one try. Rejects when that cannot be told. */
  letsIn(login: DatabaseLogin, database: string): Promise<boolean>;
  /** A session that stays open. @param name what it calls itself */
  hold(login: DatabaseLogin, database: string, name: string): Promise<HeldSession>;
  /** All that the server has logged. */
  log(): Promise<string>;
  counted(log: string): ServerLog;
  stop(): Promise<void>;
}

/** Those that this run has, by what they speak. */
export type RunServers<Part extends keyof RunServer = keyof RunServer> = {
  readonly [Which in Engine]?: Pick<RunServer, Part>;
};

export interface HeldSession {
  isOpen(): Promise<boolean>;
  /** Never fails. */
  end(): Promise<void>;
}

export interface LoginWanted {
  readonly engine: Engine;
  readonly login: DatabaseLogin;
  /** Who may prepare other users: as the master user of an RDS instance, no superuser. Null: nobody is needed. */
  readonly administrator: DatabaseLogin | null;
  /** The chief one first; they are made here, unless a platform's data is in one of this name already. */
  readonly databases: readonly string[];
}
