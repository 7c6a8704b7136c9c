/** The login that a document holds: read, compared, and written with other credentials. */
import type { SecretDocument, Variables } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { sameText } from '../contract/same-text.ts';
import { Sensitive } from '../contract/sensitive.ts';
import type { Engine, TargetLogin } from '../contract/target.ts';
import { type Credentials, type Dsn, parseDsn, withCredentials } from '../dsn/dsn.ts';
import { dsnOfPieces } from '../dsn/pieces.ts';
import { differences } from '../dsn/same-target.ts';
import type { Options } from './options.ts';

/** What says where a login is, and how it is used. */
export type LoginOptions = Pick<Options, 'dsn' | 'pieces' | 'fixed' | 'copies' | 'tls'> &
  Pick<TargetLogin, 'persistence' | 'elastiCacheUser'> & { readonly engine: Engine };

/** @throws KeyturnError DocumentInvalid */
export function dsnOf({ engine, dsn, pieces, fixed }: LoginOptions, document: SecretDocument): Dsn {
  if (dsn !== undefined) return parseDsn(document.value(dsn));
  const part = (name: 'host' | 'port' | 'user' | 'database'): string => {
    const variable = pieces?.[name];
    return variable === undefined ? String(fixed[name] ?? '') : document.value(variable).reveal();
  };
  return dsnOfPieces(engine, {
    host: part('host'),
    port: part('port'),
    user: part('user'),
    database: part('database'),
    password: document.value(pieces?.password ?? ''),
  });
}

/** @throws KeyturnError DocumentInvalid */
export function loginOf(options: LoginOptions, document: SecretDocument): TargetLogin {
  const { engine, hosts, user: named, password, database } = dsnOf(options, document);
  const [{ host, port }] = hosts;
  // A URL of Redis without a user is of the one that is always there.
  const user = named ?? (engine === 'redis' ? 'default' : null);
  const absent =
    engine !== options.engine
      ? `server of ${options.engine}`
      : host === null
        ? 'host'
        : user === null
          ? 'user'
          : null;
  if (absent !== null || host === null || user === null || password === null) {
    throw new KeyturnError({
      code: 'DocumentInvalid',
      message: `The credential in ${chiefOf(options)} must name a ${absent ?? 'password'}; it does not.`,
    });
  }
  const { tls, persistence, elastiCacheUser } = options;
  return {
    engine,
    host,
    port,
    user,
    password,
    database: database ?? usualDatabase(engine, user),
    tls,
    ...(persistence === undefined ? {} : { persistence }),
    ...(elastiCacheUser === undefined ? {} : { elastiCacheUser }),
  };
}

/** Where none is named, PostgreSQL takes the user's name, Redis number 0, and MySQL none. */
function usualDatabase(engine: Engine, user: string): string {
  return { postgres: user, redis: '0', mysql: '' }[engine];
}

/** Every variable that a rotation changes, the chief one first. */
export function variablesOf(options: LoginOptions, changesUser: boolean): readonly [string, ...string[]] {
  const user = changesUser ? options.pieces?.user : undefined;
  return [chiefOf(options), ...(user === undefined ? [] : [user]), ...options.copies];
}

/** @throws KeyturnError DocumentInvalid when a copy holds another user or password. */
export function checkCopies(options: LoginOptions, document: SecretDocument): void {
  const { user, password } = dsnOf(options, document);
  for (const name of options.copies) {
    const copy = parseDsn(document.value(name));
    if (copy.user === user && sameText(copy.password ?? new Sensitive(''), password ?? new Sensitive('')))
      continue;
    throw new KeyturnError({
      code: 'DocumentInvalid',
      message: `The member ${name} must hold the same user and password as the credential that it copies; it holds others.`,
    });
  }
}

/** The members that hold the credential, with other ones. */
export function written(
  options: LoginOptions,
  document: SecretDocument,
  credentials: Credentials,
): Variables {
  const { dsn, pieces, copies } = options;
  const { user, password } = credentials;
  const strings = [...(dsn === undefined ? [] : [dsn]), ...copies].map(
    (name) => [name, withCredentials(document.value(name), credentials).reveal()] as const,
  );
  return new Map([
    ...(pieces === undefined ? [] : [[pieces.password, password.reveal()] as const]),
    ...(pieces?.user === undefined || user === undefined ? [] : [[pieces.user, user] as const]),
    ...strings,
  ]);
}

/**
 * A pending value that leads elsewhere would send a password of ours to a server that is not ours.
 *
 * @param alternating two users take turns: the user may be another one.
 * @throws KeyturnError ValueRejected
 */
export function refuseOtherTarget(
  options: LoginOptions,
  document: SecretDocument,
  current: SecretDocument,
  alternating: boolean,
): void {
  const parts = differences(dsnOf(options, document), dsnOf(options, current), alternating);
  if (parts.length === 0) return;
  throw new KeyturnError({
    code: 'ValueRejected',
    message: `The pending value must lead where the current one leads; its ${parts.join(' and ')} differ.`,
  });
}

function chiefOf({ dsn, pieces }: LoginOptions): string {
  return dsn ?? pieces?.password ?? '';
}
