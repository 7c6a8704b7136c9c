/** A server that keeps passwords of its own, as far as a class needs it. `adapters` implements it. */
import { KeyturnError } from './errors.ts';
import type { Sensitive } from './sensitive.ts';

/**
 * Who may have signed a server's certificate: `system` (the roots that Node ships), certificates as PEM text,
 * or a file of them on the machine, such as /var/runtime/ca-cert.pem, where Lambda's Node.js keeps Amazon's.
 */
export type Authorities = 'system' | { readonly pem: string } | { readonly path: string };

/** `off` is taken for a loopback address or a Unix socket only. */
export type TargetTls = { readonly authorities: Authorities } | 'off';

export interface TargetLogin {
  readonly engine: 'postgres' | 'mysql' | 'redis';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: Sensitive;
  readonly database: string;
  readonly tls: TargetTls;
}

/** What a user must be allowed to do with a table. */
export interface TableRights {
  /** As SQL writes it: `orders`, `billing."Order"`. */
  readonly table: string;
  /** `SELECT`, `INSERT`, … */
  readonly rights: readonly string[];
}

export interface TargetSession {
  /** Gives the user who is logged in another password. The same again changes nothing that a login sees. */
  changePassword(password: Sensitive): Promise<void>;
  /** @returns what the user lacks, each as `SELECT on orders`; empty: nothing. */
  missingRights(wanted: readonly TableRights[]): Promise<readonly string[]>;
  /** Never fails. */
  end(): Promise<void>;
}

export interface Target {
  /**
   * Logs in, with one attempt.
   *
   * @throws KeyturnError CredentialRejected when the server does not let this user in with this password;
   *   other codes when that cannot be known.
   */
  login(login: TargetLogin): Promise<TargetSession>;
}

/** For functions whose class has no target. */
export const noTarget: Target = {
  login: () =>
    Promise.reject(
      new KeyturnError({
        code: 'Internal',
        message: 'This function was deployed without a way to a target.',
      }),
    ),
};
