/** Two users and their rights at a MySQL 8, whose answers are written down from its manual: it cannot be installed here. */
import { describe, expect, test } from 'vitest';
import type { MysqlClient } from '../../../../lambdas/adapters/mysql/connect.ts';
import { shareGrants } from '../../../../lambdas/adapters/mysql/grants.ts';
import { disableLogin, preparePair } from '../../../../lambdas/adapters/mysql/pair.ts';
import { missingRights, seesOthers } from '../../../../lambdas/adapters/mysql/rights.ts';
import { factsOf } from '../../../../lambdas/adapters/mysql/server-facts.ts';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';

interface Kept {
  plugin: string;
  stored: string;
  locked: boolean;
  second: boolean;
  tls: string;
  grants: Set<string>;
  roles: Set<string>;
}

/** Accounts by `name@host`, changed by the statements that come. */
class Server {
  readonly accounts = new Map<string, Kept>();
  readonly statements: string[] = [];
  roleOn = 'NONE';
  isFree = true;
  tables: readonly (readonly [string, string])[] = [];

  add(account: string, kept: Partial<Kept> = {}): Kept {
    const made = {
      plugin: 'caching_sha2_password',
      stored: 'old',
      locked: false,
      second: false,
      tls: '',
      grants: new Set<string>(),
      roles: new Set<string>(),
      ...kept,
    };
    this.accounts.set(account, made);
    return made;
  }

  of(account: string): Kept {
    const kept = this.accounts.get(account);
    if (kept === undefined) throw new Error(`There is no ${account}: ${this.statements.at(-1)}`);
    return kept;
  }

  client(): MysqlClient {
    return {
      version: '8.4.3',
      query: async (text, values = []) => this.#answer(text, values.map(String)),
      attempt: async (text) => {
        this.#answer(text, []);
        return null;
      },
      end: async () => {},
    };
  }

