import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import type { Target, TargetLogin } from '../../contract/target.ts';
import { reach } from '../reach.ts';
import { askTls } from './ask-tls.ts';
import { openMysql } from './connect.ts';
import { addOwnPassword, changeOwnPassword, keepOwnPassword } from './own-password.ts';
import { disableLogin, preparePair } from './pair.ts';
import { missingRights } from './rights.ts';
import { endUses, markOf, uses } from './sessions.ts';

/**
 * A MySQL or MariaDB server: a user changes its own password, or holds two (MySQL 8.0.14 and later); an administrator
 * prepares two that take turns.
 */
export function mysqlTarget(random: Random): Target {
  const login: Target['login'] = async (given) => {
    const client = await openMysql(given);
    const inUse = given.password;
    return {
      changePassword: (password) => changeOwnPassword(client, { inUse, password, random }),
      async addPassword(user, password) {
        demandOwn(given, user);
        await addOwnPassword(client, { inUse, password });
      },
      async keepOnly(user, password) {
        demandOwn(given, user);
        await keepOwnPassword(client, password);
      },
      preparePair: (pair) => preparePair(client, pair, random),
      disableLogin: (user) => disableLogin(client, user, random),
      uses: (asked) => uses(client, asked),
      endUses: (asked) => endUses(client, asked),
      missingRights: (wanted) => missingRights(client, wanted),
      end: () => client.end(),
    };
  };
  return {
    login,
    reach: (given) => reach(given, { askTls, login }),
    async mark(given) {
      const client = await openMysql(given);
      return markOf(client).finally(() => client.end());
    },
  };
}

/** Which of two passwords stays is known of the session's own only. */
function demandOwn({ user }: TargetLogin, wanted: string): void {
  if (wanted === user) return;
  throw new KeyturnError({
    code: 'TargetRefused',
    message: `A user of MySQL must change its own two passwords; the session is of ${user}, and not of ${wanted}.`,
  });
}
