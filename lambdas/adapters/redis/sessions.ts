/** Open sessions of a user: who holds them, and how they are ended. */
import { KeyturnError } from '../../contract/errors.ts';
import type { Moment, Use, UsesAsked } from '../../contract/target.ts';
import { countedBy, printable } from '../session-names.ts';
import type { RedisClient } from './connect.ts';

interface Session {
  readonly id: string;
  readonly by: string;
}

/**
 * Seconds are all that CLIENT LIST tells of a session's age, in whole numbers of the server's clock at both ends: one
 * that may be older counts as older.
 */
const inexactSeconds = 1;

/** The number of this session: later ones have higher ones, for as long as the server runs. Null: not allowed to know. */
export async function markOf(client: RedisClient): Promise<string | null> {
  return ifAllowed(async () => {
    const run = await runOf(client);
    return run === null ? null : `${await client.send('CLIENT', 'ID')}@${run}`;
  });
}

/** @returns what is another one after each start of the server; null: it does not say. */
async function runOf(client: RedisClient): Promise<string | null> {
  return /^run_id:(\w+)/m.exec(String(await client.send('INFO', 'server')))?.[1] ?? null;
}

async function ifAllowed(ask: () => Promise<string | null>): Promise<string | null> {
  try {
    return await ask();
  } catch (caught) {
    if (caught instanceof KeyturnError && caught.code === 'PrivilegeMissing') return null;
    throw caught;
  }
}

export async function uses(client: RedisClient, asked: UsesAsked, now: Date): Promise<readonly Use[]> {
  return countedBy((await meant(client, asked, now)).map(({ by }) => by));
}

/** A session does not end when its password is taken away: each is ended by its number. */
export async function endUses(client: RedisClient, asked: UsesAsked, now: Date): Promise<void> {
  for (const { id } of await meant(client, asked, now)) await client.send('CLIENT', 'KILL', 'ID', id);
}

async function meant(client: RedisClient, { user, openedBefore }: UsesAsked, now: Date): Promise<Session[]> {
  const own = String(await client.send('CLIENT', 'ID'));
  const later = openedBefore === undefined ? () => false : await opensLater(client, openedBefore, now);
  const lines = String(await client.send('CLIENT', 'LIST')).split('\n');
  return (
    lines
      .map(fieldsOf)
      .filter((fields) => fields.get('user') === user && fields.get('id') !== own)
      // A connection that has sent nothing has not logged in, and is shown as the default user's.
      .filter((fields) => fields.get('cmd') !== 'NULL')
      .filter((fields) => !later(fields))
      .map((fields) => ({ id: fields.get('id') ?? '', by: nameOf(fields) }))
  );
}

/** What is known to have been opened later: by its number, or by its age where nothing was marked in this run. */
async function opensLater(
  client: RedisClient,
  { at, mark }: Moment,
  now: Date,
): Promise<(fields: ReadonlyMap<string, string>) => boolean> {
  const [number, run] = mark?.split('@') ?? [];
  if (run !== undefined && run === (await ifAllowed(() => runOf(client)))) {
    return (fields) => Number(fields.get('id')) > Number(number);
  }
  return (fields) => openedAt(fields, now) >= at.getTime();
}

function openedAt(fields: ReadonlyMap<string, string>, now: Date): number {
  const age = Number(fields.get('age'));
  // One whose age is not told counts as old.
  return Number.isFinite(age) ? now.getTime() - (age + inexactSeconds) * 1000 : 0;
}

/** `id=7 addr=10.0.0.1:4711 name=api …`: no value holds a space (CLIENT SETNAME refuses them). */
function fieldsOf(line: string): ReadonlyMap<string, string> {
  return new Map(
    line
      .trim()
      .split(' ')
      .flatMap((part) => {
        const sign = part.indexOf('=');
        return sign === -1 ? [] : [[part.slice(0, sign), part.slice(sign + 1)] as const];
      }),
  );
}

/** What the session calls itself; else its address, without the port, which is another one in every session. */
function nameOf(fields: ReadonlyMap<string, string>): string {
  const address = (fields.get('addr') ?? '').replace(/:\d+$/, '');
  const library = fields.get('lib-name') ?? '';
  const named = printable(fields.get('name') ?? '');
  if (named !== '') return named;
  const of = [printable(library), printable(address)].filter((part) => part !== '').join(' ');
  const kind = fields.get('flags')?.includes('S') === true ? 'replica' : '';
  return [kind, of].filter((part) => part !== '').join(' ');
}
