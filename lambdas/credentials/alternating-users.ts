import type { SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import { generate } from '../contract/format.ts';
import type { OldValueContext } from '../contract/old-value.ts';
import type { TargetSession, UsesAsked } from '../contract/target.ts';
import { type Dsn, parseDsn } from '../dsn/dsn.ts';
import { asAdministrator } from './administrator.ts';
import { dsnOf, loginOf, refuseOtherTarget, written } from './login.ts';
import type { Options } from './options.ts';
import type { Strategy } from './strategy.ts';

/**
 * Two users take turns, prepared by an administrator: the one in use is never changed, and goes on working until
 * nothing uses it any more.
 */
export const alternatingUsers: Strategy = {
  way: { plan: 'second-credential', cutover: false, restorable: true },
  engines: ['postgres', 'mysql'],
  changesUser: true,
  breaks: null,

  check({ engine, users, owner, admin, pieces, fixed, rdsProxy }) {
    if (users === undefined) return 'options.users must name the two users that take turns.';
    if (engine === 'postgres' && owner === undefined) {
      return 'options.owner must name the role that both users belong to.';
    }
    if (engine !== 'postgres' && owner !== undefined) {
      return 'options.owner is of postgres: at MySQL and MariaDB nobody owns a table, and both users are granted the same.';
    }
    if (admin === undefined) return 'options.admin must say who prepares and disables the users.';
    if (owner === undefined && users[0] === users[1]) return 'options.users must be two names.';
    if (owner !== undefined && new Set([...users, owner]).size < 3) {
      return 'options.users and options.owner must be three names.';
    }
    if (pieces !== undefined && pieces.user === undefined) {
      const place = fixed.user === undefined ? '' : '; options.fixed holds one that cannot change';
      return `options.pieces must name the variable of the user, which changes with every rotation${place}.`;
    }
    if (rdsProxy === true || (rdsProxy !== false && !rdsProxy.usersRegistered)) {
      return 'options.rdsProxy must say usersRegistered: RDS Proxy lets in only users that a secret of their own is registered for, and with alternating users one secret holds them in turn. Register both, or take the strategy single-user.';
    }
    return null;
  },

  create({ options, random }, current) {
    demandDatabases(options, current);
    const user = otherThan(loginOf(options, current).user, options);
    return written(options, current, { user, password: generate(options.format, random) });
  },

  async set({ options, document, current, ...ports }) {
    const pending = loginOf(options, document);
    if (current === null) throw notInTurn(options, pending.user);
    refuseOtherTarget(options, document, current, true);
    const inUse = loginOf(options, current);
    if (pending.user !== otherThan(inUse.user, options)) throw notInTurn(options, pending.user);
    const { user, password } = pending;
    // At every try: it repairs what is there, and an earlier try may have ended before its last part.
    const pair = { user, password, other: inUse.user, owner: options.owner ?? '' };
    const databases = databasesOf(options, document);
    for (const database of databases) {
      await asAdministrator(ports, options, { ...inUse, database }, (session) =>
        session.preparePair({ ...pair, databases }),
      );
    }
    return 'changed';
  },

  oldValue: {
    patienceMinutes: ({ endSessionsAfterMinutes }) => endSessionsAfterMinutes,
    // For the time when its turn has come again, and its old password went when the new one was set.
    mark: async ({ options, document, target }) => (await target.mark?.(loginOf(options, document))) ?? null,
    uses: (context) => atServer(context, (session, asked) => session.uses(asked)),
    endUses: (context) => atServer(context, (session, asked) => session.endUses(asked)),
    async disable(context) {
      const { options, document, old } = context;
      const { user } = loginOf(options, old);
      // Its turn has come again: the old password went when the new one was set.
      if (user === loginOf(options, document).user) return;
      otherThan(user, options);
      await atServer(context, (session) => session.disableLogin(user));
    },
  },
};

async function atServer<T>(
  { options, document, old, since, ...ports }: OldValueContext<Options>,
  work: (session: TargetSession, asked: UsesAsked) => Promise<T>,
): Promise<T> {
  const current = loginOf(options, document);
  const { user } = loginOf(options, old);
  // Of a user that is in use again, only sessions from before its new password are of the old one.
  const asked = user === current.user ? { user, openedBefore: since } : { user };
  return asAdministrator(ports, options, current, (session) => work(session, asked));
}

/** @throws KeyturnError DocumentInvalid when the user is none of the two. */
function otherThan(user: string, { users }: Options): string {
  const other = users?.find((one) => one !== user);
  if (other !== undefined && users?.includes(user)) return other;
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `The user of the secret must be one of options.users (${users?.join(', ')}); it is ${user}.`,
    hint: 'Name it in options.users: the other one is made at the next rotation.',
  });
}

function notInTurn({ users }: Options, user: string): KeyturnError {
  return new KeyturnError({
    code: 'ValueRejected',
    message: `The pending value must be of the user of options.users (${users?.join(', ')}) that is not in use; it is of ${user}.`,
  });
}

/**
 * The databases of that server that the secret leads to, its own at the end: where that is prepared, all are. Rights
 * lie in each of them.
 */
function databasesOf(options: Options, document: SecretDocument): string[] {
  const own = dsnOf(options, document);
  const placeOf = ({ hosts: [{ host, port }] }: Dsn) => JSON.stringify([host?.toLowerCase(), port]);
  const copies = options.copies
    .map((name) => parseDsn(document.value(name)))
    .filter((copy) => placeOf(copy) === placeOf(own))
    .flatMap(({ database }) => database ?? []);
  const last = loginOf(options, document).database;
  return [...new Set(copies)].filter((database) => database !== last).concat(last);
}

/** Where none is named, PostgreSQL takes the user's name: the other user would be led to another database. */
function demandDatabases(options: Options, document: SecretDocument): void {
  if (options.engine !== 'postgres') return;
  const chief = options.dsn ?? 'options.pieces';
  const named = [
    [chief, dsnOf(options, document)] as const,
    ...options.copies.map((name) => [name, parseDsn(document.value(name))] as const),
  ];
  const without = named.find(([, { database }]) => database === null);
  if (without === undefined) return;
  throw new KeyturnError({
    code: 'DocumentInvalid',
    message: `The credential in ${without[0]} must name its database: without one, each of two users is led to another.`,
  });
}
