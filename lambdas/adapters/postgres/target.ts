import type { Random } from '../../contract/ports.ts';
import type { SqlClient } from '../../contract/sql.ts';
import type { TableRights, Target } from '../../contract/target.ts';
import { scramVerifier } from '../../credentials/scram-verifier.ts';
import { reach } from '../reach.ts';
import { cannot } from '../targets/cannot.ts';
import { askTls } from './ask-tls.ts';
import { openPostgres } from './connect.ts';
import { disableLogin, preparePair } from './pair.ts';
import { serverFacts } from './server-facts.ts';
import { endUses, uses } from './sessions.ts';

/** A PostgreSQL server: a user changes its own password, an administrator prepares two that take turns. */
export function postgresTarget(random: Random): Target {
  return {
    reach: (login) => reach(login, { askTls, login: postgresTarget(random).login }),
    async login(login) {
      const client = await openPostgres(login);
      return {
        async changePassword(password) {
          const verifier = scramVerifier(password, random, (await serverFacts(client)).iterations);
          // A role that becomes another one at login (ALTER ROLE … SET ROLE) may change its password only as itself.
          await client.query('SET ROLE NONE');
          // The statement takes no parameter. A verifier has neither quotes nor backslashes.
          await client.query(`ALTER ROLE SESSION_USER PASSWORD '${verifier.reveal()}'`);
        },
        addPassword: cannot('PostgreSQL', 'hold two passwords of a user'),
        keepOnly: cannot('PostgreSQL', 'hold two passwords of a user'),
        preparePair: (pair) => preparePair(client, pair, random),
        disableLogin: (user) => disableLogin(client, user),
        uses: (asked) => uses(client, asked),
        endUses: (asked) => endUses(client, asked),
        missingRights: (wanted) => missingRights(client, wanted),
        end: () => client.end(),
      };
    },
  };
}

async function missingRights(client: SqlClient, wanted: readonly TableRights[]): Promise<string[]> {
  const missing: string[] = [];
  for (const { table, rights } of wanted) {
    for (const right of rights) {
      // Null, when there is no such table for this user.
      const [row] = await client.query('SELECT has_table_privilege(to_regclass($1), $2) AS allowed', [
        table,
        right,
      ]);
      if (row?.allowed !== true) missing.push(`${right} on ${table}`);
    }
  }
  return missing;
}
