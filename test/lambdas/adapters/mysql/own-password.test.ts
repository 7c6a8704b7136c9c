/** A user of MySQL changes its own password, or holds two. Against MariaDB: target.test.ts. */
import { describe, expect, test } from 'vitest';
import { methodsOf } from '../../../../lambdas/adapters/mysql/login-method.ts';
import {
  addOwnPassword,
  changeOwnPassword,
  keepOwnPassword,
} from '../../../../lambdas/adapters/mysql/own-password.ts';
import { factsOf, keepsTwoPasswords } from '../../../../lambdas/adapters/mysql/server-facts.ts';
import { random } from '../../../../lambdas/adapters/platform.ts';
import { Sensitive } from '../../../../lambdas/contract/sensitive.ts';
import { FakeMysql } from './fake-mysql.ts';

const hostile = `it's "\\ né;--`;
const change = (server: FakeMysql, from: string, to: string) =>
  changeOwnPassword(server.client(), { inUse: new Sensitive(from), password: new Sensitive(to), random });
const add = (server: FakeMysql, from: string, to: string) =>
  addOwnPassword(server.client(), { inUse: new Sensitive(from), password: new Sensitive(to) });
const keep = (server: FakeMysql, only: string) => keepOwnPassword(server.client(), new Sensitive(only));

describe('one password', () => {
  test('in clear, where the user is no administrator; no log holds it', async () => {
    const server = new FakeMysql('old');
    await change(server, 'old', hostile);
    expect([server.accepts(hostile), server.accepts('old')]).toEqual([true, false]);
    expect(server.log.join('\n')).not.toContain(hostile.slice(0, 8));
  });

  test.each([
    ['caching_sha2_password', /^\$A\$005\$[./0-9A-Za-z]{63}$/],
    ['mysql_native_password', /^\*[0-9A-F]{40}$/],
  ])('in the stored form of %s, where it is one', async (plugin, form) => {
    const server = new FakeMysql('old');
    server.plugin = plugin;
    server.rights.add('CREATE USER');
    await change(server, 'old', 'new');
    expect(server.primary).toMatch(form);
    expect(server.plugin).toBe(plugin);
    expect(server.log.join('\n')).not.toContain('<secret>');
  });

  test('with the former one, where the server asks for it', async () => {
    const server = new FakeMysql('old');
    server.requireCurrent = true;
    await change(server, 'old', 'new');
    expect(server.accepts('new')).toBe(true);
  });

  test('not where the general log would hold it', async () => {
    const server = new FakeMysql('old');
    server.rawLog = true;
    await expect(change(server, 'old', 'new-password')).rejects.toMatchObject({
      code: 'TargetRefused',
      message: 'The server must not write passwords to its general log; log_raw and general_log are on.',
    });
    await expect(add(server, 'old', 'new-password')).rejects.toMatchObject({ code: 'TargetRefused' });
    await expect(keep(server, 'old-password')).rejects.toMatchObject({ code: 'TargetRefused' });
    expect(server.log.join('\n')).not.toContain('-password');
    server.generalLog = false;
    await change(server, 'old', 'new-password');
    expect(server.accepts('new-password')).toBe(true);
  });

  test.each(['auth_socket', 'sha256_password', 'AWSAuthenticationPlugin', 'authentication_ldap_simple'])(
    'not of a user with %s',
    async (plugin) => {
      const server = new FakeMysql('old');
      server.plugin = plugin;
      await expect(change(server, 'old', 'new')).rejects.toMatchObject({
        code: 'TargetRefused',
        message: `The user must log in by mysql_native_password or caching_sha2_password alone; it logs in by ${plugin}.`,
      });
      expect(server.accepts('old')).toBe(true);
    },
  );
});

