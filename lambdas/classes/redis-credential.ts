import * as z from 'zod/mini';
import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { Format, generate, generatedLength } from '../contract/format.ts';
import type { OldValueContext } from '../contract/old-value.ts';
import { defineClass } from '../contract/secret-class.ts';
import type { TargetLogin, TargetPorts, TargetSession, UsesAsked } from '../contract/target.ts';
import { administratorLogins, asAdministrator, credentialsOf } from '../credentials/administrator.ts';
import { admitted, anyAdmitted } from '../credentials/candidates.ts';
import {
  checkCopies,
  type LoginOptions,
  loginOf as loginOfHeld,
  refuseOtherTarget,
  written,
} from '../credentials/login.ts';
import { Options as DatabaseOptions } from '../credentials/options.ts';

const { admin, tls, endSessionsAfterMinutes } = DatabaseOptions.shape;

/** Characters that ElastiCache takes in a password (user guide, "Role-Based Access Control"): 16–128. */
const elastiCacheMost = 128;

const Options = z.strictObject({
  /** The variable that holds `rediss://user:password@host:port/database`, or `redis://…`. Without a user: `default`. */
  url: z.string(),
  /** Variables that hold URLs with the same user and password; they change in the same version. */
  copies: z._default(z.array(z.string()), []),
  /** How a new password is made. Default: 40 letters and digits (238 bits). */
  format: z._default(Format, { encoding: 'alphanumeric', length: 40 }),
  /** How the server is verified; `rds`: by Amazon's authorities, which sign for ElastiCache. Default: by those of the runtime. */
  tls,
  /**
   * Who may change the user's passwords and end its sessions (`ACL`, `CLIENT LIST`, `CLIENT KILL`, `INFO`, `CONFIG`).
   * Default: the user itself.
   */
  admin,
  /**
   * The user in ElastiCache's user API, of the same account and Region, which keeps the passwords there; sessions are
   * still counted on the node that the URL leads to. Default: the server keeps them (ACL SETUSER).
   */
  elasticache: z.optional(
    z.strictObject({
      userId: z.string().check(z.regex(/^[a-zA-Z][a-zA-Z0-9-]{0,39}$/, 'must be the id of a user')),
    }),
  ),
  /**
   * What to do where a server can save its users neither to an ACL file nor to its configuration file, so that a restart
   * brings the old password back: `required` refuses before anything is changed, `best-effort` logs a warning.
   */
  persistence: z._default(z.enum(['required', 'best-effort']), 'required'),
  /** Minutes after which sessions that still use the old password are ended; null: never, a person has to. */
  endSessionsAfterMinutes,
  /** Keys, each with the commands that the login must be allowed to run on it before it is used. Default: to log in. */
  keys: z._default(
    z.array(
      z.strictObject({
        key: z.string().check(z.minLength(1), z.maxLength(512)),
        commands: z.array(z.string().check(z.regex(/^[A-Za-z]{2,32}$/, 'must be the name of a command'))),
      }),
    ),
    [],
  ),
});
type Options = z.infer<typeof Options>;

