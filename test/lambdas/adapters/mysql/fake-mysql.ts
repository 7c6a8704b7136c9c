/**
 * One account of a MySQL 8, as far as a user may change it itself. MySQL cannot be installed here, so what it does is
 * written down from its manual ("ALTER USER Statement", "Password Management") and its source (mysql_alter_user and
 * set_and_validate_user_attributes in sql_user.cc, SQLCOM_ALTER_USER in sql_parse.cc).
 */

import type { MysqlClient } from '../../../../lambdas/adapters/mysql/connect.ts';
import { mysqlError } from '../../../../lambdas/adapters/mysql/errors.ts';
import type { KeyturnError } from '../../../../lambdas/contract/errors.ts';

const statement =
  /^ALTER USER (?:USER\(\)|`app`@`%`) (?:IDENTIFIED BY '((?:[^'\\]|\\.|'')*)'(?: REPLACE '((?:[^'\\]|\\.|'')*)')?( RETAIN CURRENT PASSWORD)?|IDENTIFIED WITH (\w+) AS '([^']*)'|(DISCARD OLD PASSWORD))$/;

export class FakeMysql {
  /** Stored forms are kept as they came, passwords in clear as `clear:` and themselves. */
  primary: string;
  secondary: string | null = null;
  plugin = 'caching_sha2_password';
  version = '8.4.3';
  /** CREATE USER, APPLICATION_PASSWORD_ADMIN. */
  readonly rights = new Set<string>();
  /** password_require_current */
  requireCurrent = false;
  /** password_history: passwords that may not come again. */
  history: string[] | null = null;
  rawLog = false;
  generalLog = true;
  /** What the general log holds: MySQL writes `<secret>` for a password in clear, unless log_raw is on. */
  readonly log: string[] = [];

  constructor(password: string) {
    this.primary = `clear:${password}`;
  }

  accepts(password: string): boolean {
    return [this.primary, this.secondary].includes(`clear:${password}`);
  }

  client(): MysqlClient {
    const query = async (text: string) => this.#answer(text);
    return {
      version: this.version,
      query,
      async attempt(text, expected) {
        try {
          await query(text);
          return null;
        } catch (caught) {
          const number = /error (\d+)/.exec(String(caught))?.[1];
          if (expected.includes(Number(number))) return Number(number);
          throw caught;
        }
      },
      end: async () => {},
    };
  }

  #answer(text: string): Record<string, unknown>[] {
    this.log.push(this.rawLog ? text : text.replace(/(BY|REPLACE) '(?:[^'\\]|\\.|'')*'/g, "$1 '<secret>'"));
    if (text === 'SHOW CREATE USER CURRENT_USER()') {
      return [
        {
          'CREATE USER for app@%': `CREATE USER \`app\`@\`%\` IDENTIFIED WITH '${this.plugin}' AS '$A$005$x\\'y REQUIRE' REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK PASSWORD HISTORY DEFAULT`,
        },
      ];
    }
    if (text === 'SELECT CURRENT_USER() AS account') return [{ account: 'app@%' }];
    if (text === 'SELECT @@GLOBAL.log_raw') {
      if (this.version.startsWith('5.')) throw refused(1193);
      return [{ raw: 0 }];
    }
    if (text === 'SELECT @@GLOBAL.log_raw AND @@GLOBAL.general_log AS raw') {
      return [{ raw: this.rawLog && this.generalLog ? 1 : 0 }];
    }
    const parts = statement.exec(text);
    if (parts === null) throw refused(1064);
    this.#alter(parts);
    return [];
  }

  #alter([, clear, current, retain, plugin, stored, discard]: RegExpExecArray): void {
    const isAdministrator = this.rights.has('CREATE USER');
    const second = retain !== undefined || discard !== undefined;
    if (second && !isAdministrator && !this.rights.has('APPLICATION_PASSWORD_ADMIN')) throw refused(1227);
    if (discard !== undefined) {
      this.secondary = null;
      return;
    }
    if (plugin !== undefined) {
      if (!isAdministrator) throw refused(1227);
      this.plugin = plugin;
      this.primary = stored ?? '';
      return;
    }
    const wanted = `clear:${unquoted(clear)}`;
    if (this.history?.includes(wanted) === true) throw refused(3638);
    if (current !== undefined && `clear:${unquoted(current)}` !== this.primary) throw refused(3891);
    if (current === undefined && this.requireCurrent && !isAdministrator) throw refused(3892);
    if (retain !== undefined) this.secondary = this.primary;
    this.primary = wanted;
    this.history?.push(wanted);
  }
}

function refused(errno: number): KeyturnError {
  return mysqlError(Object.assign(new Error('refused'), { errno }), 'The server db:3306', 'statement');
}

function unquoted(text = ''): string {
  return text.replaceAll("''", "'").replace(/\\(.)/gs, '$1');
}
