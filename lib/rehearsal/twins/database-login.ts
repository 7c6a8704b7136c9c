/** The login of a platform at its database before the first rotation, in the forms in which platforms write it. */
import type { DatabaseLogin, TwinVariables, TwinWorld } from './twin.ts';

/** Where a login leads, in parts. */
export interface LoginParts extends DatabaseLogin {
  readonly host: string;
  readonly port: string;
  readonly database: string;
  /** What follows the address in a URL, or stands beside the rest in keywords: sslmode, sslrootcert. */
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Of a run with a database: the platform's own user, whose password somebody typed. Signs that every form has to escape
 * are in it. Without one nobody connects.
 *
 * @param user the one of the first value
 */
export function loginParts(
  { databaseServer, databaseUrl, seeded }: TwinWorld,
  platform: string,
  user: string,
): LoginParts {
  // Data is moved here, and the platform's own login stays as it is.
  if (databaseServer === undefined && databaseUrl !== undefined) return partsOf(databaseUrl(platform));
  const password = `${seeded.bytes(`database password of ${platform}`, 18).toString('base64url')} @:/?#%&'\\`;
  const { host, port, authority } = databaseServer ?? { host: 'localhost', port: 5432, authority: null };
  return {
    host,
    port: String(port),
    user,
    password,
    database: platform,
    settings: authority === null ? {} : { sslmode: 'verify-full', sslrootcert: authority },
  };
}

/** @param scheme `postgres` or `postgresql` */
export function urlOf(
  scheme: string,
  { user, password, host, port, database, settings }: LoginParts,
): string {
  const address = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  const query = Object.entries(settings).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${scheme}://${address}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

/** The address of a platform's Redis, of the user that is there without being made. Without a server nobody connects. */
export function redisUrl({ redisServer, seeded }: TwinWorld, platform: string): string {
  const password = `${seeded.bytes(`Redis password of ${platform}`, 18).toString('base64url')} @:/?#%&'\\`;
  const { host, port } = redisServer ?? { host: 'localhost', port: 6379 };
  return `rediss://default:${encodeURIComponent(password)}@${host}:${port}`;
}

/** libpq's keyword=value form: what holds a space, a quote or a backslash is quoted. */
export function keywordsOf({ user, password, host, port, database, settings }: LoginParts): string {
  const all = { host, port, user, password, dbname: database, ...settings };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${/[\s'\\]/.test(value) ? quoted(value) : value}`)
    .join(' ');
}

function quoted(value: string): string {
  return `'${value.replace(/['\\]/g, (sign) => `\\${sign}`)}'`;
}

/** As a platform reads it from a URL. */
export function loginInUrl(variables: TwinVariables, variable: string): DatabaseLogin {
  const { username, password } = new URL(variables[variable] ?? '');
  return { user: decodeURIComponent(username), password: decodeURIComponent(password) };
}

function partsOf(url: string): LoginParts {
  const { username, password, hostname, port, pathname, searchParams } = new URL(url);
  return {
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    host: hostname,
    port,
    database: pathname.slice(1),
    settings: Object.fromEntries(searchParams),
  };
}
