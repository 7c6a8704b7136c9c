/** What a deployment says of a credential of a database server. */
import * as z from 'zod/mini';
import { Credential } from '../contract/credential.ts';
import { Format, generatedLength } from '../contract/format.ts';

/** caching_sha2_password has room for 256 bytes, with the zero at the end (MAX_PLAINTEXT_LENGTH in the server's crypt_genhash_impl.h). */
const longestMysqlPassword = 255;

const Name = z.string().check(z.minLength(1), z.maxLength(63));

export const StrategyId = z.enum(['single-user', 'alternating-users', 'dual-password']);
export type StrategyId = z.infer<typeof StrategyId>;

export const Options = z.strictObject({
  engine: z._default(z.enum(['postgres', 'mysql']), 'postgres'),
  /**
   * `single-user`: one user changes its own password; from set until its consumers have restarted, they cannot log in
   * anew. `alternating-users`: two users take turns, and both work until the old one is unused. `dual-password`: one user
   * holds two passwords (MySQL 8.0.14 and later). Default: `alternating-users` where `users` and `admin` are given.
   */
  strategy: z.optional(StrategyId),
  /** The two users that take turns. The one in the secret must be one of them. */
  users: z.optional(z.tuple([Name, Name])),
  /**
   * Of postgres: the role that both users belong to. It owns what they make, holds what they were granted, and never
   * logs in. MySQL and MariaDB have no owners: both users are granted the same.
   */
  owner: z.optional(Name),
  /**
   * Who may prepare and disable users: a connection string in another secret, or a user and a password. Only these are
   * taken from there; host, port and database are those of the credential itself.
   */
  admin: z.optional(
    z.union([
      z.strictObject({ dsn: Credential }),
      z.strictObject({ user: z.union([Name, Credential]), password: Credential }),
    ]),
  ),
  /** Minutes after which sessions that still use the old value are ended; null: never, a person has to. */
  endSessionsAfterMinutes: z._default(z.nullable(z.int().check(z.minimum(1), z.maximum(43_200))), null),
  /**
   * Whether consumers reach the server through RDS Proxy, which knows a user by a secret of its own for each ("Setting up
   * database credentials for RDS Proxy", RDS user guide). `usersRegistered`: both users are known to it.
   */
  rdsProxy: z._default(z.union([z.boolean(), z.strictObject({ usersRegistered: z.boolean() })]), false),
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
  /**
   * How a new password is made. Default: 40 letters and digits (238 bits), which mean nothing to any URL or shell. Of
   * mysql: 255 characters at most.
   */
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
  /** What the new login must be allowed to do before it is used. Default: to log in. Of mysql: TRUNCATE is none. */
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
export type Options = z.infer<typeof Options>;

/** The rule that options of any strategy break; null: none. */
export function brokenRule({ engine, dsn, pieces, fixed, copies, format, tables }: Options): string | null {
  if ((dsn === undefined) === (pieces === undefined)) return 'options must have dsn or pieces, and not both.';
  const chief = dsn ?? pieces?.password ?? '';
  if (new Set([chief, ...copies]).size <= copies.length) {
    return `options.copies must name each variable once, and not ${chief} itself.`;
  }
  if (format.encoding === 'base64')
    return 'options.format must be safe in a URL; base64 is not, base64url is.';
  if (engine === 'mysql' && generatedLength(format) > longestMysqlPassword) {
    return `options.format must make at most ${longestMysqlPassword} characters for mysql; it makes ${generatedLength(format)}.`;
  }
  if (engine === 'mysql' && tables.some(({ rights }) => rights.includes('TRUNCATE'))) {
    return 'options.tables must name rights that mysql has; TRUNCATE is none there: it takes DROP.';
  }
  if (pieces === undefined) return null;
  const absent = (['host', 'user'] as const).find((part) => (pieces[part] ?? fixed[part]) === undefined);
  return absent === undefined ? null : `options.pieces or options.fixed must name the ${absent}.`;
}
