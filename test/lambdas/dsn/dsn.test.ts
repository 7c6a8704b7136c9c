import fc from 'fast-check';
import { parse as parseByPg } from 'pg-connection-string';
import { describe, expect, test } from 'vitest';
import { KeyturnError } from '../../../lambdas/contract/errors.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';
import { type Dsn, parseDsn, withCredentials } from '../../../lambdas/dsn/dsn.ts';
import { dsnOfPieces, renderKeywords, renderUrl } from '../../../lambdas/dsn/pieces.ts';
import { differences, sameTarget } from '../../../lambdas/dsn/same-target.ts';
import { libpqIsHere, readByLibpq } from './libpq.ts';

const read = (text: string) => parseDsn(new Sensitive(text));
const password = (dsn: Dsn) => dsn.password?.reveal() ?? null;
const replaced = (text: string, to: string, user?: string) =>
  withCredentials(new Sensitive(text), {
    password: new Sensitive(to),
    ...(user === undefined ? {} : { user }),
  }).reveal();
const refusal = (run: () => unknown): KeyturnError => {
  try {
    run();
  } catch (caught) {
    if (caught instanceof KeyturnError) return caught;
    throw caught;
  }
  throw new Error('it was not refused');
};

/** Passwords that hurt: every sign that some form gives a meaning to, and any text of Unicode but NUL. */
const hostile = fc.oneof(
  fc.string({
    unit: fc.constantFrom(...`'"\\ %@/:?#&=+,;[]{}|^\`~<>$!*().-_\t\n\r\v\f\x01\x7fäß€漢😀aZ09`),
    minLength: 1,
  }),
  fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !text.includes('\0')),
);

describe('what the seeds write', () => {
  test.each([
    ['exo', 'host=db user=exo dbname=exo sslmode=require', 'db:5432', 'exo', null, 'exo'],
    ['oCore', 'postgres://user:pa%2Fss@host:6543/db?sslmode=require', 'host:6543', 'user', 'pa/ss', 'db'],
    [
      'KaireonAI',
      'postgresql://user:pass@localhost:5432/kaireon',
      'localhost:5432',
      'user',
      'pass',
      'kaireon',
    ],
    ['its worker', 'postgresql://localhost:5432/kaireon', 'localhost:5432', null, null, 'kaireon'],
    ['Redis', 'rediss://default:pw@cache.example.com:6380/1', 'cache.example.com:6380', 'default', 'pw', '1'],
    ['Redis without a user', 'redis://:pw@cache', 'cache:6379', null, 'pw', null],
    ['MySQL', 'mysql://u:p%40ss@db/shop', 'db:3306', 'u', 'p@ss', 'shop'],
    ['SQLAlchemy', 'postgresql+asyncpg://u:p@db/shop', 'db:5432', 'u', 'p', 'shop'],
  ])('%s', (_whose, text, host, user, secret, database) => {
    const dsn = read(text);
    expect([
      dsn.hosts.map((each) => `${each.host}:${each.port}`).join(),
      dsn.user,
      password(dsn),
      dsn.database,
    ]).toEqual([host, user, secret, database]);
  });

  test('options are read, and kept in their order', () => {
    const text = 'postgres://u:p@h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&X-Own=1+2&flag';
    expect([...read(text).options]).toEqual([
      ['sslmode', 'verify-full'],
      ['sslrootcert', '/etc/ca.pem'],
      ['X-Own', '1+2'],
      ['flag', ''],
    ]);
    expect(replaced(text, 'n w')).toBe(
      'postgres://u:n%20w@h/d?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem&X-Own=1+2&flag',
    );
  });

  test('an IPv6 address, several hosts, a Unix socket', () => {
    expect(read('postgres://u@[2001:db8::1]:7/d').hosts).toEqual([{ host: '2001:db8::1', port: 7 }]);
    expect(read('postgres://u@a,b:7,[::1]/d').hosts).toEqual([
      { host: 'a', port: 5432 },
      { host: 'b', port: 7 },
      { host: '::1', port: 5432 },
    ]);
    expect(read('postgres://%2Fvar%2Frun/d').hosts).toEqual([{ host: '/var/run', port: 5432 }]);
    expect(read('host=a,b port=7').hosts).toEqual([
      { host: 'a', port: 7 },
      { host: 'b', port: 7 },
    ]);
  });
});

