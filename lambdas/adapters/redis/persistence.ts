/** Users are in the server's memory until they are saved: a restart brings back those of its files. */
import { KeyturnError } from '../../contract/errors.ts';
import type { Persistence } from '../../contract/target.ts';
import type { RedisClient } from './connect.ts';
import { replyError } from './errors.ts';

/** How a server saves its users. */
type Saving = readonly [command: 'ACL' | 'CONFIG', what: 'SAVE' | 'REWRITE'];

/**
 * Makes a change, and has it saved.
 *
 * @param warn gets a sentence where it cannot be saved, and need not be.
 * @throws KeyturnError before anything is changed, where it has to be saved and cannot.
 */
export async function saved(
  client: RedisClient,
  persistence: Persistence,
  warn: (sentence: string) => void,
  change: () => Promise<void>,
): Promise<void> {
  const saving = await savingOf(client).catch((caught: unknown) => notKnown(caught));
  // Once before, too: a file that cannot be written is found while nothing has changed.
  const before = saving instanceof KeyturnError ? saving : await save(client, saving);
  if (before !== null && persistence === 'required') throw before;
  await change();
  const after = saving instanceof KeyturnError ? saving : await save(client, saving);
  if (after === null) return;
  if (persistence === 'required') throw after;
  warn(`${after.message} A restart of it brings the old password back.`);
}

async function savingOf(client: RedisClient): Promise<Saving> {
  const [, aclFile] = (await client.send('CONFIG', 'GET', 'aclfile')) as readonly string[];
  if (aclFile !== undefined && aclFile !== '') return ['ACL', 'SAVE'];
  const facts = String(await client.send('INFO', 'server'));
  if (/^config_file:\S/m.test(facts)) return ['CONFIG', 'REWRITE'];
  throw new KeyturnError({
    code: 'TargetRefused',
    message: `${client.name} has neither an ACL file nor a configuration file, so it cannot save a password.`,
    hint: 'Start it with aclfile or a configuration file; or set options.persistence to "best-effort", and see to it that a restart does not bring the old password back.',
  });
}

/** @returns what kept it from saving; null: nothing. */
async function save(client: RedisClient, saving: Saving): Promise<KeyturnError | null> {
  const answer = await client.attempt(...saving);
  if (!('error' in answer)) return null;
  if (!answer.error.startsWith('ERR ')) return replyError(answer.error, client.name);
  return new KeyturnError({
    code: 'TargetRefused',
    message: `${client.name} could not save its users (${saving.join(' ')}).`,
    hint: 'See its own log, and whether it may write that file and its folder.',
    retryable: true,
  });
}

/** What an error of a connection is remains one; the lack of a right or of a command is an answer. */
function notKnown(caught: unknown): KeyturnError {
  if (!(caught instanceof KeyturnError)) throw caught;
  if (['PrivilegeMissing', 'TargetRefused'].includes(caught.code)) return caught;
  throw caught;
}