  #answer(text: string, values: readonly string[]): Record<string, unknown>[] {
    this.statements.push(text);
    const named = (part: string) => part.replace(/`([^`]*)`@`([^`]*)`/, '$1@$2');
    const account = named(
      /`[^`]*`@`[^`]*`/.exec(text.replace(/^GRANT.* TO |^REVOKE.* FROM /, ''))?.[0] ?? '',
    );
    if (text.startsWith('SELECT GET_LOCK')) return [{ got: this.isFree ? 1 : 0 }];
    if (text.startsWith('SELECT RELEASE_LOCK')) return [{ released: 1 }];
    if (text.startsWith('SELECT CURRENT_ROLE')) return [{ roles: this.roleOn }];
    if (text.includes('FROM mysql.user')) {
      return [...this.accounts]
        .map(([name, kept]) => ({ user: name.split('@')[0], host: name.split('@')[1], tls: kept.tls }))
        .filter(({ user }) => user === values[0])
        .map((row) => ({
          ...row,
          cipher: Buffer.from(''),
          issuer: Buffer.from(''),
          subject: Buffer.from(''),
        }));
    }
    if (text.includes("'default_roles'")) return [{ found: 1 }];
    if (text.includes('FROM mysql.default_roles')) {
      const [user = '', host = ''] = values;
      return [...this.of(`${user}@${host}`).roles].map((role) => ({ user: role, host: '%' }));
    }
    if (text.includes('FROM information_schema.TABLES')) {
      const [database = 'shop', table] = values.length === 2 ? values : ['shop', values[0]];
      const found = this.tables.filter(([place, name]) => place === database && name === table);
      return found.map(([place, name]) => ({ place, name }));
    }
    if (text.startsWith('SHOW CREATE USER')) {
      const { plugin } = this.of(account);
      return [{ statement: `CREATE USER ${account} IDENTIFIED WITH '${plugin}' AS '$A$005$x' REQUIRE NONE` }];
    }
    if (text.startsWith('SHOW GRANTS')) {
      const own = this.of(text.includes('CURRENT_USER()') ? 'me@%' : account);
      return [...own.grants].map((line) => ({ line }));
    }
    this.#change(text, account);
    return [];
  }

  #change(text: string, account: string): void {
    if (text.startsWith('CREATE USER')) this.add(account);
    const kept = this.of(account);
    if (/^GRANT|^REVOKE/.test(text)) kept.grants.add(text);
    if (text.includes('DISCARD OLD PASSWORD')) kept.second = false;
    const roles = / DEFAULT ROLE (.*)$/.exec(text)?.[1];
    for (const [, role = ''] of roles?.matchAll(/`([^`]*)`@/g) ?? []) kept.roles.add(role);
    if (text.includes('REQUIRE SSL')) kept.tls = 'ANY';
    for (const [, user, host, plugin = '', stored = ''] of text.matchAll(
      /`([^`]*)`@`([^`]*)` IDENTIFIED WITH (\w+) AS '([^']*)'/g,
    )) {
      Object.assign(this.of(`${user}@${host}`), { plugin, stored });
    }
    const lock = /ACCOUNT (LOCK|UNLOCK)$/.exec(text)?.[1];
    if (lock === undefined) return;
    for (const [name] of text.matchAll(/`[^`]*`@`[^`]*`/g)) this.of(named(name)).locked = lock === 'LOCK';
  }
}
const named = (part: string) => part.replace(/`([^`]*)`@`([^`]*)`/, '$1@$2');

const pair = {
  user: 'b',
  other: 'a',
  owner: '',
  password: new Sensitive('the-new-password'),
  databases: [''],
};

describe('a pair', () => {
  test('keeps its plugins, and gets its passwords in one statement, when all else is done', async () => {
    const server = new Server();
    server.add('a@%', {
      grants: new Set(['GRANT USAGE ON *.* TO `a`@`%`', 'GRANT SELECT ON `shop`.* TO `a`@`%`']),
    });
    server.add('a@10.%', { plugin: 'mysql_native_password', tls: 'ANY' });
    server.add('b@10.%', { plugin: 'mysql_native_password', second: true, locked: true });
    await preparePair(server.client(), pair, random);
    const { plugin, stored, locked } = server.of('b@%');
    expect([plugin, locked]).toEqual(['caching_sha2_password', false]);
    expect(stored).toMatch(/^\$A\$005\$[./0-9A-Za-z]{63}$/);
    expect(server.of('b@10.%')).toMatchObject({
      plugin: 'mysql_native_password',
      // SELECT CONCAT('*', UPPER(SHA1(UNHEX(SHA1('the-new-password')))))
      stored: '*A451A18D89231059A4495FABBC1C821547A8C799',
      locked: false,
      second: false,
      tls: 'ANY',
    });
    expect([...server.of('b@%').grants]).toEqual(['GRANT SELECT ON `shop`.* TO `b`@`%`']);
    expect(server.statements.filter((text) => text.includes('UNLOCK'))).toHaveLength(1);
    expect(server.statements.at(-2)).toContain('ACCOUNT UNLOCK');
    expect(server.statements.join('\n')).not.toContain('the-new-password');
    expect([server.of('a@%').stored, server.of('a@10.%').stored]).toEqual(['old', 'old']);
  });

  test('that another session prepares is left alone', async () => {
    const server = new Server();
    server.add('a@%');
    server.isFree = false;
    await expect(preparePair(server.client(), pair, random)).rejects.toMatchObject({
      code: 'TargetNotReady',
      message: 'The users b and a are being prepared by another session.',
      retryable: true,
    });
    expect(server.statements).toHaveLength(1);
  });

  test('is disabled with all of its accounts and passwords', async () => {
    const server = new Server();
    server.add('b@%', { second: true });
    server.add('b@10.%', { plugin: 'mysql_native_password' });
    await disableLogin(server.client(), 'b', random);
    for (const name of ['b@%', 'b@10.%']) {
      expect(server.of(name)).toMatchObject({ locked: true, second: false });
      expect(server.of(name).stored).not.toBe('old');
    }
  });

  test('shares rights, roles and default roles; what is taken away from the idle one stays its own matter', async () => {
    const server = new Server();
    server.add('a@%', {
      grants: new Set([
        'GRANT SELECT, INSERT ON *.* TO `a`@`%`',
        'GRANT BACKUP_ADMIN ON *.* TO `a`@`%` WITH GRANT OPTION',
        'REVOKE INSERT ON `mysql`.* FROM `a`@`%`',
        'GRANT `reader`@`%`,`writer`@`%` TO `a`@`%` WITH ADMIN OPTION',
      ]),
      roles: new Set(['reader']),
    });
    server.add('b@%', {
      grants: new Set([
        'GRANT USAGE ON *.* TO `b`@`%`',
        'GRANT SELECT (`x`) ON `shop`.` TO ``b``@` TO `b`@`%`',
        'REVOKE SELECT ON `sys`.* FROM `b`@`%`',
      ]),
      roles: new Set(['auditor']),
    });
    const account = (user: string) => ({ user, host: '%' });
    await shareGrants(server.client(), account('a'), account('b'), factsOf('8.4.3'));
    const changes = server.statements.filter((text) => /^(GRANT|REVOKE|ALTER)/.test(text));
    expect(changes).toEqual([
      'GRANT SELECT, INSERT ON *.* TO `b`@`%`',
      'GRANT BACKUP_ADMIN ON *.* TO `b`@`%` WITH GRANT OPTION',
      'GRANT `reader`@`%`,`writer`@`%` TO `b`@`%` WITH ADMIN OPTION',
      'REVOKE INSERT ON `mysql`.* FROM `b`@`%`',
      'GRANT SELECT (`x`) ON `shop`.` TO ``b``@` TO `a`@`%`',
      'ALTER USER `b`@`%` DEFAULT ROLE `reader`@`%`, `auditor`@`%`',
      'ALTER USER `a`@`%` DEFAULT ROLE `reader`@`%`, `auditor`@`%`',
    ]);
  });
});

describe('rights', () => {
  const withGrants = (...lines: string[]) => {
    const server = new Server();
    server.add('me@%', { grants: new Set(lines.map((line) => `${line} \`me\`@\`%\``)) });
    server.tables = [
      ['shop', 'orders'],
      ['mysql', 'user'],
    ];
    return server;
  };
  const lacking = (server: Server) =>
    missingRights(server.client(), [
      { table: 'orders', rights: ['SELECT', 'INSERT'] },
      { table: 'mysql.user', rights: ['SELECT'] },
    ]);

  test('a partial revoke takes a right for one database away', async () => {
    const server = withGrants('GRANT SELECT, INSERT ON *.* TO', 'REVOKE SELECT ON `mysql`.* FROM');
    expect(await lacking(server)).toEqual(['SELECT on mysql.user']);
    expect(
      await lacking(withGrants('GRANT SELECT ON `mysql`.* TO', 'REVOKE SELECT ON `mysql`.* FROM')),
    ).toEqual(['SELECT on orders', 'INSERT on orders']);
  });

  test('roles that are on are asked for', async () => {
    const server = withGrants('GRANT SELECT, INSERT ON `sho_`.* TO', 'GRANT SELECT ON `mysql`.`user` TO');
    server.roleOn = '`reader`@`%`';
    expect(await lacking(server)).toEqual([]);
    expect(server.statements).toContain('SHOW GRANTS FOR CURRENT_USER() USING `reader`@`%`');
  });

  test('only who has PROCESS sees sessions of others', async () => {
    expect(await seesOthers(withGrants('GRANT PROCESS, CREATE USER ON *.* TO').client())).toBe(true);
    expect(await seesOthers(withGrants('GRANT CREATE USER ON *.* TO').client())).toBe(false);
    expect(await seesOthers(withGrants('GRANT ALL PRIVILEGES ON `shop`.* TO').client())).toBe(false);
  });
});
