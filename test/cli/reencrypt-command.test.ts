/** `keyturn reencrypt` as a person types it: words in; sentences, progress and exit codes out; rows in PostgreSQL. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from '../../bin/cli/run.ts';
import { operator } from '../../lambdas/adapters/aws/operator.ts';
import { codec as fernet } from '../../lambdas/ciphers/fernet.ts';
import { keyId } from '../../lambdas/contract/ciphers.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { type Account, startAccount } from '../../lib/rehearsal/endpoint/account.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import { injected, type Run, spawned } from './account-world.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const fernetKey = (byte: number) => `${Buffer.alloc(32, byte).toString('base64url')}=`;
const [oldKey, newKey, lostKey] = [fernetKey(1), fernetKey(2), fernetKey(9)];
const idOf = (text: string) => keyId(new Sensitive(text));

function seal(key: string, plain: string): string {
  const ring = { write: { id: idOf(key), text: new Sensitive(key) }, others: [] };
  return String(fernet.bind({}, ring, random, { now: () => new Date() }).seal(Buffer.from(plain), {}));
}

let folder: string;
let file: string;
let database: Postgres;
let account: Account;
let admin: Client;
const printed: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keyturn-reencrypt-'));
  file = join(folder, 'deployment.json');
  [database, account] = await Promise.all([startPostgres(), startAccount()]);
  writeFileSync(file, JSON.stringify(deployment(database.ca ?? '')));
  const person = operator({
    region: 'us-east-1',
    endpoint: account.url,
    credentials: { accessKeyId: 'operator', secretAccessKey: 'operator' },
  });
  const texts = {
    'ocore/jwt': { JWT_SECRET: 'a-signing-key-that-encrypts-nothing' },
    'ocore/sweeper': { DATABASE_URL: database.url('postgres') },
    'ocore/store-key': { STORE_KEY: newKey, STORE_KEYS_BEFORE: oldKey },
  };
  for (const [name, text] of Object.entries(texts)) {
    await person.create(name, new Sensitive(JSON.stringify(text)));
  }
  admin = new Client({ connectionString: database.url('postgres'), ssl: { ca: database.ca ?? '' } });
  await admin.connect();
});

afterAll(async () => {
  await admin?.end();
  await account?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Five rows under the old key, one under the new one; the server knows how many there are. */
beforeEach(async () => {
  await admin.query('CREATE TABLE credentials (id integer PRIMARY KEY, sealed text NOT NULL)');
  for (let id = 1; id <= 6; id += 1) {
    await add(id, seal(id === 6 ? newKey : oldKey, `plain credential ${id}`));
  }
  await admin.query('ANALYZE credentials');
});

afterEach(() => admin.query('DROP TABLE credentials'));

const add = (id: number, sealed: string) =>
  admin.query('INSERT INTO credentials VALUES ($1, $2)', [id, sealed]);

async function rows(): Promise<string[]> {
  const { rows: all } = await admin.query('SELECT sealed FROM credentials ORDER BY id');
  return all.map(({ sealed }) => sealed);
}

/** oCore's example, with a key of stored data alone. */
function deployment(ca: string): object {
  const example = JSON.parse(readFileSync(new URL('../../lib/examples/ocore.json', import.meta.url), 'utf8'));
  return {
    ...example,
    secrets: {
      JWT_SECRET: example.secrets.JWT_SECRET,
      STORE_KEY: {
        class: 'encryption-keyring',
        source: { create: { name: 'ocore/store-key' } },
        options: { variable: 'STORE_KEY', accepted: 'STORE_KEYS_BEFORE', format: { encoding: 'fernet' } },
        consumers: ['backend'],
        reencrypt: [
          {
            kind: 'postgres',
            connection: { secret: 'ocore/sweeper', member: 'DATABASE_URL' },
            tls: { ca },
            // One row a page: the first word on the progress comes after the first row.
            batch: 1,
            columns: [{ table: 'credentials', column: 'sealed', codec: { id: 'fernet' } }],
          },
        ],
      },
    },
  };
}

const common = () => ['--deployment', file, '--endpoint', account.url];

/** @param tty whether it is typed on a terminal; else into a pipe */
async function reencrypt(words: readonly string[], tty = false): Promise<Run> {
  const { terminal, stdout, stderr } = injected(Readable.from([]), tty);
  const code = await runCli(['reencrypt', ...words, ...common()], terminal);
  const run = { code, stdout: stdout(), stderr: stderr() };
  printed.push(run.stdout, run.stderr);
  return run;
}

const target = 'credentials.sealed';

