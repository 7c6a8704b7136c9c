/** The session of who may prepare and disable users, on the server of the credential itself. */
import type { Credential } from '../contract/credential.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { NamedLogin } from '../contract/secret-class.ts';
import type { Sensitive } from '../contract/sensitive.ts';
import type { TargetLogin, TargetPorts, TargetSession } from '../contract/target.ts';
import { parseDsn } from '../dsn/dsn.ts';
import type { Options } from './options.ts';

/** What says who the administrator is, and who it must not be. */
type AdministratorOptions = Pick<Options, 'admin'> & Partial<Pick<Options, 'users' | 'owner'>>;

/** Members of other secrets that an administrator's login is made from. */
export function credentialsOf({ admin }: AdministratorOptions): Credential[] {
  if (admin === undefined) return [];
  if ('dsn' in admin) return [admin.dsn];
  return [...(typeof admin.user === 'string' ? [] : [admin.user]), admin.password];
}

/**
 * Logs the administrator in, does the work, and ends the session.
 *
 * @param here the credential whose server it is.
 * @throws KeyturnError AdministratorRejected when the server does not let the administrator in: that says nothing of
 *   the credential.
 */
export async function asAdministrator<T>(
  ports: TargetPorts,
  options: AdministratorOptions,
  here: TargetLogin,
  work: (session: TargetSession) => Promise<T>,
): Promise<T> {
  const { user, password } = await administrator(ports, options);
  const session = await ports.target.login({ ...here, user, password }).catch((caught: unknown) => {
    throw rejectedAdministrator(caught, user);
  });
  return work(session).finally(() => session.end());
}

/** The administrator's login, where the options name one: what a preflight tries beside the credential's own. */
export function administratorLogins(
  ports: TargetPorts,
  options: AdministratorOptions,
  here: () => TargetLogin,
): NamedLogin[] {
  if (options.admin === undefined) return [];
  return [
    { of: 'administrator', login: async () => ({ ...here(), ...(await administrator(ports, options)) }) },
  ];
}

interface Administrator {
  readonly user: string;
  readonly password: Sensitive;
}

/** @throws KeyturnError AdministratorRejected for one of the users that it is to prepare. */
async function administrator(ports: TargetPorts, options: AdministratorOptions): Promise<Administrator> {
  const found = await named(ports, options);
  if (![...(options.users ?? []), options.owner].includes(found.user)) return found;
  throw new KeyturnError({
    code: 'AdministratorRejected',
    message: `options.admin must be another user than those that it prepares; it is ${found.user}.`,
  });
}

async function named({ credential }: TargetPorts, { admin }: AdministratorOptions): Promise<Administrator> {
  const read = ({ secret, member }: Credential) => credential(secret, member);
  if (admin === undefined) throw incomplete('the administrator');
  if (!('dsn' in admin)) {
    // Together: of one secret they are read in one call.
    const [user, password] = await Promise.all([
      typeof admin.user === 'string' ? admin.user : read(admin.user),
      read(admin.password),
    ]);
    return { user: typeof user === 'string' ? user : user.reveal(), password };
  }
  const { user, password } = parseDsn(await read(admin.dsn));
  if (user === null || password === null) throw incomplete(user === null ? 'a user' : 'a password');
  return { user, password };
}

function incomplete(what: string): KeyturnError {
  return new KeyturnError({
    code: 'AdministratorRejected',
    message: `options.admin must name ${what}; it does not.`,
  });
}

function rejectedAdministrator(caught: unknown, user: string): unknown {
  if (!(caught instanceof KeyturnError) || caught.code !== 'CredentialRejected') return caught;
  return new KeyturnError({
    code: 'AdministratorRejected',
    message: `The server does not let the administrator ${user} in with the password that options.admin leads to.`,
    hint: 'Store the administrator’s password in that secret; the credential itself was not touched.',
    retryable: true,
  });
}
