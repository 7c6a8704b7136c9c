import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { secretClass } from '../../../lambdas/classes/database-credential.ts';
import { SecretDocument } from '../../../lambdas/contract/document.ts';
import { FakeServer } from './fake-server.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const options = { dsn: 'DATABASE_URL' };
const url = (password: string, rest = '@db.example.com/shop') => `postgres://app:${password}${rest}`;
const documentOf = (variables: Readonly<Record<string, string>>) =>
  new SecretDocument(new Map(Object.entries(variables)), null);
const holding = (password: string, rest?: string) => documentOf({ DATABASE_URL: url(password, rest) });

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
  test('the current password lets us in and is replaced, after the pending one was tried', async () => {
    const server = new FakeServer({ app: 'current' });
    await set(server);
    expect([server.passwords.get('app'), tried(server), server.open]).toEqual([
      'pending',
      ['pending', 'current'],
      0,
    ]);
  });

  test('twice does no harm, and changes nothing the second time', async () => {
    const server = new FakeServer({ app: 'current' });
    await set(server);
    server.logins.length = 0;
    server.faults.push({ at: 'before-change', code: 'Internal' });
    await set(server);
    expect([server.passwords.get('app'), tried(server), server.open]).toEqual(['pending', ['pending'], 0]);
  });

  test('a rotation that was cancelled after set: an earlier version still lets us in', async () => {
    const server = new FakeServer({ app: 'lost' });
    await set(server, [
      documentOf({ DATABASE_URL: 'no connection string' }),
      holding('older'),
      holding('lost'),
    ]);
    expect(tried(server)).toEqual(['pending', 'current', 'older', 'lost']);
    expect(server.passwords.get('app')).toBe('pending');
  });

  test('each password is tried once, and an earlier version that leads elsewhere never', async () => {
    const server = new FakeServer({ app: 'nobody knows' });
    const elsewhere = holding('elsewhere', '@evil.example.com/shop');
    await expect(set(server, [holding('current'), elsewhere, holding('older')])).rejects.toMatchObject({
      code: 'CredentialRejected',
      message: 'The server lets app in with none of the 3 passwords that the secret holds.',
    });
    expect(tried(server)).toEqual(['pending', 'current', 'older']);
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
      expect(tried(server)).toEqual(['pending']);
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
