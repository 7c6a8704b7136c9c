import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import type { SqlClient } from '../../contract/sql.ts';
import type { TableRights, Target } from '../../contract/target.ts';
import { defaultIterations, scramVerifier } from '../../credentials/scram-verifier.ts';
import { reach } from '../reach.ts';
import { cannot } from '../targets/cannot.ts';
import { askTls } from './ask-tls.ts';
import { openPostgres } from './connect.ts';

/** PostgreSQL 10: before it a verifier of SCRAM would be taken for a password, and be one from then on. */
const firstWithScram = 100_000;

/** A PostgreSQL server on which a user changes the password of its own. */
export function postgresTarget(random: Random): Target {
  return {
    reach: (login) => reach(login, { askTls, login: postgresTarget(random).login }),
    async login(login) {
      const client = await openPostgres(login);
      return {
        async changePassword(password) {
          const verifier = scramVerifier(password, random, await iterationsOf(client));
          // A role that becomes another one at login (ALTER ROLE … SET ROLE) may change its password only as itself.
          await client.query('SET ROLE NONE');
          // The statement takes no parameter. A verifier has neither quotes nor backslashes.
          await client.query(`ALTER ROLE SESSION_USER PASSWORD '${verifier.reveal()}'`);
        },
        addPassword: cannot('PostgreSQL', 'hold two passwords of a user'),
        keepOnly: cannot('PostgreSQL', 'hold two passwords of a user'),
        preparePair: cannot('PostgreSQL', 'prepare a pair yet'),
        disableLogin: cannot('PostgreSQL', 'disable a login yet'),
        uses: cannot('PostgreSQL', 'count sessions yet'),
        endUses: cannot('PostgreSQL', 'end sessions yet'),
        missingRights: (wanted) => missingRights(client, wanted),
        end: () => client.end(),
      };
    },
  };
}

/** The server's own number for verifiers (since PostgreSQL 16), and never fewer than the RFC allows. */
async function iterationsOf(client: SqlClient): Promise<number> {
  const [row] = await client.query(
    "SELECT current_setting('server_version_num') AS version, current_setting('scram_iterations', true) AS iterations",
  );
  if (Number(row?.version) < firstWithScram) {
    throw new KeyturnError({
      code: 'TargetRefused',
      message: `The server must be PostgreSQL 10 or later, which knows SCRAM-SHA-256; its version is ${Number(row?.version)}.`,
    });
  }
  return Math.max(Number(row?.iterations ?? 0), defaultIterations);
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