describe('writing credentials keeps everything else', () => {
  test.each([
    ['a URL', 'postgres://u:old@H.Example/d?b=1&a=%2f', 'postgres://u:new@H.Example/d?b=1&a=%2f'],
    ['no password yet', 'postgres://u@h/d', 'postgres://u:new@h/d'],
    ['nobody yet', 'redis://h/0', 'redis://:new@h/0'],
    ['a password among the options', 'postgres://h/d?password=old&x=1', 'postgres://h/d?password=new&x=1'],
    ['one in front and one behind', 'postgres://u:a@h/d?password=b', 'postgres://u:new@h/d?password=new'],
    ['an encoded name of an option', 'postgres://h/d?p%61ssword=b', 'postgres://h/d?p%61ssword=new'],
    ['a bare question mark', 'postgres://u:a@h/d?', 'postgres://u:new@h/d?'],
    ['keywords', "  host = h\tpassword='o ld'  dbname=d ", "  host = h\tpassword='new'  dbname=d "],
    ['a keyword that comes twice', 'password=a host=h password=b', 'password=new host=h password=new'],
    ['no keyword for it', 'host=h', 'password=new host=h'],
    ['an empty value at the end', 'host=h user=', 'password=new host=h user='],
    ['a backslash at the end', 'host=h dbname=d\\', 'password=new host=h dbname=d\\'],
    ['an empty password at the end', 'host=h password=', 'host=h password=new'],
  ])('%s', (_what, text, expected) => {
    expect(replaced(text, 'new')).toBe(expected);
  });

  test.each([
    ['postgres://u:p@h/d', 'postgres://v%2B:n@h/d'],
    ['postgres://h/d', 'postgres://v%2B:n@h/d'],
    ['postgres://u:p@h/d?user=w', 'postgres://v%2B:n@h/d?user=v%2B'],
    ['postgres://h/d?user=w', 'postgres://:n@h/d?user=v%2B'],
    ['host=h', 'user=v+ password=n host=h'],
  ])('another user in %s', (text, expected) => {
    expect(replaced(text, 'n', 'v+')).toBe(expected);
  });
});

describe('what cannot be read is refused, and never quoted', () => {
  test.each([
    ['two at signs', 'postgres://u:s3cr@t@h/d'],
    ['a question mark before the at sign', 'postgres://u:s3cr?t@h/d'],
    ['an at sign in an option of a URL without a path', 'postgres://h?application_name=s3cr@t'],
    ['a hash', 'postgres://u:s3cr#t@h/d'],
    ['a space', 'postgres://u:s3cr t@h/d'],
    ['a slash in the password', 'postgres://u:s3cr/t@h/d'],
    ['a bare percent sign', 'postgres://u:s3cr%t@h/d'],
    ['a NUL', 'postgres://u:s3cr%00t@h/d'],
    ['no UTF-8', 'postgres://u:s3cr%fft@h/d'],
    ['a port that is none', 'postgres://u:p@h:s3crt/d'],
    ['more ports than hosts', 'host=h port=1,2 password=s3crt'],
    ['a password with a space', 'host=h password=s3cr t'],
    ['a quote without an end', "host=h password='s3crt"],
    ['a scheme that we do not know', 'oracle://u:s3crt@h'],
    ['credentials of MySQL among the options', 'mysql://h/d?password=s3crt'],
    ['a host that comes twice', 'postgres://u:s3crt@/d?host=a&host=b'],
    ['brackets that do not match', 'postgres://u:s3crt@[::1/d'],
  ])('%s', (_what, text) => {
    for (const run of [() => read(text), () => replaced(text, 'new')]) {
      const error = refusal(run);
      expect(error.code).toBe('DocumentInvalid');
      expect(`${error.message} ${error.hint}`).not.toMatch(/s3cr/);
      expect(error.cause).toBeUndefined();
    }
  });

  test.each([
    ['empty', ''],
    ['with a NUL', 'a\0b'],
    ['with half a character', 'a\ud800'],
  ])('a new password that is %s', (_what, text) => {
    for (const dsn of ['postgres://u:p@h/d', 'host=h']) {
      expect(refusal(() => replaced(dsn, text)).code).toBe('ValueRejected');
    }
  });

  test('nothing of it can be printed', () => {
    expect(JSON.stringify(read('postgres://u:s3crt@h/d'))).not.toContain('s3crt');
  });
});

