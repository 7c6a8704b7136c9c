import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { sameText } from '../contract/same-text.ts';
import type { SetDocuments, TestContext } from '../contract/secret-class.ts';
import type { Target, TargetLogin, TargetSession } from '../contract/target.ts';
import { differences } from '../dsn/same-target.ts';
import { dsnOf, loginOf } from './login.ts';
import type { Options } from './options.ts';

/** @returns null: the server does not let this login in. With any other error nothing is known. */
export async function admitted(target: Target, login: TargetLogin): Promise<TargetSession | null> {
  try {
    return await target.login(login);
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'CredentialRejected') return null;
    throw caught;
  }
}

/**
 * A session of the first login that still works, of the current document and then of earlier ones: each password is
 * tried once.
 *
 * @throws KeyturnError CredentialRejected when none works.
 */
export async function anyAdmitted(
  { options, document, current, earlier, target }: TestContext<Options> & SetDocuments,
  refused: readonly TargetLogin[],
): Promise<TargetSession> {
  const tried = [...refused];
  for await (const candidate of candidates(options, document, current, earlier())) {
    if (tried.some((one) => sameText(one.password, candidate.password))) continue;
    tried.push(candidate);
    const session = await admitted(target, candidate);
    if (session !== null) return session;
  }
  throw new KeyturnError({
    code: 'CredentialRejected',
    message: `The server lets ${loginOf(options, document).user} in with none of the ${tried.length} passwords that the secret holds.`,
    hint: 'Store the password that works as the current value, then rotate again.',
  });
}

/** Who may still get in, likeliest first. Documents that lead elsewhere, or nowhere, are passed over. */
async function* candidates(
  options: Options,
  document: SecretDocument,
  current: SecretDocument | null,
  earlier: AsyncIterable<SecretDocument>,
): AsyncIterable<TargetLogin> {
  if (current !== null) yield loginOf(options, current);
  const here = dsnOf(options, document);
  for await (const one of earlier) {
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
