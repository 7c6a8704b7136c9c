/** What the servers of a run have logged, counted: a log that shows nothing of the work is no evidence. */

/** The log of a server that is asked to log everything. */
export interface ServerLog {
  /** What evidence calls it. */
  readonly name: string;
  /** What it calls the things that it is asked to do. */
  readonly asked: 'statements' | 'commands';
  readonly lines: number;
  /** Lines that show one. None of them: the server was not asked, and the search has proved nothing. */
  readonly statements: number;
  /** Those that set a password, none of them in clear. */
  readonly passwordsSet: number;
}

/** @param text the log of a PostgreSQL with `log_statement = all` */
export function databaseLogIn(text: string): ServerLog {
  const lines = text.split('\n');
  const statements = lines.filter((line) => /LOG: {2}(statement|execute [^:]*): /.test(line));
  return {
    name: 'the database’s log',
    asked: 'statements',
    lines: lines.length,
    statements: statements.length,
    passwordsSet: text.match(/PASSWORD 'SCRAM-SHA-256\$/g)?.length ?? 0,
  };
}

/** Before each command of a Redis in the text of its log. */
export const commandMark = 'command: ';

/** @param text what a Redis has stored, logged and run */
export function redisLogIn(text: string): ServerLog {
  const lines = text.split('\n');
  const commands = lines.filter((line) => line.startsWith(commandMark));
  return {
    name: 'what the Redis has stored, logged and run',
    asked: 'commands',
    lines: lines.length,
    statements: commands.length,
    passwordsSet: commands.filter((line) => line.slice(commandMark.length).startsWith('ACL SETUSER ')).length,
  };
}
