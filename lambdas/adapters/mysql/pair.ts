/**
 * Two users that take turns at a MySQL or MariaDB server. Nobody owns a table there, so both are granted the same, each
 * directly: the right of a role ends where a view, a trigger or a routine runs as its definer, because MariaDB takes no
 * role into account there. A definer who is locked still defines ("Account Locking", MySQL 8.4 reference manual, section
 * 8.2.20).
 */
import { createHash } from 'node:crypto';
import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import type { LoginPair } from '../../contract/target.ts';
import { run } from '../run-statement.ts';
import { accountsOf, adopt, type KnownAccount } from './accounts.ts';
import type { MysqlClient } from './connect.ts';
import { shareGrants } from './grants.ts';
import { identifiedBy, loginMethod, type Plugin, storedForm, unknownPassword } from './login-method.ts';
import { type Account, accountName } from './quoting.ts';
import { keepsTwoPasswords, type ServerFacts, serverFacts } from './server-facts.ts';

/** Seconds for which another rotation of the same pair is waited for. */
const lockTimeout = 10;

/**
 * Statements about users are no transaction here, so the password is the last part, and new accounts are locked until
 * then: a login with it proves the rest, and what was begun is repaired by the next try.
 */
export async function preparePair(client: MysqlClient, pair: LoginPair, random: Random): Promise<void> {
  const facts = serverFacts(client);
  await alone(client, pair, async () => {
    const inUse = await accountsOf(client, pair.other, facts);
    const methods = await methodsOf(client, inUse, facts);
    for (const like of inUse) {
      await created(client, { user: pair.user, host: like.host }, methods.get(like.host), random, facts);
    }
    if (inUse.length === 0) await createdAnywhere(client, pair.user, random, facts);
    const accounts = await accountsOf(client, pair.user, facts);
    for (const account of accounts) {
      const like = inUse.find(({ host }) => host === account.host);
      if (like === undefined) continue;
      await adopt(client, account, like);
      await shareGrants(client, like, account, facts);
    }
    await discardSecond(client, accounts, facts);
    await setPasswords(client, accounts, { password: () => pair.password, random, facts, lock: 'UNLOCK' });
  });
}

/**
 * Takes the password away as well: a user that somebody lets log in again must not get in with the old one.
 */
export async function disableLogin(client: MysqlClient, user: string, random: Random): Promise<void> {
  const facts = serverFacts(client);
  const accounts = await accountsOf(client, user, facts);
  if (accounts.length === 0) return;
  await discardSecond(client, accounts, facts);
  await setPasswords(client, accounts, {
    password: () => unknownPassword(random),
    random,
    facts,
    lock: 'LOCK',
  });
}

/** Two at once would change the same accounts. The lock goes with the session at the latest. */
async function alone<T>(client: MysqlClient, { user, other }: LoginPair, work: () => Promise<T>): Promise<T> {
  // A name has 64 characters at most.
  const pair = createHash('sha256')
    .update(JSON.stringify([user, other].toSorted()))
    .digest('hex');
  const name = `keyturn ${pair.slice(0, 40)}`;
  const [row] = await client.query('SELECT GET_LOCK(?, ?) AS got', [name, lockTimeout]);
  if (Number(row?.got) !== 1) {
    throw new KeyturnError({
      code: 'TargetNotReady',
      message: `The users ${user} and ${other} are being prepared by another session.`,
      retryable: true,
    });
  }
  try {
    return await work();
  } finally {
    await client.query('SELECT RELEASE_LOCK(?) AS released', [name]).catch(() => {});
  }
}

async function methodsOf(
  client: MysqlClient,
  accounts: readonly Account[],
  facts: ServerFacts,
): Promise<ReadonlyMap<string, Plugin>> {
  const methods = new Map<string, Plugin>();
  for (const account of accounts) {
    methods.set(account.host, await loginMethod(client, accountName(account), facts));
  }
  return methods;
}

async function created(
  client: MysqlClient,
  account: Account,
  plugin: Plugin | undefined,
  random: Random,
  facts: ServerFacts,
): Promise<void> {
  const found = await accountsOf(client, account.user, facts);
  if (found.some(({ host }) => host === account.host)) return;
  const method = plugin ?? (await usualMethod(client, facts));
  const identified = identifiedBy(method, storedForm(method, unknownPassword(random), random), facts);
  await run(
    client,
    `CREATE USER ${accountName(account)} ${identified} ACCOUNT LOCK`,
    `CREATE USER ${accountName(account)}`,
  );
}

/** The one in use was dropped: what is left of the other is repaired, or it begins anew for any host. */
async function createdAnywhere(
  client: MysqlClient,
  user: string,
  random: Random,
  facts: ServerFacts,
): Promise<void> {
  if ((await accountsOf(client, user, facts)).length > 0) return;
  await created(client, { user, host: '%' }, undefined, random, facts);
}

async function usualMethod(client: MysqlClient, { isMariadb }: ServerFacts): Promise<Plugin> {
  if (isMariadb) return 'mysql_native_password';
  const rows = await client.query(
    "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'caching_sha2_password' AND PLUGIN_STATUS = 'ACTIVE'",
  );
  return rows.length > 0 ? 'caching_sha2_password' : 'mysql_native_password';
}

/** A second password, from the time of another strategy, would still let somebody in. */
async function discardSecond(
  client: MysqlClient,
  accounts: readonly Account[],
  facts: ServerFacts,
): Promise<void> {
  if (!keepsTwoPasswords(facts)) return;
  for (const account of accounts)
    await run(client, `ALTER USER ${accountName(account)} DISCARD OLD PASSWORD`);
}

/** All accounts in one statement, which at MySQL 8 is all or nothing. */
async function setPasswords(
  client: MysqlClient,
  accounts: readonly KnownAccount[],
  wanted: {
    readonly password: () => LoginPair['password'];
    readonly random: Random;
    readonly facts: ServerFacts;
    readonly lock: 'LOCK' | 'UNLOCK';
  },
): Promise<void> {
  const { password, random, facts, lock } = wanted;
  const parts: string[] = [];
  for (const account of accounts) {
    const method = await loginMethod(client, accountName(account), facts);
    parts.push(
      `${accountName(account)} ${identifiedBy(method, storedForm(method, password(), random), facts)}`,
    );
  }
  const names = accounts.map(accountName).join(', ');
  await run(client, `ALTER USER ${parts.join(', ')} ACCOUNT ${lock}`, `ALTER USER ${names} ACCOUNT ${lock}`);
}