describe('the same target', () => {
  test.each([
    ['the same, written otherwise', 'postgres://u:a@H/d', 'host=h port=5432 user=u dbname=d password=b', []],
    ['a database that is named after the user', 'postgres://u@h', 'postgres://u@h/u', []],
    ['another port', 'postgres://u@h/d', 'postgres://u@h:5433/d', ['hosts']],
    ['another host', 'postgres://u@h/d', 'postgres://u@i/d', ['hosts']],
    ['another address behind the name', 'host=h', 'host=h hostaddr=192.0.2.1', ['hosts']],
    ['another service', 'host=h', 'host=h service=x', ['hosts']],
    ['hosts in another order', 'host=a,b', 'host=b,a', ['hosts']],
    ['another case of a database', 'postgres://u@h/d', 'postgres://u@h/D', ['database']],
    ['another user', 'postgres://u@h/d', 'postgres://v@h/d', ['user']],
    ['another engine', 'postgres://u@h:1/d', 'mysql://u@h:1/d', ['engine']],
    ['Redis by its default number', 'redis://h', 'redis://h/0', []],
    ['the database by the option', 'postgres://u@h/x?dbname=d', 'postgres://u@h/d', []],
  ])('%s', (_what, a, b, expected) => {
    expect(differences(read(a), read(b))).toEqual(expected);
    expect(sameTarget(read(a), read(b))).toBe(expected.length === 0);
  });

  test('two users that alternate are the same target', () => {
    expect(sameTarget(read('postgres://u@h/d'), read('postgres://v@h/d'), true)).toBe(true);
    // Where the database is named after the user it alternates as well, and is another one.
    expect(sameTarget(read('postgres://u@h'), read('postgres://v@h'), true)).toBe(false);
  });
});

const shapes = [
  'postgresql://old:old@db.example.com:5433/shop?sslmode=verify-full&application_name=x',
  'postgres://old@[2001:db8::7]:5433/shop?connect_timeout=5',
  "host=db.example.com port = 5433 user='old' password=old dbname=shop sslmode=verify-full",
  "dbname='sh op' host=db.example.com",
];

