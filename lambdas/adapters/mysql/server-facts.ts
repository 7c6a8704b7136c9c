import { KeyturnError } from '../../contract/errors.ts';
import type { MysqlClient } from './connect.ts';

/** Which of the two a server is, and which version of it. */
export interface ServerFacts {
  readonly isMariadb: boolean;
  readonly version: readonly [number, number, number];
  /** As a sentence names it: `MariaDB 10.11.18`. */
  readonly name: string;
}

/** The first that show how an account logs in (SHOW CREATE USER) and lock one (ACCOUNT LOCK). */
const least = { mysql: [5, 7, 6], mariadb: [10, 4, 2] } as const;

/** The first that keep two passwords of a user (MySQL 8.0 reference manual, section 8.2.15). */
const firstWithTwo = [8, 0, 14] as const;

/** @throws KeyturnError TargetRefused when the server is too old. */
export function serverFacts({ version }: Pick<MysqlClient, 'version'>): ServerFacts {
  const facts = factsOf(version);
  const first = facts.isMariadb ? least.mariadb : least.mysql;
  if (!reaches(facts, first)) {
    throw new KeyturnError({
      code: 'TargetRefused',
      message: `The server must be MySQL ${least.mysql.join('.')} or MariaDB ${least.mariadb.join('.')}, or later; it is ${facts.name}.`,
    });
  }
  return facts;
}

/**
 * @param text as the server tells it: `8.4.3`, `10.11.18-MariaDB-log`, or `5.5.5-10.6.1-MariaDB`, by which MariaDB tells
 *   replicas of MySQL something that they understand.
 */
export function factsOf(text: string): ServerFacts {
  const isMariadb = /mariadb/i.test(text);
  const [, ...numbers] =
    /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(isMariadb ? text.replace(/^5\.5\.5-/, '') : text) ?? [];
  const [major = 0, minor = 0, patch = 0] = numbers.map((number) => Number(number ?? 0));
  const version = [major, minor, patch] as const;
  return { isMariadb, version, name: `${isMariadb ? 'MariaDB' : 'MySQL'} ${version.join('.')}` };
}

export function keepsTwoPasswords(facts: ServerFacts): boolean {
  return !facts.isMariadb && reaches(facts, firstWithTwo);
}

export function reaches({ version }: ServerFacts, least: readonly [number, number, number]): boolean {
  for (const [at, wanted] of least.entries()) {
    const has = version[at] ?? 0;
    if (has !== wanted) return has > wanted;
  }
  return true;
}
