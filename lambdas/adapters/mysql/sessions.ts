/** Open sessions of a user: who holds them, and how they are ended. */
import { KeyturnError } from '../../contract/errors.ts';
import type { SqlRow } from '../../contract/sql.ts';
import type { Use, UsesAsked } from '../../contract/target.ts';
import { notAllowed } from '../run-statement.ts';
import type { MysqlClient } from './connect.ts';
import { seesOthers } from './rights.ts';

/** ER_NO_SUCH_THREAD: it has ended by itself. */
const gone = 1094;
/** ER_KILL_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR */
const denied = [1095, 1227];
/** ER_SP_DOES_NOT_EXIST, ER_PROCACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR: it is not RDS, or not its master. */
const noProcedure = [1305, 1370, 1044];

/** Milliseconds within which a session that is told to end usually has. */
const endsWithin = 2_000;

/** A session of ours. */
interface Sighting {
  /** A moment before it began, by the server's clock. */
  readonly before: number;
  readonly connection: number;
}

/** A session to work with. */
export interface OwnSession {
  readonly client: MysqlClient;
  /** Milliseconds since a moment before it began. */
  age(): number;
}

/**
 * No server tells when a session began. But each has a number above those before it, and so do ours: what has a higher
 * one than a session of ours from after a moment began after it, too. One for which nothing of this kind is known counts
 * as old. What was seen lasts as long as the process: a new one may count too many, never too few.
 */
export class Sessions {
  /** By server, oldest first: a session of ours, and when it was open. */
  readonly #seen = new Map<string, Sighting[]>();

  async uses(own: OwnSession, asked: UsesAsked): Promise<readonly Use[]> {
    const found = await this.#meant(own, asked);
    const names = found.length === 0 ? new Map<number, string>() : await namesOf(own.client);
    const uses = new Map<string, number>();
    for (const row of found) {
      const host = String(row.host ?? '').replace(/:\d+$/, '');
      const by = printable(names.get(Number(row.id)) ?? '') || printable(host) || 'a session without a name';
      uses.set(by, (uses.get(by) ?? 0) + 1);
    }
    return [...uses].map(([by, sessions]) => ({ by, sessions })).toSorted((a, b) => b.sessions - a.sessions);
  }

  /** Ends them: with CONNECTION_ADMIN (of MariaDB: CONNECTION ADMIN), as the same user, or by the procedure that RDS has for it. */
  async endUses(own: OwnSession, asked: UsesAsked): Promise<void> {
    for (const { id } of await this.#meant(own, asked)) await kill(own.client, Number(id));
    for (let waited = 0; waited < endsWithin; waited += 100) {
      if ((await this.#meant(own, asked)).length === 0) return;
      await own.client.query('SELECT SLEEP(0.1)');
    }
  }

  async #meant({ client, age }: OwnSession, { user, openedBefore }: UsesAsked): Promise<readonly SqlRow[]> {
    const [here] = await client.query(
      `SELECT CONNECTION_ID() AS own, USER() AS me,
         CONCAT_WS(':', @@hostname, @@port, @@server_id) AS server, UTC_TIMESTAMP(3) AS now`,
    );
    if (String(here?.me).replace(/@[^@]*$/, '') !== user && !(await seesOthers(client)))
      throw notAllowed('SHOW PROCESSLIST, with PROCESS');
    const own: Sighting = {
      before: Date.parse(`${String(here?.now).replace(' ', 'T')}Z`) - age(),
      connection: Number(here?.own),
    };
    const first = this.#firstAfter(String(here?.server), own, openedBefore);
    const rows = await client.query(
      'SELECT ID AS id, HOST AS host, USER AS of FROM information_schema.PROCESSLIST WHERE USER = ? AND ID <> ?',
      [user, own.connection],
    );
    // Names that differ in case are of two users; the table takes them for one.
    return rows.filter(({ id, of }) => Number(id) < first && of === user);
  }

  /** The lowest number of which it is known that no session with a higher one is meant. */
  #firstAfter(server: string, own: Sighting, openedBefore: Date | undefined): number {
    const seen = this.#seen.get(server) ?? [];
    const kept =
      seen.at(-1)?.connection === own.connection
        ? seen
        : // Numbers begin anew with the server.
          [...seen.filter(({ connection }) => connection < own.connection), own];
    this.#seen.set(server, kept.slice(-mostSeen));
    const since = openedBefore?.getTime() ?? Number.POSITIVE_INFINITY;
    return kept.find(({ before }) => before >= since)?.connection ?? Number.POSITIVE_INFINITY;
  }
}

/** Sightings that are kept of a server. */
const mostSeen = 1_000;

async function kill(client: MysqlClient, id: number): Promise<void> {
  const said = await client.attempt(`KILL CONNECTION ${id}`, [gone, ...denied]);
  if (said === null || said === gone) return;
  // "Ending a session or query", RDS user guide.
  const answer = await client.attempt(`CALL mysql.rds_kill(${id})`, [gone, ...noProcedure]);
  if (answer !== null && answer !== gone) throw notAllowed(`KILL CONNECTION ${id}`);
}

/** What clients call themselves (`program_name`), where the server keeps that, and lets us see it. */
async function namesOf(client: MysqlClient): Promise<ReadonlyMap<number, string>> {
  for (const table of ['session_connect_attrs', 'session_account_connect_attrs']) {
    try {
      const rows = await client.query(
        `SELECT PROCESSLIST_ID AS id, ATTR_VALUE AS name FROM performance_schema.${table} WHERE ATTR_NAME = 'program_name'`,
      );
      return new Map(rows.map(({ id, name }) => [Number(id), String(name ?? '')]));
    } catch (caught) {
      if (!(caught instanceof KeyturnError) || caught.code !== 'PrivilegeMissing') throw caught;
    }
  }
  return new Map();
}

/** A client names itself as it likes: signs that could make a line of their own, or be part of a URL, are left out. */
function printable(name: string): string {
  return name
    .replace(/[^\w .\-/[\]()]+/g, '?')
    .slice(0, 40)
    .trim();
}
