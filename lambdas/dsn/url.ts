import { Sensitive } from '../contract/sensitive.ts';
import { broken } from './broken.ts';
import type { Credentials, Dsn } from './dsn.ts';
import { endpoints } from './endpoints.ts';
import { percentDecode, percentEncode } from './percent.ts';
import { defaultPorts, schemeOf } from './schemes.ts';

/** The pieces of a URL, as written: put together again they are the same bytes. */
interface Pieces {
  /** With `://`. */
  readonly scheme: string;
  /** Null: there is no `@`. */
  readonly userinfo: {
    readonly user: string /** Null: there is no `:`. */;
    readonly password: string | null;
  } | null;
  readonly hosts: string;
  /** With its slash; empty: there is none. */
  readonly path: string;
  /** Null: there is no question mark. */
  readonly options: readonly Option[] | null;
}

interface Option {
  readonly name: string;
  /** Null: there is no `=`. */
  readonly value: string | null;
}

/** Query options of libpq that say where to connect, and as whom. */
const connecting = ['host', 'hostaddr', 'port', 'user', 'password', 'dbname'];

/** @throws KeyturnError DocumentInvalid */
export function parseUrl(text: string): Dsn {
  const scheme = knownScheme(text);
  const pieces = split(text);
  const given = new Map<string, string>();
  const others = new Map<string, string>();
  for (const { name, value } of pieces.options ?? []) {
    const key = percentDecode(name, 'options');
    if (!scheme.optionsConnect && connecting.includes(key)) {
      throw broken(`must not name its ${key} among the options: parsers of ${scheme.name} disagree on it`);
    }
    if (given.has(key)) throw broken(`must name its ${key} once; it is there twice among the options`);
    (connecting.includes(key) ? given : others).set(key, percentDecode(value ?? '', 'options'));
  }
  const user = pieces.userinfo === null ? '' : percentDecode(pieces.userinfo.user, 'user');
  const password = percentDecode(pieces.userinfo?.password ?? '', 'password');
  const database = percentDecode(pieces.path.slice(1), 'database');
  return {
    form: 'url',
    engine: scheme.engine,
    scheme: scheme.name,
    hosts: hostsOf(pieces, given, defaultPorts[scheme.engine]),
    user: named(given.get('user') ?? user),
    password: secret(given.get('password') ?? password),
    database: named(given.get('dbname') ?? database),
    options: given.has('hostaddr') ? others.set('hostaddr', given.get('hostaddr') ?? '') : others,
  };
}

/** @throws KeyturnError DocumentInvalid */
export function urlWith(text: string, credentials: Credentials): string {
  // Checks every rule before anything is written.
  parseUrl(text);
  const { scheme, userinfo, hosts, path, options } = split(text);
  const password = percentEncode(credentials.password.reveal());
  const user = credentials.user === undefined ? null : percentEncode(credentials.user);
  const inOptions = (wanted: string) =>
    options?.some(({ name }) => percentDecode(name, 'options') === wanted) === true;
  const changed = options?.map(({ name, value }): Option => {
    const key = percentDecode(name, 'options');
    if (key === 'password') return { name, value: password };
    return key === 'user' && user !== null ? { name, value: user } : { name, value };
  });
  // A password among the options is the one that counts, so a second copy in front would be a stale one.
  const here =
    inOptions('password') && userinfo?.password == null
      ? { user: userinfo?.user ?? '', password: null }
      : { user: userinfo?.user ?? '', password };
  const front = user !== null && (here.user !== '' || !inOptions('user')) ? { ...here, user } : here;
  return joined({
    scheme,
    userinfo: userinfo === null && front.user === '' && front.password === null ? null : front,
    hosts,
    path,
    options: changed ?? null,
  });
}

/**
 * Cuts where every parser cuts. libpq ends the credentials at the first `@` before a slash, WHATWG and Go at
 * the last one before a slash, a question mark or a hash: a string on which they differ is refused.
 */
function split(text: string): Pieces {
  const scheme = `${knownScheme(text).name}://`;
  const rest = text.slice(scheme.length);
  if (/[\0-\x20\x7f]/.test(rest)) {
    throw broken('must not hold spaces or control characters', 'Percent-encode them: a space is %20.');
  }
  if (rest.includes('#')) throw broken('must not hold a hash: a parser ends there', 'Write it as %23.');
  const authority = rest.slice(0, endOf(rest, /[/?]/));
  const at = authority.indexOf('@');
  if (at !== authority.lastIndexOf('@') || rest.slice(authority.length, endOf(rest, /\//)).includes('@')) {
    throw broken('must hold one @ before its host', 'Write one that belongs to a user or password as %40.');
  }
  const tail = rest.slice(authority.length);
  const question = tail.indexOf('?');
  return {
    scheme,
    userinfo: at === -1 ? null : userinfoOf(authority.slice(0, at)),
    hosts: authority.slice(at + 1),
    path: question === -1 ? tail : tail.slice(0, question),
    options:
      question === -1
        ? null
        : tail
            .slice(question + 1)
            .split('&')
            .map(optionOf),
  };
}

function joined({ scheme, userinfo, hosts, path, options }: Pieces): string {
  const pair = (name: string, sign: string, value: string | null) =>
    value === null ? name : `${name}${sign}${value}`;
  const front = userinfo === null ? '' : `${pair(userinfo.user, ':', userinfo.password)}@`;
  const query = options?.map(({ name, value }) => pair(name, '=', value)).join('&');
  return `${scheme}${front}${hosts}${path}${query === undefined ? '' : `?${query}`}`;
}

function userinfoOf(text: string) {
  const colon = text.indexOf(':');
  return colon === -1
    ? { user: text, password: null }
    : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function optionOf(text: string): Option {
  const sign = text.indexOf('=');
  return sign === -1
    ? { name: text, value: null }
    : { name: text.slice(0, sign), value: text.slice(sign + 1) };
}

function hostsOf(pieces: Pieces, given: ReadonlyMap<string, string>, port: number): Dsn['hosts'] {
  const written = pieces.hosts.split(',').map(hostAndPort);
  const hosts = given.get('host') || null;
  const ports = given.get('port') || null;
  return endpoints(
    hosts?.split(',') ?? written.map(({ host }) => host),
    ports?.split(',') ?? written.map((each) => each.port),
    port,
  );
}

function hostAndPort(text: string): { host: string; port: string } {
  const [, bracketed, plain, port] = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  if (bracketed === undefined && plain === undefined) {
    throw broken('must write each host as name, name:port or [IPv6]:port');
  }
  return { host: percentDecode(bracketed ?? plain ?? '', 'host'), port: port ?? '' };
}

function knownScheme(text: string) {
  const scheme = schemeOf(text);
  if (scheme === null) throw broken('must begin with a scheme that is known');
  return scheme;
}

function endOf(text: string, sign: RegExp): number {
  const found = text.search(sign);
  return found === -1 ? text.length : found;
}

function named(text: string): string | null {
  return text === '' ? null : text;
}

function secret(text: string): Sensitive | null {
  return text === '' ? null : new Sensitive(text);
}
