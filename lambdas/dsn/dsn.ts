/**
 * Connection strings in every shape that a platform reads: URLs and libpq's keyword=value. Reading one never
 * quotes it in an error, and writing credentials into one keeps everything else byte for byte.
 */
import { checkCredential } from '../contract/credential-text.ts';
import { Sensitive } from '../contract/sensitive.ts';
import type { Engine } from '../contract/target.ts';
import { keywordsWith, parseKeywords } from './keywords.ts';
import { schemeOf } from './schemes.ts';
import { parseUrl, urlWith } from './url.ts';

export interface Endpoint {
  /** As written, percent-decoded and without the brackets of an IPv6 address; null: the client's default. */
  readonly host: string | null;
  /** Default: 5432, 3306 or 6379. */
  readonly port: number;
}

export interface Dsn {
  readonly form: 'url' | 'keywords';
  readonly engine: Engine;
  /** As written; null for keywords. */
  readonly scheme: string | null;
  /** In the order in which a client tries them; never empty. */
  readonly hosts: readonly [Endpoint, ...Endpoint[]];
  /** Null: not named. An empty one counts as not named, as libpq has it. */
  readonly user: string | null;
  readonly password: Sensitive | null;
  readonly database: string | null;
  /** Everything else, decoded, in its order. Read for comparison only: no sslmode in it ever weakens a connection of ours. */
  readonly options: ReadonlyMap<string, string>;
}

export interface Credentials {
  /** Left out: the user stays as it is. */
  readonly user?: string;
  /** Not empty, no NUL character, no lone surrogate: no form can carry them. */
  readonly password: Sensitive;
}

/** @throws KeyturnError DocumentInvalid: the rule, never the text. */
export function parseDsn(dsn: Sensitive): Dsn {
  const text = dsn.reveal();
  return schemeOf(text) === null ? parseKeywords(text) : parseUrl(text);
}

/**
 * The same connection string with other credentials. Order, options, case and quoting of all the rest stay.
 *
 * @throws KeyturnError DocumentInvalid when the string breaks the rules of its form, ValueRejected when a
 *   credential cannot be written in any.
 */
export function withCredentials(dsn: Sensitive, credentials: Credentials): Sensitive {
  checkCredential('The password', credentials.password.reveal());
  if (credentials.user !== undefined) checkCredential('The user', credentials.user);
  const text = dsn.reveal();
  return new Sensitive(
    schemeOf(text) === null ? keywordsWith(text, credentials) : urlWith(text, credentials),
  );
}
