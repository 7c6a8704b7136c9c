import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { secretClass } from '../../../lambdas/classes/database-credential.ts';
import { type Memory, SecretDocument } from '../../../lambdas/contract/document.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { administrator, FakeServer } from './fake-server.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const options = { dsn: 'DATABASE_URL' };
const url = (password: string, rest = '@db.example.com/shop') => `postgres://app:${password}${rest}`;
const documentOf = (variables: Readonly<Record<string, string>>) =>
  new SecretDocument(new Map(Object.entries(variables)), null);
const holding = (password: string, rest?: string) => documentOf({ DATABASE_URL: url(password, rest) });

const memory: Memory = { schema: 1, class: 'database-credential', base: null };
const rdsProxy =
  'options.rdsProxy must say usersRegistered: RDS Proxy lets in only users that a secret of their own is registered for, and with alternating users one secret holds them in turn. Register both, or take the strategy single-user.';

async function* listed(documents: readonly SecretDocument[]) {
  yield* documents;
}
const set = (server: FakeServer, earlier: readonly SecretDocument[] = [], pending = holding('pending')) =>
  secretClass
    .bind(options, server.ports)
    .set?.({ document: pending, current: holding('current'), earlier: () => listed(earlier) });
const tried = (server: FakeServer) => server.logins.map(({ password }) => password);

describe('create', () => {
  test('writes one new password wherever it belongs, and keeps the rest', async () => {
    const bound = secretClass.bind({
      pieces: { password: 'DB_PASSWORD', user: 'DB_USER' },
      fixed: { host: 'db', database: 'crew' },
      copies: ['WHARF_POSTGRES_URL'],
    });
    const current = documentOf({
      DB_PASSWORD: 'o@d',
      DB_USER: 'crew',
      WHARF_POSTGRES_URL: 'postgres://crew:o%40d@db:5432/wharf',
    });
    const made = await bound.create({ current, supplied: null, random });
    const password = made.get('DB_PASSWORD') ?? '';
    expect([...made.keys()]).toEqual(['DB_PASSWORD', 'WHARF_POSTGRES_URL']);
    expect(password).toMatch(/^[A-Za-z0-9]{40}$/);
    expect(made.get('WHARF_POSTGRES_URL')).toBe(`postgres://crew:${password}@db:5432/wharf`);
  });
});

describe('set', () => {
  test('the current password lets us in and is replaced; nobody is refused', async () => {
    const server = new FakeServer({ app: 'current' });
    await set(server);
    expect([server.passwords.get('app'), tried(server), server.open]).toEqual(['pending', ['current'], 0]);
  });

  test('twice does no harm, and changes nothing the second time', async () => {
    const server = new FakeServer({ app: 'current' });
    await set(server);
    server.logins.length = 0;
    server.faults.push({ at: 'before-change', code: 'Internal' });
    await set(server);
    expect([server.passwords.get('app'), tried(server), server.open]).toEqual([
      'pending',
      ['current', 'pending'],
      0,
    ]);
  });

  test('a rotation that was cancelled after set: an earlier version still lets us in', async () => {
    const server = new FakeServer({ app: 'lost' });
    await set(server, [
      documentOf({ DATABASE_URL: 'no connection string' }),
      holding('older'),
      holding('lost'),
    ]);
    expect(tried(server)).toEqual(['current', 'pending', 'older', 'lost']);
    expect(server.passwords.get('app')).toBe('pending');
  });

  test('each password is tried once, and an earlier version that leads elsewhere never', async () => {
    const server = new FakeServer({ app: 'nobody knows' });
    const elsewhere = holding('elsewhere', '@evil.example.com/shop');
    await expect(set(server, [holding('current'), elsewhere, holding('older')])).rejects.toMatchObject({
      code: 'CredentialRejected',
      message: 'The server lets app in with none of the 3 passwords that the secret holds.',
    });
    expect(tried(server)).toEqual(['current', 'pending', 'older']);
  });

  test.each([
    ['another host', '@evil.example.com/shop', 'hosts'],
    ['another port', '@db.example.com:5433/shop', 'hosts'],
    ['another database', '@db.example.com/other', 'database'],
  ])('a pending value that leads to %s is refused before anybody is called', async (_what, rest, part) => {
    const server = new FakeServer({ app: 'current' });
    await expect(set(server, [], holding('pending', rest))).rejects.toMatchObject({
      code: 'ValueRejected',
      message: `The pending value must lead where the current one leads; its ${part} differ.`,
    });
    expect(server.logins).toEqual([]);
  });

  test('another user as well', async () => {
    const server = new FakeServer({ app: 'current' });
    const other = documentOf({ DATABASE_URL: 'postgres://root:pending@db.example.com/shop' });
    await expect(set(server, [], other)).rejects.toMatchObject({ code: 'ValueRejected' });
    expect(server.logins).toEqual([]);
  });

  test.each(['TargetUnreachable', 'TargetFull', 'TargetTlsFailed', 'DatabaseMissing'] as const)(
    'after %s no other password is tried',
    async (code) => {
      const server = new FakeServer({ app: 'current' });
      server.faults.push({ at: 'login', code });
      await expect(set(server)).rejects.toMatchObject({ code });
      expect(tried(server)).toEqual(['current']);
    },
  );

  test.each(['before-change', 'after-change'] as const)(
    'a connection that is lost %s: the next try finds its way, and no session stays open',
    async (at) => {
      const server = new FakeServer({ app: 'current' });
      server.faults.push({ at, code: 'TargetUnreachable' });
      await expect(set(server)).rejects.toMatchObject({ code: 'TargetUnreachable' });
      expect(server.open).toBe(0);
      await set(server);
      expect([server.passwords.get('app'), server.open]).toEqual(['pending', 0]);
    },
  );
});

