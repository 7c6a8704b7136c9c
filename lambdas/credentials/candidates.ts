import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { sameText } from '../contract/same-text.ts';
import type { SetDocuments, TestContext } from '../contract/secret-class.ts';
import type { Target, TargetLogin, TargetSession } from '../contract/target.ts';
import { differences } from '../dsn/same-target.ts';
import { dsnOf, type LoginOptions, loginOf } from './login.ts';

/** @returns null: the server does not let this login in. With any other error nothing is known. */
export async function admitted(target: Target, login: TargetLogin): Promise<TargetSession | null> {
  try {
    return await target.login(login);
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'CredentialRejected') return null;
    throw caught;
  }
}

/** A session, and the login that it was opened with. */
export interface Admitted {
  readonly login: TargetLogin;
  readonly session: TargetSession;
}

/**
 * A session of the first of these logins that works, then of those that earlier documents hold: each password is tried
 * once.
 *
 * @throws KeyturnError CredentialRejected when none works.
 */
export async function anyAdmitted(
  { options, document, earlier, target }: TestContext<LoginOptions> & SetDocuments,
  first: readonly TargetLogin[],
): Promise<Admitted> {
  const tried: TargetLogin[] = [];
  for await (const login of candidates(options, document, first, earlier)) {
    if (tried.some((one) => sameText(one.password, login.password))) continue;
    tried.push(login);
    const session = await admitted(target, login);
    if (session !== null) return { login, session };
  }
  throw new KeyturnError({
    code: 'CredentialRejected',
    message: `The server lets ${loginOf(options, document).user} in with none of the ${tried.length} passwords that the secret holds.`,
    hint: 'Store the password that works as the current value, then rotate again.',
  });
}

/** Earlier documents that lead elsewhere, or nowhere, are passed over. */
async function* candidates(
  options: LoginOptions,
  document: SecretDocument,
  first: readonly TargetLogin[],
  earlier: SetDocuments['earlier'],
): AsyncIterable<TargetLogin> {
  yield* first;
  const here = dsnOf(options, document);
  for await (const one of earlier()) {
    const login = readable(() =>
      differences(dsnOf(options, one), here).length === 0 ? loginOf(options, one) : null,
    );
    if (login !== null) yield login;
  }
}

function readable(read: () => TargetLogin | null): TargetLogin | null {
  try {
    return read();
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'DocumentInvalid') return null;
    throw caught;
  }
}