describe('two passwords', () => {
  const withTwo = (first: string, second: string | null = null) => {
    const server = new FakeMysql(first);
    server.secondary = second === null ? null : `clear:${second}`;
    server.rights.add('APPLICATION_PASSWORD_ADMIN');
    return server;
  };
  const accepted = (server: FakeMysql, ...passwords: string[]) =>
    passwords.filter((password) => server.accepts(password));

  test('the new one beside the one in use, and then alone', async () => {
    const server = withTwo('old');
    await add(server, 'old', 'new');
    expect(accepted(server, 'old', 'new')).toEqual(['old', 'new']);
    await keep(server, 'new');
    expect(accepted(server, 'old', 'new')).toEqual(['new']);
    expect([server.primary, server.secondary]).toEqual(['clear:new', null]);
  });

  test('taken back: the one before stays, though the server would drop it', async () => {
    const server = withTwo('new', 'old');
    await keep(server, 'old');
    expect(accepted(server, 'old', 'new')).toEqual(['old']);
  });

  test('after one that was taken back and never cleared, the one in use survives the next', async () => {
    const server = withTwo('failed', 'inuse');
    await add(server, 'inuse', 'next');
    expect(accepted(server, 'failed', 'inuse', 'next')).toEqual(['inuse', 'next']);
  });

  test('where the server demands the first for any change, and the second is in use, nothing is lost', async () => {
    const server = withTwo('failed', 'inuse');
    server.requireCurrent = true;
    for (const attempt of [() => add(server, 'inuse', 'next'), () => keep(server, 'inuse')]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'TargetRefused' });
    }
    expect(accepted(server, 'failed', 'inuse', 'next')).toEqual(['failed', 'inuse']);
  });

  test('where the history forbids to confirm the one in use, nothing is lost', async () => {
    const server = withTwo('new', 'old');
    server.history = ['clear:old', 'clear:new'];
    for (const attempt of [() => keep(server, 'old'), () => keep(server, 'new')]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'TargetRefused',
        message:
          'The server’s history of passwords must let a user set the one again that it has; it does not.',
      });
    }
    expect(accepted(server, 'old', 'new')).toEqual(['old', 'new']);
  });

  test('not without the right to it', async () => {
    const server = new FakeMysql('old');
    await expect(add(server, 'old', 'new')).rejects.toMatchObject({
      code: 'PrivilegeMissing',
      message:
        'The user must be allowed to hold two passwords (APPLICATION_PASSWORD_ADMIN); the server does not let it.',
    });
    expect(accepted(server, 'old', 'new')).toEqual(['old']);
  });

  test.each([
    ['10.11.18-MariaDB-0+deb12u1', 'MariaDB 10.11.18'],
    ['5.5.5-11.4.2-MariaDB-log', 'MariaDB 11.4.2'],
    ['8.0.13', 'MySQL 8.0.13'],
    ['5.7.44-log', 'MySQL 5.7.44'],
  ])('not of %s', async (version, name) => {
    const server = withTwo('old');
    server.version = version;
    for (const attempt of [() => add(server, 'old', 'new'), () => keep(server, 'old')]) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'TargetRefused',
        message: `The server must be MySQL 8.0.14 or later to keep two passwords of a user; it is ${name}.`,
        hint: 'Take options.strategy "alternating-users", or "single-user".',
      });
    }
    expect(server.log).toEqual([]);
  });
});

test.each([
  ['8.0.14', true],
  ['8.0.35-27', true],
  ['8.4.3', true],
  ['9.1.0', true],
  ['10.0.0', true],
  ['8.0.13-log', false],
  ['10.6.19-MariaDB', false],
  ['5.5.5-10.0.0-MariaDB-1~jessie', false],
  ['', false],
])('version %j keeps two passwords: %s', (version, two) => {
  expect(keepsTwoPasswords(factsOf(version))).toBe(two);
});

test.each([
  ["CREATE USER `a`@`%` IDENTIFIED BY PASSWORD '*6C89'", ['mysql_native_password']],
  ['CREATE USER `a`@`%`', ['mysql_native_password']],
  [
    "CREATE USER `a`@`localhost` IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket",
    ['mysql_native_password', 'unix_socket'],
  ],
  [
    "CREATE USER `a`@`%` IDENTIFIED VIA ed25519 USING 'ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY'",
    ['ed25519'],
  ],
  [
    "CREATE USER `IDENTIFIED WITH x`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$a''b\\'WITH auth_socket' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5 PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
    ['caching_sha2_password'],
  ],
  [
    "CREATE USER `a`@`%` IDENTIFIED WITH 'caching_sha2_password' AS '$A$005$x' AND IDENTIFIED WITH 'authentication_webauthn' REQUIRE NONE",
    ['caching_sha2_password', 'authentication_webauthn'],
  ],
  [
    "CREATE USER `a`@`%` IDENTIFIED WITH 'caching_sha2_password' AS 0x244124303035 DEFAULT ROLE `WITH z`@`%` REQUIRE NONE",
    ['caching_sha2_password'],
  ],
])('%s logs in by %j', (statement, methods) => {
  expect(methodsOf(statement)).toEqual(methods);
});