/** A login at a Redis server: its user has the old and the new password until the old one is unused. */
export const secretClass = defineClass<Options>({
  id: 'redis-credential',
  steps:
    'new password in every URL; set adds it to the user, as a hash or by ElastiCache’s user API; test logs in and checks rights',
  plan: 'second-credential',
  cutover: false,
  restorable: true,
  admission: 'free',
  supplied: false,
  actions: ['secretsmanager:ListSecretVersionIds'],
  engine: () => 'redis',
  credentials: credentialsOf,
  statements: ({ elasticache }) =>
    elasticache === undefined
      ? []
      : [
          {
            actions: ['elasticache:DescribeUsers', 'elasticache:ModifyUser'],
            resources: [
              `arn:{partition}:elasticache:{region}:{account}:user:${elasticache.userId.toLowerCase()}`,
            ],
          },
        ],
  options: Options,

  check({ url, copies, format, elasticache }) {
    if (new Set([url, ...copies]).size <= copies.length) {
      return `options.copies must name each variable once, and not ${url} itself.`;
    }
    if (format.encoding === 'base64')
      return 'options.format must be safe in a URL; base64 is not, base64url is.';
    if (elasticache !== undefined && generatedLength(format) > elastiCacheMost) {
      return `options.format must make at most ${elastiCacheMost} characters for ElastiCache; it makes ${generatedLength(format)}.`;
    }
    return null;
  },

  variables: ({ url, copies }) => [url, ...copies],

  breaks: () => null,

  async create({ options, current, random }) {
    if (current === null) {
      throw new KeyturnError({
        code: 'SupplyMissing',
        message: 'A Redis credential is changed by the one before it; the secret has none.',
        hint: 'Store what works now as its first value, then rotate.',
      });
    }
    const held = heldBy(options);
    checkCopies(held, current);
    loginOf(options, current);
    return written(held, current, { password: generate(options.format, random) });
  },

  async set(context) {
    const { options, document, current } = context;
    const held = heldBy(options);
    const pending = loginOf(options, document);
    if (current !== null) refuseOtherTarget(held, document, current, false);
    const first = current === null ? [pending] : [pending, loginOf(options, current)];
    const { login, session } = await anyAdmitted({ ...context, options: held }, first);
    try {
      // Also where it is let in: an earlier try may have ended before the server saved it.
      const add = (by: TargetSession) => by.addPassword(pending.user, pending.password);
      await (changesByAdministrator(options) ? asAdministrator(context, options, login, add) : add(session));
      return login === pending ? 'found' : 'changed';
    } finally {
      await session.end();
    }
  },

  async accepts({ options, document, target }) {
    const session = await admitted(target, loginOf(options, document));
    await session?.end();
    return session !== null;
  },

  logins({ options, document, ...ports }) {
    const own = () => loginOf(options, document);
    return [{ of: 'current value', login: async () => own() }, ...administratorLogins(ports, options, own)];
  },

  async test({ options, document, target }) {
    checkCopies(heldBy(options), document);
    const session = await target.login(loginOf(options, document));
    const wanted = options.keys.map(({ key, commands }) => ({ table: key, rights: commands }));
    const missing = await session.missingRights(wanted).finally(() => session.end());
    if (missing.length > 0) {
      throw new KeyturnError({
        code: 'PrivilegeMissing',
        message: `The user must have every right that options.keys names; it lacks ${missing.join(', ')}.`,
      });
    }
  },

  oldValue: {
    patienceMinutes: (options) => options.endSessionsAfterMinutes,
    mark: async ({ options, document, target }) => (await target.mark?.(loginOf(options, document))) ?? null,
    uses: (context) => atServer(context, true, (session) => session.uses(asked(context))),
    endUses: (context) => atServer(context, true, (session) => session.endUses(asked(context))),
    disable(context) {
      const { user, password } = loginOf(context.options, context.document);
      return atServer(context, changesByAdministrator(context.options), (session) =>
        session.keepOnly(user, password),
      );
    },
  },
});

/** The options in the words of a login. */
function heldBy({ url, copies, tls: verified, persistence, elasticache }: Options): LoginOptions {
  return {
    engine: 'redis',
    dsn: url,
    fixed: {},
    copies,
    tls: verified,
    persistence,
    ...(elasticache === undefined ? {} : { elastiCacheUser: elasticache.userId }),
  };
}

/** @throws KeyturnError DocumentInvalid */
function loginOf(options: Options, document: SecretDocument): TargetLogin {
  const login = loginOfHeld(heldBy(options), document);
  if (/^\d{1,9}$/.test(login.database)) return login;
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `The credential in ${options.url} must name its database by a number; it does not.`,
  });
}

/** ElastiCache's API keeps the password of the session beside the new one: that session must be the user's own. */
function changesByAdministrator({ admin: who, elasticache }: Options): boolean {
  return who !== undefined && elasticache === undefined;
}

/** A session says who opened it, not with which of two passwords: what is older than the new one used the old one. */
function asked({ options, document, since }: OldValueContext<Options>): UsesAsked {
  return { user: loginOf(options, document).user, openedBefore: since };
}

/** With a session of the current value, or of the administrator where there is one and it is to do that. */
async function atServer<T>(
  { options, document, ...ports }: OldValueContext<Options> & TargetPorts,
  byAdministrator: boolean,
  work: (session: TargetSession) => Promise<T>,
): Promise<T> {
  const current = loginOf(options, document);
  if (byAdministrator && options.admin !== undefined) return asAdministrator(ports, options, current, work);
  const session = await ports.target.login(current);
  return work(session).finally(() => session.end());
}
