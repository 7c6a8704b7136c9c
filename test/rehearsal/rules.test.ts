/** The rule on leaks, where a database was searched: a log that shows no statement is no evidence. */
import { describe, expect, test } from 'vitest';
import { judge } from '../../lib/rehearsal/rules.ts';
import { databaseLogIn, redisLogIn } from '../../lib/rehearsal/server-log.ts';

/** As PostgreSQL writes it with `log_statement = all`: simple and prepared statements. */
const logged = `2026-11-21 12:00:00.000 UTC [7] LOG:  statement: SELECT 1
2026-11-21 12:00:00.001 UTC [7] LOG:  execute <unnamed>: SELECT FROM pg_roles WHERE rolname = $1
2026-11-21 12:00:00.001 UTC [7] DETAIL:  Parameters: $1 = 'shop'
2026-11-21 12:00:00.002 UTC [7] LOG:  statement: ALTER ROLE shop PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a:b'
2026-11-21 12:00:00.003 UTC [7] LOG:  checkpoint starting: time`;

const quiet = `2026-11-21 12:00:00.003 UTC [7] LOG:  checkpoint starting: time
2026-11-21 12:00:00.004 UTC [8] FATAL:  password authentication failed for user "shop"`;

function ruleOnLeaks(text: string | null, logIn = databaseLogIn) {
  const rules = judge({
    played: [],
    rotationsAfterDeploy: 0,
    leaks: [],
    watched: 3,
    serverLogs: text === null ? [] : [logIn(text)],
    badFiles: { tried: 0, refused: 0 },
  });
  return rules.find(({ id }) => id === 4);
}

describe('the search of a database’s log', () => {
  test('tells how many statements it went through, and how many of them set a password', () => {
    expect(databaseLogIn(logged)).toMatchObject({ lines: 5, statements: 3, passwordsSet: 1 });
    expect(ruleOnLeaks(logged)).toMatchObject({
      held: true,
      evidence: expect.stringContaining('(3 statements, 1 of them set a password): none found'),
    });
  });

  test('proves nothing where the server has logged no statement', () => {
    expect(ruleOnLeaks(quiet)?.held).toBe(false);
  });

  test('is not asked for where the run had no database', () => {
    expect(ruleOnLeaks(null)).toMatchObject({
      held: true,
      evidence: expect.not.stringContaining('database'),
    });
  });

  test('tells of a Redis how many commands it went through, and proves nothing without any', () => {
    const run =
      'user default on #9f86\n* Ready to accept connections\ncommand: SET cache:1 1\ncommand: ACL SETUSER (redacted)';
    expect(ruleOnLeaks(run, redisLogIn)).toMatchObject({
      held: true,
      evidence: expect.stringContaining(
        '4 lines of what the Redis has stored, logged and run (2 commands, 1 of them set a password): none found',
      ),
    });
    expect(ruleOnLeaks('* Ready to accept connections', redisLogIn)).toMatchObject({
      held: false,
      evidence:
        'what the Redis has stored, logged and run shows none of its commands, so that its search proves nothing',
    });
  });
});
