/** Connection strings made from pieces, for platforms that keep host, user and password in variables of their own. */
import { checkCredential } from '../contract/credential-text.ts';
import { Sensitive } from '../contract/sensitive.ts';
import type { Engine } from '../contract/target.ts';
import { broken } from './broken.ts';
import type { Dsn } from './dsn.ts';
import { endpoints } from './endpoints.ts';
import { written } from './keywords.ts';
import { percentEncode } from './percent.ts';
import { defaultPorts, schemeOf } from './schemes.ts';

/** Each as its variable has it: text, empty where it is not set. */
export interface PieceTexts {
  /** One, or several with commas between them. */
  readonly host: string;
  readonly port: string;
  readonly user: string;
  readonly password: Sensitive;
  readonly database: string;
}

/** @throws KeyturnError DocumentInvalid */
export function dsnOfPieces(engine: Engine, pieces: PieceTexts): Dsn {
  return {
    form: 'keywords',
    engine,
    scheme: null,
    hosts: endpoints(pieces.host.split(','), pieces.port.split(','), defaultPorts[engine]),
    user: pieces.user || null,
    password: pieces.password.reveal() === '' ? null : pieces.password,
    database: pieces.database || null,
    options: new Map(),
  };
}

/**
 * A new URL: for a derived copy that does not exist yet. Every port is written, so that no client has to know it.
 *
 * @param scheme such as `postgres`, `postgresql+asyncpg` or `rediss`.
 * @throws KeyturnError DocumentInvalid, ValueRejected
 */
export function renderUrl(
  scheme: string,
  dsn: Pick<Dsn, 'hosts' | 'user' | 'password' | 'database' | 'options'>,
): Sensitive {
  if (schemeOf(`${scheme}://`)?.name !== scheme) throw broken('must begin with a scheme that is known');
  const password = passwordOf(dsn);
  const hosts = dsn.hosts.map(({ host, port }) => `${hostInUrl(host ?? '')}:${port}`).join(',');
  const database = dsn.database === null ? '' : `/${percentEncode(dsn.database)}`;
  const options = [...dsn.options].map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`);
  const query = options.length === 0 ? '' : `?${options.join('&')}`;
  return new Sensitive(
    `${scheme}://${percentEncode(dsn.user ?? '')}${password === null ? '' : `:${percentEncode(password)}`}@${hosts}${database}${query}`,
  );
}

/** As `renderUrl`, in libpq's form. */
export function renderKeywords(
  dsn: Pick<Dsn, 'hosts' | 'user' | 'password' | 'database' | 'options'>,
): Sensitive {
  const settings: readonly (readonly [string, string | null])[] = [
    ['host', dsn.hosts.map(({ host }) => host ?? '').join(',')],
    ['port', dsn.hosts.map(({ port }) => port).join(',')],
    ['user', dsn.user],
    ['password', passwordOf(dsn)],
    ['dbname', dsn.database],
    ...dsn.options,
  ];
  return new Sensitive(
    settings
      .flatMap(([keyword, value]) => (value === null ? [] : [`${keyword}=${written(value, false)}`]))
      .join(' '),
  );
}

function passwordOf({ password }: Pick<Dsn, 'password'>): string | null {
  if (password === null) return null;
  checkCredential('The password', password.reveal());
  return password.reveal();
}

/** An IPv6 address keeps its colons, in brackets (RFC 3986 section 3.2.2). */
function hostInUrl(host: string): string {
  return host.includes(':') && !host.includes('/') ? `[${host.replace('%', '%25')}]` : percentEncode(host);
}
