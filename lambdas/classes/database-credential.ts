import * as z from 'zod/mini';
import type { SecretDocument, Variables } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { Format, generate } from '../contract/format.ts';
import { defineClass } from '../contract/secret-class.ts';
import { Sensitive } from '../contract/sensitive.ts';
import type { Target, TargetLogin, TargetSession } from '../contract/target.ts';
import { type Dsn, parseDsn, withCredentials } from '../dsn/dsn.ts';
import { dsnOfPieces } from '../dsn/pieces.ts';
import { differences } from '../dsn/same-target.ts';
import { sameText } from './same-text.ts';

const Options = z.strictObject({
  engine: z._default(z.enum(['postgres']), 'postgres'),
  /** `single-user`: one role changes its own password; from set until its consumers have restarted, they cannot log in anew. */
  strategy: z._default(z.enum(['single-user']), 'single-user'),
  /** The variable that holds the connection string. Left out: `pieces` says where its parts are. */
  dsn: z.optional(z.string()),
  /** Variables that hold one part each. */
  pieces: z.optional(
    z.strictObject({
      password: z.string(),
      user: z.optional(z.string()),
      host: z.optional(z.string()),
      port: z.optional(z.string()),
      database: z.optional(z.string()),
    }),
  ),
  /** Parts that no variable of the secret holds, as they are. */
  fixed: z._default(
    z.strictObject({
      user: z.optional(z.string()),
      host: z.optional(z.string()),
      port: z.optional(z.int().check(z.minimum(1), z.maximum(65_535))),
      database: z.optional(z.string()),
    }),
    {},
  ),
  /** Variables that hold connection strings with the same user and password; they change in the same version. */
  copies: z._default(z.array(z.string()), []),
  /** How a new password is made. Default: 40 letters and digits (238 bits), which mean nothing to any URL or shell. */
  format: z._default(Format, { encoding: 'alphanumeric', length: 40 }),
  /** How the server is verified; `rds`: by Amazon's authorities. Default: by the roots that the runtime ships. */
  tls: z._default(
    z.union([
      z.literal('off'),
      z.strictObject({
        authorities: z.union([
          z.enum(['system', 'rds']),
          z.strictObject({ pem: z.string() }),
          z.strictObject({ path: z.string() }),
        ]),
      }),
    ]),
    { authorities: 'system' },
  ),
  /** What the new login must be allowed to do before it is used. Default: to log in. */
  tables: z._default(
    z.array(
      z.strictObject({
        table: z.string(),
        rights: z.array(
          z.enum(['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']),
        ),
      }),
    ),
    [],
  ),
});
type Options = z.infer<typeof Options>;