describe('test', () => {
  const bound = (server: FakeServer) =>
    secretClass.bind(
      { ...options, tables: [{ table: 'orders', rights: ['SELECT', 'INSERT'] }] },
      server.ports,
    );

  test('logs in once, and asks for every right', async () => {
    const server = new FakeServer({ app: 'right' });
    server.granted.add('orders SELECT');
    await expect(bound(server).test(holding('right'))).rejects.toMatchObject({
      code: 'PrivilegeMissing',
      message: 'The user must have every right that options.tables names; it lacks INSERT on orders.',
    });
    server.granted.add('orders INSERT');
    await bound(server).test(holding('right'));
    expect([server.logins.length, server.open]).toEqual([2, 0]);
  });

  test('a password that does not work', async () => {
    const server = new FakeServer({ app: 'right' });
    await expect(bound(server).test(holding('wrong'))).rejects.toMatchObject({ code: 'CredentialRejected' });
  });

  test('a function without a way to a target says so', async () => {
    await expect(secretClass.bind(options).test(holding('right'))).rejects.toMatchObject({
      code: 'Internal',
    });
  });
});

describe('two users that take turns', () => {
  const admin = { user: administrator.user, password: { secret: 'admin', member: 'password' } };
  const pair = { users: ['app_a', 'app_b'], owner: 'app_owner', admin };
  const of = (user: string, password: string, rest = '@db.example.com/shop') =>
    documentOf({ DATABASE_URL: `postgres://${user}:${password}${rest}` });
  const setting = (
    server: FakeServer,
    { pending = of('app_b', 'pending'), current = of('app_a', 'current'), more = {} } = {},
  ) =>
    secretClass
      .bind({ ...options, ...pair, ...more }, server.ports)
      .set?.({ document: pending, current, earlier: () => listed([]) });

  test('are what a deployment gets that names them and an administrator', () => {
    expect(secretClass.way({ ...options, ...pair })).toEqual({
      plan: 'second-credential',
      cutover: false,
      restorable: true,
    });
    expect(secretClass.way(options)).toEqual({
      plan: 'redeploy-and-prove',
      cutover: true,
      restorable: false,
    });
    expect(secretClass.way({ ...options, engine: 'mysql', strategy: 'dual-password' }).plan).toBe(
      'second-credential',
    );
    const credentials = (given: object) => secretClass.credentials({ ...options, ...pair, admin: given });
    const one = {
      secret: 'admin',
      member: 'password',
      kmsKey: 'arn:aws:kms:eu-west-1:111122223333:key/admin',
    };
    expect(credentials({ user: one, password: one })).toEqual([one, one]);
    expect(credentials({ dsn: one })).toEqual([one]);
    expect(secretClass.credentials(options)).toEqual([]);
  });

  test('create writes the other user wherever the user is', async () => {
    const bound = secretClass.bind({
      ...pair,
      pieces: { password: 'DB_PASSWORD', user: 'DB_USER', database: 'DB_NAME' },
      fixed: { host: 'db' },
      copies: ['COPY'],
    });
    const current = documentOf({
      DB_PASSWORD: 'word',
      DB_USER: 'app_a',
      DB_NAME: 'shop',
      COPY: 'postgres://app_a:word@db:5432/other?sslmode=require',
    });
    const made = await bound.create({ current, supplied: null, random });
    expect([...made.keys()]).toEqual(['DB_PASSWORD', 'DB_USER', 'COPY']);
    expect(made.get('DB_USER')).toBe('app_b');
    expect(made.get('COPY')).toBe(
      `postgres://app_b:${made.get('DB_PASSWORD')}@db:5432/other?sslmode=require`,
    );
    expect(bound.variables()).toEqual(['DB_PASSWORD', 'DB_USER', 'COPY']);
    const back = await bound.create({ current: current.with(made, memory), supplied: null, random });
    expect(back.get('DB_USER')).toBe('app_a');
  });

  test.each([
    [
      'a user that is none of the two',
      of('root', 'word'),
      'The user of the secret must be one of options.users (app_a, app_b); it is root.',
    ],
    [
      'no database',
      of('app_a', 'word', '@db.example.com'),
      'The credential in DATABASE_URL must name its database: without one, each of two users is led to another.',
    ],
  ])('%s is refused', async (_what, current, message) => {
    const bound = secretClass.bind({ ...options, ...pair });
    await expect(bound.create({ current, supplied: null, random })).rejects.toMatchObject({
      code: 'DocumentInvalid',
      message,
    });
  });

  test('set has the administrator prepare the user that is not in use, in every database, its own last', async () => {
    const server = new FakeServer({ app_a: 'current' });
    const url = (user: string, password: string, place: string) => `postgres://${user}:${password}@${place}`;
    const document = (user: string, password: string) =>
      documentOf({
        DATABASE_URL: url(user, password, 'db.example.com/shop'),
        WHARF: url(user, password, 'DB.example.com:5432/wharf'),
        ELSEWHERE: url(user, password, 'replica.example.com/shop2'),
      });
    await setting(server, {
      pending: document('app_b', 'pending'),
      current: document('app_a', 'current'),
      more: { copies: ['WHARF', 'ELSEWHERE'] },
    });
    const prepared = { user: 'app_b', other: 'app_a', owner: 'app_owner', databases: ['wharf', 'shop'] };
    expect(server.pairs).toEqual([prepared, prepared]);
    expect(server.logins.map(({ user }) => user)).toEqual(['administrator', 'administrator']);
    expect([server.passwords.get('app_a'), server.passwords.get('app_b'), server.open]).toEqual([
      'current',
      'pending',
      0,
    ]);
  });

  test.each([
    ['the user that is in use', of('app_a', 'pending')],
    ['a third user', of('root', 'pending')],
    ['another server', of('app_b', 'pending', '@evil.example.com/shop')],
  ])('a pending value of %s is refused before anybody is called', async (_what, pending) => {
    const server = new FakeServer({ app_a: 'current' });
    await expect(setting(server, { pending })).rejects.toMatchObject({ code: 'ValueRejected' });
    expect(server.logins).toEqual([]);
  });

  test('an administrator who is not let in is told apart from the credential', async () => {
    const server = new FakeServer({ app_a: 'current' });
    const ports = { ...server.ports, credential: async () => new Sensitive('wrong') };
    const set = secretClass.bind({ ...options, ...pair }, ports).set?.({
      document: of('app_b', 'pending'),
      current: of('app_a', 'current'),
      earlier: () => listed([]),
    });
    await expect(set).rejects.toMatchObject({
      code: 'AdministratorRejected',
      message:
        'The server does not let the administrator administrator in with the password that options.admin leads to.',
    });
    expect(server.logins).toHaveLength(1);
  });

  test.each([
    ['user', { user: 'app_b', password: admin.password }],
    ['connection string', { dsn: { secret: 'admin', member: 'url' } }],
  ])('an administrator who is one of the two is refused, named by a %s', async (_what, given) => {
    const server = new FakeServer({ app_a: 'current' });
    const ports = {
      ...server.ports,
      credential: async () => new Sensitive('postgres://app_b:word@elsewhere/x'),
    };
    const set = secretClass.bind({ ...options, ...pair, admin: given }, ports).set?.({
      document: of('app_b', 'pending'),
      current: of('app_a', 'current'),
      earlier: () => listed([]),
    });
    await expect(set).rejects.toMatchObject({ code: 'AdministratorRejected' });
    expect(server.logins).toEqual([]);
  });

  test.each([
    [{ ...pair, owner: undefined }, 'options.owner must name the role that both users belong to.'],
    [
      { ...pair, admin: undefined },
      'options.users is of the strategy alternating-users, which needs options.admin, too.',
    ],
    [{ strategy: 'alternating-users' }, 'options.users must name the two users that take turns.'],
    [{ ...pair, users: ['a', 'a'] }, 'options.users and options.owner must be three names.'],
    [{ ...pair, users: ['a', 'app_owner'] }, 'options.users and options.owner must be three names.'],
    [
      { strategy: 'dual-password' },
      'options.strategy must be one that postgres has; received "dual-password".',
    ],
    [
      { ...pair, dsn: undefined, pieces: { password: 'P', host: 'H' }, fixed: { user: 'app_a' } },
      'options.pieces must name the variable of the user, which changes with every rotation; options.fixed holds one that cannot change.',
    ],
    [{ ...pair, rdsProxy: true }, rdsProxy],
    [
      { ...pair, engine: 'mysql' },
      'options.owner is of postgres: at MySQL and MariaDB nobody owns a table, and both users are granted the same.',
    ],
    [{ ...pair, engine: 'mysql', owner: undefined, users: ['a', 'a'] }, 'options.users must be two names.'],
    [
      { engine: 'mysql', tables: [{ table: 'orders', rights: ['SELECT', 'TRUNCATE'] }] },
      'options.tables must name rights that mysql has; TRUNCATE is none there: it takes DROP.',
    ],
    [
      { engine: 'mysql', format: { encoding: 'alphanumeric', length: 256 } },
      'options.format must make at most 255 characters for mysql; it makes 256.',
    ],
    [{ ...pair, rdsProxy: { usersRegistered: false } }, rdsProxy],
  ])('options are refused: %j', (changes, sentence) => {
    expect(secretClass.parse({ ...options, ...changes })).toEqual({ ok: false, broken: [sentence] });
  });

  test('MySQL takes a pair without an owner, and passwords as they are made by default', () => {
    expect(secretClass.parse({ ...options, ...pair, engine: 'mysql', owner: undefined }).ok).toBe(true);
  });

  test('RDS Proxy with both users registered, or with one user, is fine', () => {
    expect(secretClass.parse({ ...options, ...pair, rdsProxy: { usersRegistered: true } }).ok).toBe(true);
    expect(secretClass.parse({ ...options, rdsProxy: true }).ok).toBe(true);
  });
});

