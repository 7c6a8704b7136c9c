import type { Clock } from '../../contract/ports.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { Target, TargetLogin, TargetSession } from '../../contract/target.ts';
import { reach } from '../reach.ts';
import { cannot } from '../targets/cannot.ts';
import { connectRedis, type RedisClient } from './connect.ts';
import { saved } from './persistence.ts';
import { demandPrimary } from './primary.ts';
import { missingRights } from './rights.ts';
import { endUses, uses } from './sessions.ts';
import { addHash, keepOnlyHash } from './users.ts';

/** What a Redis server's target works with. */
export interface RedisPorts {
  readonly clock: Pick<Clock, 'now'>;
  /** Gets a sentence when a password could not be saved, and need not be. */
  readonly warn: (sentence: string) => void;
}

/** A Redis server, 6 or newer: a user may have any number of passwords. */
export function redisTarget(ports: RedisPorts): Target {
  const login = async (asked: TargetLogin) => sessionOf(await connectRedis(asked), asked, ports);
  return { login, reach: (asked) => reach(asked, { login }) };
}

function sessionOf(client: RedisClient, login: TargetLogin, { clock, warn }: RedisPorts): TargetSession {
  const changed = async (change: () => Promise<void>) => {
    await demandPrimary(client, warn);
    await saved(client, login.persistence ?? 'required', warn, change);
  };
  return {
    changePassword: (password) => changed(() => keepOnlyHash(client, login.user, password)),
    addPassword: (user, password: Sensitive) => changed(() => addHash(client, user, password)),
    keepOnly: (user, password: Sensitive) => changed(() => keepOnlyHash(client, user, password)),
    preparePair: cannot('Redis', 'prepare two users that take turns'),
    disableLogin: cannot('Redis', 'keep a user from logging in here'),
    uses: (asked) => uses(client, asked, clock.now()),
    endUses: (asked) => endUses(client, asked, clock.now()),
    missingRights: (wanted) => missingRights(client, wanted),
    end: () => client.end(),
  };
}
