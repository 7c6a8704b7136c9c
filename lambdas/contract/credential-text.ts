import { KeyturnError } from './errors.ts';

/**
 * What no user name and no password may hold: no server and no connection string could carry it.
 *
 * @param what begins the sentence of the error, such as `The password`.
 * @throws KeyturnError ValueRejected
 */
export function checkCredential(what: string, text: string): void {
  const broken =
    text === ''
      ? 'must not be empty'
      : text.includes('\0')
        ? 'must not hold the NUL character'
        : /\p{Surrogate}/u.test(text)
          ? 'must be well-formed Unicode'
          : null;
  if (broken !== null) throw new KeyturnError({ code: 'ValueRejected', message: `${what} ${broken}.` });
}
