import type { Clock } from '../../contract/ports.ts';
import { sameText } from '../../contract/same-text.ts';
import type { Target, TargetLogin, TargetSession } from '../../contract/target.ts';
import { reach } from '../reach.ts';
import { cannot } from '../targets/cannot.ts';
import { connectRedis, type RedisClient } from './connect.ts';
import type { ManagedUsers } from './elasticache.ts';
import { saved } from './persistence.ts';
import { demandPrimary } from './primary.ts';
import { missingRights } from './rights.ts';
import { endUses, markOf, uses } from './sessions.ts';
import { addHash, keepOnlyHash } from './users.ts';

/** What a Redis server's target works with. */
export interface RedisPorts {
  readonly clock: Pick<Clock, 'now'>;
  /** Gets a sentence when a password could not be saved, and need not be. */
  readonly warn: (sentence: string) => void;
  /** Keeps the passwords of logins that name an ElastiCache user. */
  readonly managed: ManagedUsers;
}

/** A Redis server, 6 or newer: a user may have any number of passwords. */
export function redisTarget(ports: RedisPorts): Target {
  const login = async (asked: TargetLogin) => sessionOf(await connectRedis(asked), asked, ports);
  return {
    login,
    reach: (asked) => reach(asked, { login }),
    async mark(asked) {
      const client = await connectRedis(asked);
      return markOf(client).finally(() => client.end());
    },
  };
}

function sessionOf(client: RedisClient, login: TargetLogin, ports: RedisPorts): TargetSession {
  const { clock } = ports;
  return {
    ...(login.elastiCacheUser === undefined
      ? ownPasswords(client, login, ports)
      : managedPasswords(login, login.elastiCacheUser, ports.managed)),
    preparePair: cannot('Redis', 'prepare two users that take turns'),
    disableLogin: cannot('Redis', 'keep a user from logging in here'),
    uses: (asked) => uses(client, asked, clock.now()),
    endUses: (asked) => endUses(client, asked, clock.now()),
    missingRights: (wanted) => missingRights(client, wanted),
    end: () => client.end(),
  };
}

type Passwords = Pick<TargetSession, 'changePassword' | 'addPassword' | 'keepOnly'>;

function ownPasswords(client: RedisClient, login: TargetLogin, { warn }: RedisPorts): Passwords {
  const changed = async (change: () => Promise<void>) => {
    await demandPrimary(client, warn);
    await saved(client, login.persistence ?? 'required', warn, change);
  };
  return {
    changePassword: (password) => changed(() => keepOnlyHash(client, login.user, password)),
    addPassword: (user, password) => changed(() => addHash(client, user, password)),
    keepOnly: (user, password) => changed(() => keepOnlyHash(client, user, password)),
  };
}

/**
 * The API does not tell which passwords a user has, and takes two at most. So the one that this session was let in
 * with is kept beside a new one, and any other is gone.
 */
function managedPasswords(
  { password: inUse }: TargetLogin,
  userId: string,
  managed: ManagedUsers,
): Passwords {
  const keepOnly: Passwords['keepOnly'] = async (user, password) => {
    const count = await managed.count({ userId, user });
    if (count === 1 && sameText(inUse, password)) return;
    await managed.set({ userId, user }, [password]);
  };
  return {
    changePassword: cannot('ElastiCache', 'change a password without knowing whose it is'),
    async addPassword(user, password) {
      await managed.count({ userId, user });
      if (sameText(inUse, password)) return;
      await managed.set({ userId, user }, [inUse, password]);
    },
    keepOnly,
  };
}
