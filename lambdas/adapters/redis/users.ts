/**
 * The passwords of a user, which the server keeps as SHA-256 hashes: they are given to it as such, so that no monitor,
 * slow log or ACL log of it can hold one ("ACL SETUSER", Redis documentation).
 */
import { createHash } from 'node:crypto';
import { KeyturnError } from '../../contract/errors.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { RedisClient } from './connect.ts';

export async function addHash(client: RedisClient, user: string, password: Sensitive): Promise<void> {
  await demandPasswords(client, user);
  await client.send('ACL', 'SETUSER', user, `#${hashOf(password)}`);
}

/** In one command, so that there is no instant without a password. */
export async function keepOnlyHash(client: RedisClient, user: string, password: Sensitive): Promise<void> {
  await demandPasswords(client, user);
  await client.send('ACL', 'SETUSER', user, 'resetpass', `#${hashOf(password)}`);
}

/** ACL SETUSER would make a user that is not there, and would end `nopass`, on which somebody may rely. */
async function demandPasswords(client: RedisClient, user: string): Promise<void> {
  const { flags } = await userOf(client, user);
  if (!flags.includes('nopass')) return;
  throw new KeyturnError({
    code: 'TargetRefused',
    message: `${client.name} lets ${user} in with any password (nopass); that is not changed here.`,
    hint: `Give the user the password that the secret holds (ACL SETUSER ${user} resetpass and a hash), then rotate again.`,
  });
}

async function userOf(client: RedisClient, user: string): Promise<{ readonly flags: readonly string[] }> {
  const reply = await client.send('ACL', 'GETUSER', user);
  // RESP 2: names and values by turns.
  const parts = Array.isArray(reply) ? (reply as readonly unknown[]) : null;
  const flags = parts?.[parts.indexOf('flags') + 1];
  if (parts === null || !parts.includes('flags') || !Array.isArray(flags)) {
    throw new KeyturnError({
      code: 'TargetRefused',
      message: `${client.name} must have the user ${user}; it has not.`,
    });
  }
  return { flags: flags.map(String) };
}

function hashOf(password: Sensitive): string {
  return createHash('sha256').update(password.reveal(), 'utf8').digest('hex');
}