/** A role of a database that changes its own password. */
export const secretClass = defineClass<Options>({
  id: 'database-credential',
  steps:
    'new password in every connection string; set logs in (pending, current, previous) and changes it by a verifier; test logs in and checks rights',
  plan: 'redeploy-and-prove',
  admission: 'free',
  cutover: true,
  supplied: false,
  // The old password is no longer the role's: moving the label alone would lock everybody out.
  restorable: false,
  actions: ['secretsmanager:ListSecretVersionIds'],
  engine: ({ engine }) => engine,
  options: Options,

  check({ dsn, pieces, fixed, copies, format }) {
    if ((dsn === undefined) === (pieces === undefined))
      return 'options must have dsn or pieces, and not both.';
    const chief = dsn ?? pieces?.password ?? '';
    if (new Set([chief, ...copies]).size <= copies.length) {
      return `options.copies must name each variable once, and not ${chief} itself.`;
    }
    if (format.encoding === 'base64')
      return 'options.format must be safe in a URL; base64 is not, base64url is.';
    if (pieces === undefined) return null;
    const absent = (['host', 'user'] as const).find((part) => (pieces[part] ?? fixed[part]) === undefined);
    return absent === undefined ? null : `options.pieces or options.fixed must name the ${absent}.`;
  },

  variables: ({ dsn, pieces, copies }) => [dsn ?? pieces?.password ?? '', ...copies],

  breaks: () =>
    'logins with the old password, from the moment that the new one is set until their consumers have restarted; open sessions live on',

  async create({ options, current, random }) {
    if (current === null) {
      throw new KeyturnError({
        code: 'SupplyMissing',
        message: 'A database credential is changed by the one before it; the secret has none.',
        hint: 'Store what works now as its first value, then rotate.',
      });
    }
    checkCopies(options, current);
    loginOf(options, current);
    return withPassword(options, current, generate(options.format, random));
  },

  async set({ options, document, current, earlier, target }) {
    const pending = loginOf(options, document);
    if (current !== null) refuseOtherTarget(options, document, current);
    const session = await target.login(pending).catch(unlessRejected);
    // An earlier try got as far as the server.
    if (session !== null) {
      await session.end();
      return 'found';
    }

    const tried = [pending.password];
    for await (const candidate of candidates(options, document, current, earlier())) {
      if (tried.some((password) => sameText(password, candidate.password))) continue;
      tried.push(candidate.password);
      if (await changedBy(target, candidate, pending.password)) return 'changed';
    }
    throw new KeyturnError({
      code: 'CredentialRejected',
      message: `The server lets ${pending.user} in with none of the ${tried.length} passwords that the secret holds.`,
      hint: 'Store the password that works as the current value, then rotate again.',
    });
  },

  async accepts({ options, document, target }) {
    const session = await target.login(loginOf(options, document)).catch(unlessRejected);
    await session?.end();
    return session !== null;
  },

  logins: ({ options, document }) => [{ of: 'current value', login: async () => loginOf(options, document) }],

  async test({ options, document, target }) {
    checkCopies(options, document);
    const session = await target.login(loginOf(options, document));
    const missing = await session.missingRights(options.tables).finally(() => session.end());
    if (missing.length > 0) {
      throw new KeyturnError({
        code: 'PrivilegeMissing',
        message: `The user must have every right that options.tables names; it lacks ${missing.join(', ')}.`,
      });
    }
  },
});

/** @returns false: the server does not let this candidate in. */
async function changedBy(target: Target, candidate: TargetLogin, password: Sensitive): Promise<boolean> {
  const session = await target.login(candidate).catch(unlessRejected);
  if (session === null) return false;
  await session.changePassword(password).finally(() => session.end());
  return true;
}

/** Only a refusal of the password leads to the next candidate: with any other error nothing is known. */
function unlessRejected(caught: unknown): TargetSession | null {
  if (caught instanceof KeyturnError && caught.code === 'CredentialRejected') return null;
  throw caught;
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

/** A pending value that leads elsewhere would send a password of ours to a server that is not ours. */
function refuseOtherTarget(options: Options, document: SecretDocument, current: SecretDocument): void {
  const parts = differences(dsnOf(options, document), dsnOf(options, current));
  if (parts.length === 0) return;
  throw new KeyturnError({
    code: 'ValueRejected',
    message: `The pending value must lead where the current one leads; its ${parts.join(' and ')} differ.`,
  });
}

function dsnOf({ engine, dsn, pieces, fixed }: Options, document: SecretDocument): Dsn {
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
function loginOf(options: Options, document: SecretDocument): TargetLogin {
  const { engine, hosts, user, password, database } = dsnOf(options, document);
  const [{ host, port }] = hosts;
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
      message: `The credential in ${options.dsn ?? options.pieces?.password ?? ''} must name a ${absent ?? 'password'}; it does not.`,
    });
  }
  // Where none is named, PostgreSQL takes the user's name.
  return { engine, host, port, user, password, database: database ?? user, tls: options.tls };
}

/** @throws KeyturnError DocumentInvalid when a copy holds another user or password. */
function checkCopies(options: Options, document: SecretDocument): void {
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

function withPassword(options: Options, document: SecretDocument, password: Sensitive): Variables {
  const { dsn, pieces, copies } = options;
  const strings = [...(dsn === undefined ? [] : [dsn]), ...copies].map(
    (name) => [name, withCredentials(document.value(name), { password }).reveal()] as const,
  );
  return new Map([
    ...(pieces === undefined ? [] : [[pieces.password, password.reveal()] as const]),
    ...strings,
  ]);
}
