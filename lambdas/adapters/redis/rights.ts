import type { TableRights } from '../../contract/target.ts';
import type { RedisClient } from './connect.ts';
import { replyError } from './errors.ts';

/** Words that a command may need beyond its key before its rights are looked at. */
const mostWords = 6;

/**
 * What the session's user may not do with a key. The server checks a command's rights when it is queued in a
 * transaction ("Transactions", Redis documentation, errors); that one is thrown away, so nothing runs. It is asked
 * this way because ACL DRYRUN is for administrators.
 *
 * @param wanted keys, each with names of commands.
 * @returns each as `SET on session:1`.
 */
export async function missingRights(client: RedisClient, wanted: readonly TableRights[]): Promise<string[]> {
  const missing: string[] = [];
  if (wanted.length === 0) return missing;
  await client.send('MULTI');
  try {
    for (const { table, rights } of wanted) {
      for (const right of rights) {
        if (!(await isAllowed(client, right, table))) missing.push(`${right} on ${table}`);
      }
    }
  } finally {
    await client.attempt('DISCARD');
  }
  return missing;
}

async function isAllowed(client: RedisClient, command: string, key: string): Promise<boolean> {
  for (let words = 0; ; words += 1) {
    const answer = await client.attempt(command, key, ...Array.from({ length: words }, () => '1'));
    if (!('error' in answer)) return true;
    if (answer.error.startsWith('NOPERM')) return false;
    if (words < mostWords && /^ERR wrong number of arguments/i.test(answer.error)) continue;
    throw replyError(answer.error, client.name);
  }
}
