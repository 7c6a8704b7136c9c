/** Open sessions of a user: who holds them, and how they are ended. */
import { KeyturnError } from '../../contract/errors.ts';
import type { SqlRow } from '../../contract/sql.ts';
import type { Moment, Use, UsesAsked } from '../../contract/target.ts';
import { notAllowed } from '../run-statement.ts';
import { countedBy, printable } from '../session-names.ts';
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

/** A server, and a moment at it. */
interface Standing {
  /** Of a tag's signs only. */
  readonly server: string;
  /** The session's own number. */
  readonly own: number;
  /** Milliseconds: it was not started before that. */
  readonly startedAfter: number;
}

/** Seconds are all that a server tells of its uptime, in whole numbers; and its clock's beats are not ours. */
const inexact = 2_000;

/** No server tells when a session began. But each has a number above those before it: a later one has a higher one. */
export async function markOf(client: MysqlClient): Promise<string> {
  const { own, server } = await standing(client, new Date());
  return `${own}@${server}`;
}

export async function uses(client: MysqlClient, asked: UsesAsked): Promise<readonly Use[]> {
  const found = await meant(client, asked);
  const names = found.length === 0 ? new Map<number, string>() : await namesOf(client);
  return countedBy(
    found.map(({ id, host }) => {
      const address = String(host ?? '').replace(/:\d+$/, '');
      return printable(names.get(Number(id)) ?? '') || printable(address);
    }),
  );
}

/** Ends them: with CONNECTION_ADMIN (of MariaDB: CONNECTION ADMIN), as the same user, or by the procedure that RDS has for it. */
export async function endUses(client: MysqlClient, asked: UsesAsked): Promise<void> {
  for (const { id } of await meant(client, asked)) await kill(client, Number(id));
  for (let waited = 0; waited < endsWithin; waited += 100) {
    if ((await meant(client, asked)).length === 0) return;
    await client.query('SELECT SLEEP(0.1)');
  }
}

async function meant(client: MysqlClient, { user, openedBefore }: UsesAsked): Promise<readonly SqlRow[]> {
  const [here] = await client.query('SELECT CONNECTION_ID() AS own, USER() AS me');
  if (String(here?.me).replace(/@[^@]*$/, '') !== user && !(await seesOthers(client)))
    throw notAllowed('SHOW PROCESSLIST, with PROCESS');
  const last = openedBefore === undefined ? Number.POSITIVE_INFINITY : await lastBefore(client, openedBefore);
  const rows = await client.query(
    'SELECT ID AS id, HOST AS host, USER AS of FROM information_schema.PROCESSLIST WHERE USER = ? AND ID <> ?',
    [user, Number(here?.own)],
  );
  // Names that differ in case are of two users; the table takes them for one.
  return rows.filter(({ id, of }) => Number(id) <= last && of === user);
}

/**
 * The number up to which sessions may be older than the moment. All may be, where the mark is of another server, or of
 * this one before it was started anew, since numbers begin anew with it.
 */
async function lastBefore(client: MysqlClient, { at, mark }: Moment): Promise<number> {
  const now = await standing(client, new Date());
  if (now.startedAfter > at.getTime()) return 0;
  const [number, server] = mark?.split('@') ?? [];
  return server === now.server && now.own > Number(number) ? Number(number) : Number.POSITIVE_INFINITY;
}

async function standing(client: MysqlClient, now: Date): Promise<Standing> {
  const [here] = await client.query(
    `SELECT CONNECTION_ID() AS own, CONCAT_WS(':', @@hostname, @@port, @@server_id) AS server`,
  );
  const [status] = await client.query(`SHOW GLOBAL STATUS LIKE 'Uptime'`);
  return {
    own: Number(here?.own),
    server: String(here?.server)
      .replace(/[^\w.:-]/g, '_')
      .slice(-100),
    startedAfter: now.getTime() - Number(status?.Value) * 1000 - inexact,
  };
}

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
