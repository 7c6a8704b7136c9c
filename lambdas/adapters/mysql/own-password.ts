/** A user changes its own password, or holds two. */
import { checkCredential } from '../../contract/credential-text.ts';
import { KeyturnError } from '../../contract/errors.ts';
import type { Random } from '../../contract/ports.ts';
import type { Sensitive } from '../../contract/sensitive.ts';
import type { MysqlClient } from './connect.ts';
import { identifiedBy, loginMethod, storedForm } from './login-method.ts';
import { accountName, literal } from './quoting.ts';
import { keepsTwoPasswords, type ServerFacts, serverFacts } from './server-facts.ts';

/** ER_DBACCESS_DENIED_ERROR, ER_ACCESS_DENIED_ERROR, ER_TABLEACCESS_DENIED_ERROR, ER_SPECIFIC_ACCESS_DENIED_ERROR. */
const denied = [1044, 1045, 1142, 1227];
/** ER_INCORRECT_CURRENT_PASSWORD: what REPLACE names is not the first of the user's passwords. */
const notTheFirst = 3891;
/** ER_MISSING_CURRENT_PASSWORD: the server demands REPLACE. */
const wantsCurrent = 3892;
/** ER_CREDENTIALS_CONTRADICT_TO_HISTORY */
const usedBefore = 3638;
/** ER_UNKNOWN_SYSTEM_VARIABLE */
const unknownVariable = 1193;

/**
 * Gives the account of the session another password.
 *
 * MariaDB takes its stored form from anybody. MySQL takes that from an administrator only (CREATE USER); from the user
 * itself it takes the password in clear ("ALTER USER Statement": for one's own account, `IDENTIFIED BY` alone needs no
 * privilege), and writes it to none of its logs ("Passwords and Logging", MySQL 8.4 reference manual, section 8.1.2.3):
 * where it was told otherwise, the change is refused.
 *
 * @param inUse the password that the session was opened with.
 */
export async function changeOwnPassword(
  client: MysqlClient,
  { inUse, password, random }: { inUse: Sensitive; password: Sensitive; random: Random },
): Promise<void> {
  const facts = serverFacts(client);
  const plugin = await loginMethod(client, 'CURRENT_USER()', facts);
  const stored = storedForm(plugin, password, random);
  if (facts.isMariadb) {
    await client.query(`SET PASSWORD = ${literal(stored.reveal())}`);
    return;
  }
  const account = await ownAccount(client);
  const asAdministrator = `ALTER USER ${account} ${identifiedBy(plugin, stored, facts)}`;
  if ((await client.attempt(asAdministrator, denied)) === null) return;
  await refuseRawLog(client);
  const asItself = inClear(password);
  if ((await client.attempt(asItself, [wantsCurrent])) === null) return;
  await client.query(`${asItself} REPLACE ${literal(inUse.reveal())}`);
}

/**
 * Adds a password and keeps the one that the session was opened with. A user has two at most, and the server keeps the
 * first of them; where the session was opened with the second (after a rotation that was taken back), that is made the
 * first before. In clear: a stored form cannot be added ("ALTER USER Statement", auth_option).
 */
export async function addOwnPassword(
  client: MysqlClient,
  { inUse, password }: { inUse: Sensitive; password: Sensitive },
): Promise<void> {
  await demandTwoPasswords(client);
  await refuseRawLog(client);
  const adding = `${inClear(password)} REPLACE ${literal(inUse.reveal())} RETAIN CURRENT PASSWORD`;
  const said = await client.attempt(adding, [notTheFirst, ...denied]);
  if (said === null) return;
  if (said !== notTheFirst) throw mayNotHoldTwo();
  await makeFirst(client, inUse);
  await client.query(adding);
}

/**
 * Ends the other of two passwords. The server drops the second, so this one is made the first, where it is not.
 *
 * @param inUse the password that the session was opened with, and that stays.
 */
export async function keepOwnPassword(client: MysqlClient, inUse: Sensitive): Promise<void> {
  await demandTwoPasswords(client);
  await refuseRawLog(client);
  const confirming = `${inClear(inUse)} REPLACE ${literal(inUse.reveal())}`;
  const said = await client.attempt(confirming, [notTheFirst, usedBefore]);
  // The history is looked at before the current password, so that it says nothing of which one this is.
  if (said === usedBefore) throw historyForbids();
  if (said === notTheFirst) await makeFirst(client, inUse);
  const discarded = await client.attempt('ALTER USER USER() DISCARD OLD PASSWORD', denied);
  if (discarded !== null) throw mayNotHoldTwo();
}

async function makeFirst(client: MysqlClient, password: Sensitive): Promise<void> {
  const said = await client.attempt(inClear(password), [usedBefore, wantsCurrent]);
  if (said === usedBefore) throw historyForbids();
  if (said === wantsCurrent) {
    throw new KeyturnError({
      code: 'TargetRefused',
      message:
        'The password in use is the second of two, and the server demands the first for any change, which nobody here knows.',
      hint: 'Have an administrator run ALTER USER … IDENTIFIED BY … with the password of the current value, then rotate again.',
    });
  }
}

/** @throws KeyturnError TargetRefused where the server has no second passwords, or this user cannot have one. */
async function demandTwoPasswords(client: MysqlClient): Promise<void> {
  const facts = serverFacts(client);
  if (!keepsTwoPasswords(facts)) throw keepsOne(facts);
  await loginMethod(client, 'CURRENT_USER()', facts);
}

function keepsOne({ name }: ServerFacts): KeyturnError {
  return new KeyturnError({
    code: 'TargetRefused',
    message: `The server must be MySQL 8.0.14 or later to keep two passwords of a user; it is ${name}.`,
    hint: 'Take options.strategy "alternating-users", or "single-user".',
  });
}

/** With log_raw the general log holds statements as they came. A server that does not know the variable has it off, or was started with it. */
async function refuseRawLog(client: MysqlClient): Promise<void> {
  if ((await client.attempt('SELECT @@GLOBAL.log_raw', [unknownVariable])) !== null) return;
  const [row] = await client.query('SELECT @@GLOBAL.log_raw AND @@GLOBAL.general_log AS raw');
  if (Number(row?.raw) !== 1) return;
  throw new KeyturnError({
    code: 'TargetRefused',
    message: 'The server must not write passwords to its general log; log_raw and general_log are on.',
    hint: 'Turn log_raw off, or rotate with alternating-users, whose administrator sends no password.',
  });
}

/** A password in clear stands in the statement, so that it must not be quoted. */
function mayNotHoldTwo(): KeyturnError {
  return new KeyturnError({
    code: 'PrivilegeMissing',
    message:
      'The user must be allowed to hold two passwords (APPLICATION_PASSWORD_ADMIN); the server does not let it.',
    hint: 'GRANT APPLICATION_PASSWORD_ADMIN ON *.* TO the user.',
  });
}

function historyForbids(): KeyturnError {
  return new KeyturnError({
    code: 'TargetRefused',
    message: 'The server’s history of passwords must let a user set the one again that it has; it does not.',
    hint: 'Let it (ALTER USER … PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY), or take options.strategy "alternating-users".',
  });
}

function inClear(password: Sensitive): string {
  checkCredential('The password', password.reveal());
  return `ALTER USER USER() IDENTIFIED BY ${literal(password.reveal())}`;
}

async function ownAccount(client: MysqlClient): Promise<string> {
  const [row] = await client.query('SELECT CURRENT_USER() AS account');
  const text = String(row?.account ?? '');
  const at = text.lastIndexOf('@');
  return accountName({ user: text.slice(0, at), host: text.slice(at + 1) });
}
