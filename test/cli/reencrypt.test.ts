/** `reencrypt` and `acknowledge`: rows in a real PostgreSQL, and what an operator may do with them, and when. */
import { createHash, randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { server as sweepServer } from '../../lambdas/adapters/reencrypt/postgres.ts';
import { codec } from '../../lambdas/ciphers/aes-256-gcm.ts';
import { type KeyRing, keyId } from '../../lambdas/contract/ciphers.ts';
import { type Phase, SecretDocument } from '../../lambdas/contract/document.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { rowId, type SliceReport } from '../../lambdas/contract/reencryption.ts';
import { notBegun, type RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { hook } from '../../lambdas/hooks/reencrypt/postgres.ts';
import { acknowledge, prepareAcknowledgement } from '../../lib/operations/acknowledge.ts';
import { reencrypt, type Work } from '../../lib/operations/reencrypt.ts';
import type { Subject } from '../../lib/operations/subject.ts';
import { type Postgres, startPostgres } from '../../lib/rehearsal/postgres.ts';
import { now, overview, subject } from './sightings.ts';

const random = { bytes: (count: number) => randomBytes(count) };
const [oldText, newText] = ['an-old-key-of-more-than-32-characters', 'a-new-key-of-more-than-32-characters!'];
const stored = (text: string) => ({ id: keyId(new Sensitive(text)), text: new Sensitive(text) });

let server: Postgres;
let admin: Client;
beforeAll(async () => {
  server = await startPostgres();
  admin = new Client({ connectionString: server.url('postgres'), ssl: { ca: server.ca ?? '' } });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await server?.stop();
});

/** oCore's example, with the database of this test. */
function about(extra: object = {}): Subject {
  const example = subject('SSH_ENCRYPTION_KEY', 'ocore-encryption');
  const reencryptions = example.secret.reencryptions.map((one) => ({
    ...one,
    members: { ...one.members, tls: { ca: server.ca ?? '' }, ...extra },
  }));
  return { ...example, secret: { ...example.secret, reencryptions } };
}

const options = {
  nonceBytes: 12,
  additionalData: 'none' as const,
  layout: [{ encoding: 'raw' as const, fields: ['nonce' as const, 'ciphertext' as const, 'tag' as const] }],
  key: {
    kind: 'hkdf' as const,
    text: 'utf8' as const,
    hash: 'sha256' as const,
    salt: 'ocore',
    info: 'ssh-credentials',
  },
};
const cipher = (text: string) => {
  const ring: KeyRing = { write: stored(text), others: [] };
  return codec.bind(options, ring, random, { now: () => now });
};

beforeEach(async () => {
  await admin.query('DROP TABLE IF EXISTS ssh_credentials');
  await admin.query('CREATE TABLE ssh_credentials (id text PRIMARY KEY, credential bytea NOT NULL)');
  for (let n = 1; n <= 12; n += 1) {
    await admin.query('INSERT INTO ssh_credentials VALUES ($1, $2)', [
      `row-${n}`,
      cipher(oldText).seal(Buffer.from(`credential ${n}`), {}),
    ]);
  }
});

/** A secret whose current version is in this phase. */
function operator(phase: Phase, tags: Record<string, string> = {}): OperatorPorts {
  const used = phase === 'introduced' ? oldText : newText;
  const document = new SecretDocument(
    new Map([
      ['SSH_ENCRYPTION_KEY', used],
      ['SSH_ENCRYPTION_KEY_NEXT', phase === 'introduced' ? newText : ''],
      ['SSH_ENCRYPTION_KEY_PREVIOUS', phase === 'introduced' ? '' : oldText],
    ]),
    { schema: 1, class: 'encryption-key', base: 'old', root: 'root', phase },
  );
  const version = { versionId: 'new', labels: ['AWSCURRENT'], createdAt: now, value: document.serialise() };
  return {
    secrets: {
      overview: async () => overview({ tags }),
      read: async () => version,
      tag: async (_id: string, added: ReadonlyMap<string, string>) =>
        void Object.assign(tags, Object.fromEntries(added)),
    },
    rollouts: { describe: async () => null, states: async () => [] },
    clock: { now: () => new Date(), sleep: async () => {} },
  } as unknown as OperatorPorts;
}

const run = (work: Work, phase: Phase = 'promoted', tags: Record<string, string> = {}) => {
  const reports: SliceReport[] = [];
  const data = {
    kinds: new Map([[hook.kind, hook.connect({ server: sweepServer, random })]]),
    credential: async () => new Sensitive(server.url('postgres')),
    progress: (report: SliceReport) => void reports.push(report),
  };
  return reencrypt(about(), work, operator(phase, tags), data).then((done) => ({ ...done, reports }));
};

const digest = async () => {
  const { rows } = await admin.query('SELECT id, credential FROM ssh_credentials ORDER BY id');
  return createHash('sha256').update(JSON.stringify(rows)).digest('hex');
};

describe('reencrypt', () => {
  test('looks without changing a row, moves every row, and finds nothing left', async () => {
    const before = await digest();
    expect(await run('dry-run')).toMatchObject({ left: 12 });
    expect(await run('verify')).toMatchObject({ left: 12, writeKey: stored(newText).id });
    expect(await digest()).toBe(before);
    const moved = await run('move');
    expect(moved).toMatchObject({ left: 0, targets: [{ total: 12, moved: 12 }] });
    expect(moved.reports.length).toBeGreaterThan(0);
    expect(await run('verify')).toMatchObject({ left: 0 });
    const { rows } = await admin.query('SELECT id, credential FROM ssh_credentials');
    for (const { id, credential } of rows) {
      const opened = cipher(newText).open(credential, {});
      expect(opened.is === 'open' && opened.plain.toString()).toBe(`credential ${id.slice(4)}`);
    }
    expect(JSON.stringify(moved)).not.toContain(newText);
  });

  test('does not move data to a key that the consumers do not use yet; it may look', async () => {
    const before = await digest();
    await expect(run('move', 'introduced')).rejects.toThrow('use the old key still');
    expect(await digest()).toBe(before);
    expect(await run('verify', 'introduced')).toMatchObject({ left: 12 });
  });

  test('counts a row that cannot be read until it is acknowledged, and leaves it as it is', async () => {
    await admin.query(`UPDATE ssh_credentials SET credential = '\\x00' WHERE id = 'row-3'`);
    const done = await run('move');
    expect(done).toMatchObject({ left: 1, setAside: [{ row: 'row-3', poison: 'truncated' }] });
    const tags = { 'keyturn:acknowledged-1': rowId(done.setAside[0]?.target ?? '', 'row-3') };
    expect(await run('verify', 'promoted', tags)).toMatchObject({ left: 0 });
    const { rows } = await admin.query(`SELECT credential FROM ssh_credentials WHERE id = 'row-3'`);
    expect(rows[0].credential).toEqual(Buffer.from([0]));
  });

  test('tells of every row and every table, however many slices it takes', async () => {
    await admin.query(
      `CREATE TABLE ssh_copies AS SELECT * FROM ssh_credentials; ALTER TABLE ssh_copies ADD PRIMARY KEY (id)`,
    );
    await admin.query(`INSERT INTO ssh_copies SELECT 's' || n, '\\x00' FROM generate_series(1, 120) AS n`);
    try {
      const columns = ['ssh_credentials', 'ssh_copies'].map((table) => ({
        table,
        column: 'credential',
        codec: { id: 'aes-256-gcm', ...options },
      }));
      const subject = about({ batch: 20, columns });
      // Every look at the clock is a minute later: a slice has time for one page.
      let time = now.getTime();
      const ports = operator('promoted');
      const clock = {
        now: () => {
          time += 60_000;
          return new Date(time);
        },
        sleep: async () => {},
      };
      const data = {
        kinds: new Map([[hook.kind, hook.connect({ server: sweepServer, random })]]),
        credential: async () => new Sensitive(server.url('postgres')),
        progress: () => {},
      };
      const done = await reencrypt(subject, 'verify', { ...ports, clock }, data);
      expect(done.left).toBe(12 + 12 + 120);
      expect(done.targets.map(({ target, left, poisoned }) => [target, left, poisoned])).toEqual([
        ['ssh_credentials.credential', 12, 0],
        ['ssh_copies.credential', 132, 120],
      ]);
      expect(new Set(done.setAside.map(({ row }) => row)).size).toBe(120);
    } finally {
      await admin.query('DROP TABLE ssh_copies');
    }
  });

  test('is refused for a secret that encrypts nothing', async () => {
    const data = { kinds: new Map(), credential: async () => new Sensitive(''), progress: () => {} };
    await expect(reencrypt(subject('JWT_SECRET'), 'verify', operator('promoted'), data)).rejects.toThrow(
      'No data that Keyturn could move is encrypted under JWT_SECRET.',
    );
  });
});

test('acknowledge tells of rows that the stopped rollout has counted and has no room to list', async () => {
  const target = 'ssh_credentials.credential';
  const listed = [11, 12, 13].map((n) => ({ target, row: `row-${n}`, poison: 'truncated' }));
  const state: RolloutState = {
    schema: 1,
    secretId: 'arn',
    versionId: 'new',
    previousVersionId: 'old',
    plan: 'quiesce-and-sweep',
    publishedAt: now.toISOString(),
    attempt: 1,
    reencryption: {
      ...notBegun,
      finished: true,
      targets: [{ target, total: 20, moved: 12, left: 8, poisoned: 8 }],
      setAside: listed,
    },
    failure: { Error: 'DataLeft' },
  };
  const stalled = (tags: Record<string, string>) => {
    const ports = operator('promoted', tags);
    const input = JSON.stringify(state);
    const execution = { status: 'FAILED', error: 'RolloutStalled', startedAt: now, stoppedAt: now, input };
    const entered = { enteredAt: now, input, failures: 0, lastFailure: null };
    return {
      ...ports,
      rollouts: {
        ...ports.rollouts,
        describe: async (arn: string) => (/-\d$/.test(arn) ? null : execution),
        states: async () => ['count-left', 'stall'].map((name) => ({ ...entered, name })),
      },
    } as unknown as OperatorPorts;
  };
  // One was acknowledged before the attempt, and one of its list since.
  const tags = { 'keyturn:acknowledged-1': [1, 11].map((n) => rowId(target, `row-${n}`)).join(' ') };
  const prepared = await prepareAcknowledgement(about(), { target, row: 'row-12' }, stalled(tags));
  expect(prepared).toMatchObject({ open: [{ row: 'row-13' }], more: 4 });
  expect(prepared.tag?.value.split(' ')).toHaveLength(3);
  await expect(prepareAcknowledgement(about(), { target, row: 'row-2' }, stalled({}))).rejects.toMatchObject({
    hint: expect.stringContaining('more than it lists'),
  });
});

test('acknowledge is refused where no stopped rollout has set a row aside, and writes nothing', async () => {
  const tags: Record<string, string> = {};
  const asked = prepareAcknowledgement(
    about(),
    { target: 'ssh_credentials.credential', row: 'row-1' },
    operator('promoted', tags),
  );
  await expect(asked).rejects.toThrow('there is nothing to acknowledge');
  await acknowledge(
    {
      secretArn: 'arn',
      datum: { target: 't', row: 'r', poison: 'truncated' },
      tag: { name: 'keyturn:acknowledged-1', value: rowId('t', 'r') },
      open: [],
      more: 0,
    },
    operator('promoted', tags),
  );
  expect(tags).toEqual({ 'keyturn:acknowledged-1': rowId('t', 'r') });
});