describe('keyturn reencrypt', () => {
  test('--dry-run counts the rows under each key, ends with 1 and changes nothing', async () => {
    const before = await rows();
    const run = await reencrypt(['STORE_KEY', '--dry-run']);
    expect(run.code).toBe(1);
    const [counts, ...more] = run.stdout.split('\n');
    expect(counts).toBe(
      `  ${target}: 6 in all, 0 moved, 5 left, 0 unreadable, 5 under ${idOf(oldKey)}, 1 under ${idOf(newKey)}`,
    );
    expect(more.slice(-2)).toEqual(['5 would be moved or cannot be read.', '']);
    expect(await rows()).toEqual(before);
  });

  test('--verify finds what is left, and after the move nothing', async () => {
    const before = await rows();
    const found = await reencrypt(['STORE_KEY', '--verify']);
    expect(found.code).toBe(1);
    expect(found.stdout).toContain('5 still need another key.');
    expect(await rows()).toEqual(before);

    const moved = await reencrypt(['STORE_KEY']);
    expect(moved.code).toBe(0);
    const lines = moved.stdout.split('\n');
    expect(lines[0]).toBe(`  ${target}: 6 in all, 5 moved, 0 left, 0 unreadable`);
    expect(lines.slice(-2)).toEqual([`Nothing needs another key than ${idOf(newKey)}.`, '']);
    const verified = await reencrypt(['STORE_KEY', '--verify']);
    expect(verified.code).toBe(0);
    expect(verified.stdout).toContain(`0 left, 0 unreadable, 6 under ${idOf(newKey)}\n`);
    expect(verified.stdout).not.toContain(idOf(oldKey));
  });

  test('ends with 1 when a row cannot be read, and names it', async () => {
    await add(7, seal(lostKey, 'plain credential 7'));
    const run = await reencrypt(['STORE_KEY']);
    expect(run.code).toBe(1);
    expect(run.stdout).toContain('7 in all, 5 moved, 1 left, 1 unreadable');
    expect(run.stdout).toContain(`Set aside:\n  --target ${target} --row 7 (unknown-key)\n`);
    expect(run.stdout).toContain('keyturn acknowledge STORE_KEY');
  });

  test.each([[[]], [['--json']]])('--dry-run beside --verify is refused with 2 (%j)', async (more) => {
    const before = await rows();
    const run = await reencrypt(['STORE_KEY', '--dry-run', '--verify', ...more]);
    expect(run.code).toBe(2);
    expect(`${run.stdout}${run.stderr}`).toContain('reencrypt takes --dry-run or --verify, not both.');
    expect(await rows()).toEqual(before);
  });

  test('is refused with 1 for a secret that encrypts nothing', async () => {
    const run = await reencrypt(['JWT_SECRET', '--verify']);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('No data that Keyturn could move is encrypted under JWT_SECRET.');
  });

  test('--json prints what was counted, and nothing else on stdout', async () => {
    const run = await reencrypt(['STORE_KEY', '--dry-run', '--json']);
    expect(run.code).toBe(1);
    expect(JSON.parse(run.stdout)).toMatchObject({
      secret: 'STORE_KEY',
      work: 'dry-run',
      writeKey: idOf(newKey),
      otherKeys: [idOf(oldKey)],
      targets: [
        { target, total: 6, moved: 0, left: 5, poisoned: 0, under: { [idOf(oldKey)]: 5, [idOf(newKey)]: 1 } },
      ],
      setAside: [],
      left: 5,
    });
  });
});

describe('the progress of keyturn reencrypt', () => {
  /** What a terminal was drawn, line by line. */
  const drawings = (stderr: string) => stripVTControlCharacters(stderr).split('\n').slice(0, -1);

  test('is a bar on a terminal that changes in place, and is full at the end', async () => {
    const { code, stderr, stdout } = await reencrypt(['STORE_KEY'], true);
    expect(code).toBe(0);
    const drawn = drawings(stderr);
    expect(drawn[0]).toMatch(
      /^STORE_KEY, move {2}\[██░{10}\] {2}16 % {2}(\d+ s to go, )?1 of 6 rows, 5 left/,
    );
    expect(drawn.at(-1)).toMatch(/^STORE_KEY, move {2}\[█{12}\] 100 % {2}6 of 6 rows, 0 left, \d+ rows\/s$/);
    expect(stderr.split('\u001b[1F\u001b[J')).toHaveLength(drawn.length);
    expect(stdout).not.toContain('█');
  });

  test('comes to the end for a look, too, whose rows stay left', async () => {
    const { code, stderr } = await reencrypt(['STORE_KEY', '--verify'], true);
    expect(code).toBe(1);
    const drawn = drawings(stderr);
    expect(drawn[0]).toMatch(
      /^STORE_KEY, verify {2}\[██░{10}\] {2}16 % {2}(\d+ s to go, )?1 of 6 rows, 6 left/,
    );
    expect(drawn.at(-1)).toMatch(/^STORE_KEY, verify {2}\[█{12}\] 100 % {2}6 of 6 rows, 5 left/);
  });

  test('is plain lines in a pipe of a process of its own', async () => {
    const run = await spawned(['reencrypt', 'STORE_KEY', ...common()], '');
    printed.push(run.stdout, run.stderr);
    expect(run.code).toBe(0);
    expect(run.stderr).not.toContain('\u001b');
    expect(run.stderr).not.toMatch(/[█░]/);
    const lines = run.stderr.split('\n').slice(0, -1);
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line).toMatch(/^ +\d+\.\d s {2}STORE_KEY, move: credentials\.sealed: /);
    expect(lines[0]).toContain(`${target}: 1 moved, 5 left of 6`);
    expect(lines.at(-1)).toMatch(/: 5 moved, 0 left of 6, \d+ rows\/s$/);
  });
});

test('no output holds a key, a password or what was encrypted', async () => {
  expect(printed.length).toBeGreaterThan(20);
  const stored = await rows();
  const secrets = [oldKey, newKey, lostKey, database.password, 'plain credential', ...stored];
  for (const text of printed) {
    for (const secret of secrets) expect(text.includes(secret)).toBe(false);
    // The beginning that every Fernet token has.
    expect(text).not.toContain('gAAAA');
  }
});