describe('hostile credentials', () => {
  test.each([...shapes, 'mysql://old:old@h/shop', 'rediss://h:1/0'])('%s, read back', (shape) => {
    fc.assert(
      fc.property(hostile, hostile, (user, secret) => {
        const text = replaced(shape, secret, user);
        const dsn = read(text);
        expect([dsn.user, password(dsn)]).toEqual([user, secret]);
        expect({ ...dsn, user: null, password: null }).toEqual({
          ...read(shape),
          user: null,
          password: null,
        });
        // Writing back what was there gives the same bytes but for the credentials' own quoting.
        expect(replaced(text, secret, user)).toBe(text);
      }),
    );
  });

  test('a URL, read by WHATWG and by pg', () => {
    fc.assert(
      fc.property(fc.constantFrom(...shapes.slice(0, 2)), hostile, hostile, (shape, user, secret) => {
        const text = replaced(shape, secret, user);
        const url = new URL(text);
        expect([decodeURIComponent(url.username), decodeURIComponent(url.password)]).toEqual([user, secret]);
        expect(url.search).toBe(new URL(shape).search);
        const byPg = parseByPg(text.replace('sslmode=verify-full&', ''));
        expect([byPg.user, byPg.password, byPg.port, byPg.database]).toEqual([user, secret, '5433', 'shop']);
      }),
    );
  });

  test.skipIf(!libpqIsHere)('every form of PostgreSQL, read by libpq', () => {
    const cases = fc.sample(fc.tuple(fc.constantFrom(...shapes), hostile, hostile), 600);
    const texts = cases.map(([shape, user, secret]) => replaced(shape, secret, user));
    const answers = readByLibpq(texts) ?? [];
    const before = readByLibpq(shapes) ?? [];
    expect(answers).toEqual(
      cases.map(([shape, user, secret]) => ({ ...before[shapes.indexOf(shape)], user, password: secret })),
    );
  });

  test.skipIf(!libpqIsHere)('what libpq makes of any line of keywords is what we make of it', () => {
    const word = fc.constantFrom('host', 'user', 'password', 'dbname', 'sslmode', 'application_name');
    const sign = fc.constantFrom('=', ' = ', '= ', '\t=\n');
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."ab'\\ =@\t\n"), maxLength: 6 }),
      fc.string({ unit: fc.constantFrom(..."ab\\' ="), maxLength: 6 }).map((text) => `'${text}'`),
    );
    const gap = fc.constantFrom(' ', '\n', '  ', '');
    const line = fc
      .array(fc.tuple(word, sign, value, gap), { maxLength: 4 })
      .map((settings) => settings.map((parts) => parts.join('')).join(''));
    const lines = fc.sample(line, 1500);
    const answers = readByLibpq(lines) ?? [];
    let accepted = 0;
    for (const [index, text] of lines.entries()) {
      const answer = answers[index];
      if (answer === null || answer === undefined) {
        // libpq refuses unknown keywords as well, which we keep.
        continue;
      }
      accepted += 1;
      const dsn = read(text);
      const { user = '', password: secret = '', dbname = '', host = '', ...others } = answer;
      expect({
        text,
        user: dsn.user,
        secret: password(dsn),
        dbname: dsn.database,
        host: dsn.hosts[0].host,
      }).toEqual({
        text,
        user: user || null,
        secret: secret || null,
        dbname: dbname || null,
        host: host || null,
      });
      expect([...dsn.options].sort()).toEqual(Object.entries(others).sort());
    }
    expect(accepted).toBeGreaterThan(300);
  });
});

describe('pieces in variables of their own', () => {
  const pieces = { host: 'db', port: '', user: 'crew', password: new Sensitive('p w@'), database: 'wharf' };

  test('make a URL, and libpq’s form', () => {
    const dsn = dsnOfPieces('postgres', pieces);
    expect(renderUrl('postgres', dsn).reveal()).toBe('postgres://crew:p%20w%40@db:5432/wharf');
    expect(renderKeywords(dsn).reveal()).toBe("host=db port=5432 user=crew password='p w@' dbname=wharf");
    const six = {
      ...dsn,
      hosts: [{ host: 'fe80::1%eth0', port: 1 }] as const,
      options: new Map([['a', 'b c']]),
    };
    expect(renderUrl('postgres', six).reveal()).toBe(
      'postgres://crew:p%20w%40@[fe80::1%25eth0]:1/wharf?a=b%20c',
    );
    expect(refusal(() => renderUrl('oracle', dsn)).code).toBe('DocumentInvalid');
  });

  test('what is rendered is read back, whatever the credentials', () => {
    fc.assert(
      fc.property(hostile, hostile, hostile, (user, secret, database) => {
        const dsn = dsnOfPieces('postgres', { ...pieces, user, password: new Sensitive(secret), database });
        for (const text of [renderUrl('postgresql', dsn), renderKeywords(dsn)]) {
          const back = parseDsn(text);
          expect([back.user, password(back), back.database, back.hosts]).toEqual([
            user,
            secret,
            database,
            dsn.hosts,
          ]);
        }
      }),
    );
  });
});