describe('one user with two passwords', () => {
  const dual = { dsn: 'DATABASE_URL', engine: 'mysql', strategy: 'dual-password' };
  const mysql = (password: string) =>
    documentOf({ DATABASE_URL: `mysql://app:${password}@db.example.com/shop` });
  const documents = { document: mysql('pending'), current: mysql('current'), earlier: () => listed([]) };

  test('both work until the old one is dropped, and a second try adds nothing', async () => {
    const server = new FakeServer({ app: 'current' });
    const bound = secretClass.bind(dual, server.ports);
    expect(await bound.set?.(documents)).toBe('changed');
    expect(await bound.set?.(documents)).toBe('found');
    expect([server.accepts('app', 'current'), server.accepts('app', 'pending')]).toEqual([true, true]);
    server.sessions = [
      { user: 'app', by: 'old', openedAt: new Date(1_000) },
      { user: 'app', by: 'new', openedAt: new Date(3_000) },
    ];
    const since = { at: new Date(2_000), mark: null };
    const old = { document: documents.document, old: documents.current, since };
    expect(await bound.oldValue?.uses(old)).toEqual([{ by: 'old', sessions: 1 }]);
    await bound.oldValue?.endUses(old);
    expect(server.sessions.map(({ by }) => by)).toEqual(['new']);
    await bound.oldValue?.disable(old);
    expect([server.accepts('app', 'current'), server.accepts('app', 'pending'), server.open]).toEqual([
      false,
      true,
      0,
    ]);
  });
});

test('a single user leaves no old value to take away', async () => {
  const bound = secretClass.bind(options, new FakeServer({}).ports);
  expect(() => bound.oldValue?.patienceMinutes()).toThrow(
    'The strategy single-user leaves no old value at the server',
  );
});
