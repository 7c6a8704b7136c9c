/** The commands against an account: the real stack's template, a platform that runs, real processes. */
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { codec as fernet } from '../../lambdas/ciphers/fernet.ts';
import { keyId } from '../../lambdas/contract/ciphers.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { type AccountWorld, firstValues, pause, type Run, startAccountWorld } from './account-world.ts';

let world: AccountWorld;

beforeAll(async () => {
  world = await startAccountWorld();
}, 240_000);

afterAll(() => world.stop());

async function labelsOf(name: string): Promise<Record<string, string>> {
  const labels = await world.person.labels(name);
  return Object.fromEntries([...labels].flatMap(([id, all]) => all.map((label) => [label, id])));
}

/** What a command says of one secret with `--json`. */
function secretIn(run: Run, key: string) {
  const { secrets } = JSON.parse(run.stdout) as { secrets: { secret: string; findings: { id: string }[] }[] };
  return secrets.find(({ secret }) => secret === key);
}

describe('before anything has rotated', () => {
  test('status finds nothing wrong, in a process of its own', async () => {
    const run = await world.spawned(['status']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain('JWT_SECRET');
    expect(run.stdout).toMatch(/PROVIDER_KEY +\d+ s +on demand +none +ok/);
  });

  test('plan says what would happen, in order, with its probe and its consumers, and changes nothing', async () => {
    const before = await world.client.calls();
    const run = await world.inside(['plan', 'JWT_SECRET']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const order = ['create', 'set', 'test', 'finish', 'settle', 'redeploy', 'prove', 'complete'];
    const places = order.map((name) => run.stdout.indexOf(`\n  ${name} `));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(run.stdout).toContain('backend (ecs, cluster ocore, service backend)');
    expect(run.stdout).toContain('every session and token signed with JWT_SECRET ends at once');
    expect(run.stdout).toContain('It needs no consent now.');
    const writes = /^(Put|Update|Rotate|Tag|Untag|Start)/;
    const counted = (calls: typeof before) => calls.filter(({ operation }) => writes.test(operation));
    expect(counted(await world.client.calls())).toEqual(counted(before));
  });

  test('an endpoint that is not there ends with 3 and says what to do', async () => {
    const run = await world.elsewhere(['status', 'JWT_SECRET'], 'http://127.0.0.1:1');
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/failed with ECONNREFUSED.*\n.*whether the network and the endpoint/);
    const json = await world.elsewhere(['status', '--json'], 'http://127.0.0.1:1');
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'AwsUnreachable' } });
  });
});

describe('a guarded secret', () => {
  const key = 'SSH_ENCRYPTION_KEY';

  test('is refused without consent before Secrets Manager is asked', async () => {
    const began = (await world.client.rotations()).length;
    const run = await world.inside(['rotate', key]);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain(
      'every stored SSH key and password becomes unreadable; nobody has consented.',
    );
    expect(run.stderr).toContain(`keyturn approve ${key} --for 1h --reason`);
    expect(await world.client.rotations()).toHaveLength(began);
    expect((await world.inside(['plan', key])).code).toBe(1);
  });

  test('rotates once when a person has consented', async () => {
    const approved = await world.inside([
      'approve',
      key,
      '--for',
      '1h',
      '--reason',
      'planned',
      '--as',
      'jane',
    ]);
    expect(approved).toMatchObject({ code: 0, stderr: '' });
    expect(approved.stdout).toContain('every stored SSH key and password becomes unreadable');
    const status = await world.inside(['status', key]);
    expect(status.stdout).toMatch(/A consent is in force until .* \(jane: planned\)/);

    const rotated = await world.inside(['rotate', key, '--wait', '--json', '--timeout', '30s']);
    expect(rotated.code).toBe(0);
    expect(JSON.parse(rotated.stdout)).toMatchObject({ secret: key, end: 'completed' });

    const again = await world.inside(['rotate', key]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('the consent on it has been used');
    expect((await world.inside(['status', key])).stdout).not.toContain('A consent is in force');
  });

  test('can have its consent taken back', async () => {
    await world.inside(['approve', key, '--for', '1h', '--reason', 'planned']);
    expect((await world.inside(['approve', key, '--revoke'])).code).toBe(0);
    expect((await world.inside(['rotate', key])).stderr).toContain('nobody has consented');
  });
});

describe('a value that a person supplies', () => {
  const key = 'PROVIDER_KEY';
  const value = `sk-${'supplied-by-hand'.repeat(2)}-0123456789`;

  test('is refused as an argument, without repeating it', async () => {
    await world.client.watch('sk-given-as-an-argument-0123456789', 'an argument');
    for (const argv of [
      ['supply', key, 'sk-given-as-an-argument-0123456789'],
      ['supply', key, '--value=sk-given-as-an-argument-0123456789'],
      ['supply', key, '--sk-given-as-an-argument-0123456789'],
      ['supply', 'sk-given-as-an-argument-0123456789'],
    ]) {
      const run = await world.inside(argv);
      expect(run.code).toBe(2);
      expect(run.stderr).not.toContain('given-as-an-argument');
    }
    expect((await world.inside(['supply', key, 'x'])).stderr).toContain('takes no value as an argument');
  });

  test('is checked by the rules of its class before it is stored', async () => {
    await world.client.watch('too-short-a-value', 'a short value');
    const run = await world.inside(['supply', key], 'too-short-a-value\n');
    expect(run.code).toBe(1);
    expect(run.stderr).toContain('must have at least 20 characters; it has 17');
    expect(await labelsOf('ocore/provider-key')).not.toHaveProperty('KEYTURN_SUPPLIED');
    expect((await world.inside(['supply', key], '')).stderr).toContain('must not be empty');
    expect((await world.inside(['rotate', key])).stderr).toContain(`keyturn supply ${key}`);
    expect((await world.inside(['supply', 'JWT_SECRET'], value)).stderr).toContain('made by Keyturn');
  });

  test('waits, is copied by the rotation, and reaches the provider', async () => {
    world.provider.issue(value);
    const supplied = await world.spawned(['supply', key], `${value}\n`);
    expect(supplied).toMatchObject({ code: 0, stderr: '' });
    expect((await world.inside(['status', key])).stdout).toContain('a value that a person supplied waits');
    const rotated = await world.inside(['rotate', key, '--wait', '--timeout', '30s']);
    expect(rotated.code).toBe(0);
    const stored = JSON.parse((await world.person.read('ocore/provider-key', 'AWSCURRENT')).value.reveal());
    expect(stored.PROVIDER_KEY === value).toBe(true);
    expect((await world.inside(['status', key])).stdout).not.toContain('waits');
  });
});

describe('a plain rotation', () => {
  test('is followed line by line in a pipe, and drawn at its end', async () => {
    const run = await world.spawned(['rotate', 'JWT_SECRET', '--wait', '--timeout', '30s']);
    expect(run.code).toBe(0);
    expect(run.stderr).not.toContain('\u001b');
    expect(run.stderr).toMatch(/^ +\d+\.\d s {2}JWT_SECRET: create\n/);
    expect(run.stderr).toMatch(/JWT_SECRET: finish \(set and test are done\)\n/);
    expect(run.stdout).toMatch(/ {2}create +█/);
    expect(run.stderr).toContain('JWT_SECRET: redeploy\n');
    expect(run.stdout).toContain('JWT_SECRET (signing-key-cutover), rotate: completed after');
    expect(run.stdout).toMatch(/ {2}prove +█/);
    expect(run.stdout).toContain(
      '1 consumer runs with the new value; the old one was probed and is refused.',
    );
    const status = await world.inside(['status', 'JWT_SECRET', '--json']);
    expect(secretIn(status, 'JWT_SECRET')).toMatchObject({ rollout: { is: 'completed' }, findings: [] });
  });

  test('can be taken back: the label, the consumers, and the proof', async () => {
    const before = await labelsOf('ocore/jwt');
    const unasked = await world.inside(['rollback', 'JWT_SECRET']);
    expect(unasked).toMatchObject({ code: 2 });
    expect(unasked.stderr).toContain('must have --yes');
    const run = await world.spawned(['rollback', 'JWT_SECRET', '--yes', '--wait', '--timeout', '30s']);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('the old one was probed and is refused');
    const after = await labelsOf('ocore/jwt');
    expect(after.AWSCURRENT).toBe(before.AWSPREVIOUS);
    const status = await world.inside(['status', 'JWT_SECRET']);
    expect(status.code).toBe(0);
    expect(status.stdout).toContain(`Version ${before.AWSCURRENT} was given up`);
    expect((await world.inside(['resume', 'JWT_SECRET'])).stderr).toContain('is over');
  });
});

describe('a pending version that is stuck', () => {
  const key = 'HEALTH_CHECK_TOKEN';

  test('is explained, blocks the next rotation with a sentence, and is discarded', async () => {
    const functionName = 'keyturn-ocore-production-opaque-token';
    await world.client.faultCall({
      kind: 'error',
      operation: 'UpdateSecretVersionStage',
      functionName,
      times: 1_000,
      code: 'InternalServiceError',
    });
    const stuck = await world.inside(['rotate', key, '--wait', '--timeout', '2s']);
    expect(stuck.code).toBe(1);
    // Create has stored the value, so that it is not what fails; the move of finish is.
    expect(stuck.stderr).toContain(`${key}: set, test (create is done)\n`);
    expect(stuck.stdout).toContain('set, test or finish has not ended');
    expect(stuck.stdout).toContain(`/aws/lambda/${functionName}`);
    await world.client.clearFaults();
    await stillNow();

    expect((await world.inside(['status', key])).code).toBe(0);
    const status = await world.spawned(['status', key, '--stuck-after', '0s']);
    expect(status.code).toBe(1);
    expect(status.stdout).toContain('a rotation began and did not finish');
    expect(status.stdout).toContain(`→ keyturn discard ${key}`);
    const refused = await world.inside(['rotate', key]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`keyturn discard ${key}`);

    const discarded = await world.spawned(['discard', key]);
    expect(discarded).toMatchObject({ code: 0, stderr: '' });
    expect(discarded.stdout).toContain('its target refuses it');
    expect((await world.inside(['discard', key])).stderr).toContain('Nothing is stuck');
    const rotated = await world.inside(['rotate', key, '--wait', '--timeout', '30s']);
    expect(rotated.code).toBe(0);
  });

  /** Until Secrets Manager has given up trying by itself. */
  async function stillNow(): Promise<void> {
    for (;;) {
      const open = (await world.client.rotations()).filter(({ status }) => /running|waiting/.test(status));
      if (open.length === 0) return;
      await pause(20);
    }
  }
});

describe('a rollout that cannot go on', () => {
  const key = 'HEALTH_CHECK_TOKEN';

  test('stalls, is explained, and is resumed when the cause is gone', async () => {
    world.gate.open = false;
    const stalled = await world.inside(['rotate', key, '--wait', '--timeout', '40s']);
    expect(stalled.code).toBe(1);
    expect(stalled.stdout).toContain('rotate: stalled after');
    expect(stalled.stdout).toContain(`keyturn resume ${key}`);
    const status = await world.inside(['status', key]);
    expect(status.code).toBe(1);
    expect(status.stdout).toContain('The rollout stalled at prove');
    expect(status.stdout).toContain('(ProbeInconclusive)');

    world.gate.open = true;
    const resumed = await world.spawned(['resume', key, '--wait', '--timeout', '30s']);
    expect(resumed.code).toBe(0);
    expect(resumed.stdout).toContain('resume: completed after');
    const after = await world.inside(['status', key, '--json']);
    expect(secretIn(after, key)).toMatchObject({ rollout: { is: 'completed', attempt: 2 }, findings: [] });
    expect((await world.inside(['resume', key])).code).toBe(1);
  });
});

describe('a key that stored data is under', () => {
  const key = 'STORE_KEY';
  const random = { bytes: (count: number) => randomBytes(count) };
  const stored = (text: string) => ({ id: keyId(new Sensitive(text)), text: new Sensitive(text) });
  const cipher = (text: string) =>
    fernet.bind({}, { write: stored(text), others: [] }, random, { now: () => new Date() });
  const seal = (text: string, plain: string) => String(cipher(text).seal(Buffer.from(plain), {}));
  const before = firstValues['ocore/store-key'].STORE_KEY;
  const current = async () =>
    String(JSON.parse((await world.person.read('ocore/store-key', 'AWSCURRENT')).value.reveal()).STORE_KEY);

  test('is kept by a row that nobody can read, until a person has acknowledged that row', async () => {
    const admin = new Client({
      connectionString: world.database.url('postgres'),
      ssl: { ca: world.database.ca ?? '' },
    });
    await admin.connect();
    onTestFinished(() => admin.end());
    await admin.query('CREATE TABLE credentials (id integer PRIMARY KEY, sealed text NOT NULL)');
    const lost = seal(`${Buffer.alloc(32, 9).toString('base64url')}=`, 'nobody has this key');
    for (let id = 1; id <= 6; id += 1) {
      const sealed = id === 4 ? lost : seal(before, `credential ${id}`);
      await admin.query('INSERT INTO credentials VALUES ($1, $2)', [id, sealed]);
    }

    const rotated = await world.inside(['rotate', key, '--wait', '--timeout', '60s']);
    expect(rotated.code).toBe(1);
    expect(rotated.stdout).toContain('rotate: stalled after');
    const made = await current();
    expect(made).not.toBe(before);

    const status = await world.inside(['status', key]);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(
      /The rollout stalled at count-left .* \(DataLeft\): 1 data of STORE_KEY still need/,
    );
    const [, target = '', row = ''] = /cannot be read: (\S+) (\S+) \(unknown-key\)/.exec(status.stdout) ?? [];
    expect(row).toBe('4');
    expect(status.stdout).toContain(
      `STORE_KEY: promoted; key ${stored(made).id} is in use, still accepted: ${stored(before).id}`,
    );
    const json = await world.inside(['status', key, '--json']);
    const keys = { write: stored(made).id, others: [stored(before).id] };
    expect(secretIn(json, key)).toMatchObject({
      rollout: { is: 'stalled', stage: 'count-left', code: 'DataLeft' },
      dataKeys: { phase: 'promoted', keys, targets: [{ target, moved: 5, left: 1, poisoned: 1 }] },
    });

    // Going on without a word changes nothing.
    const again = await world.inside(['resume', key, '--wait', '--timeout', '60s']);
    expect(again.code).toBe(1);
    expect(again.stdout).toContain('resume: stalled after');
    const other = await world.inside(['acknowledge', key, '--target', target, '--row', '5']);
    expect(other.code).toBe(1);
    expect(other.stderr).toContain('has set aside no row of that name');

    const acknowledged = await world.inside(['acknowledge', key, '--target', target, '--row', row]);
    expect(acknowledged).toMatchObject({ code: 0, stderr: '' });
    expect(acknowledged.stdout).toContain(`Nothing else is set aside. To go on: keyturn resume ${key}`);
    const resumed = await world.inside(['resume', key, '--wait', '--timeout', '60s']);
    expect(resumed.code).toBe(0);
    expect(resumed.stdout).toContain('resume: completed after');

    const after = await world.inside(['status', key, '--json']);
    expect(after.code).toBe(0);
    expect(secretIn(after, key)).toMatchObject({
      rollout: { is: 'completed' },
      findings: [],
      dataKeys: { phase: 'retired', keys: { write: stored(made).id, others: [] } },
    });
    const { rows } = await admin.query('SELECT id, sealed FROM credentials ORDER BY id');
    expect(rows[3]).toEqual({ id: 4, sealed: lost });
    for (const { id, sealed } of rows.filter(({ id }) => id !== 4)) {
      expect(cipher(before).open(sealed, {})).toMatchObject({ is: 'poisoned' });
      expect(cipher(made).open(sealed, {})).toMatchObject({
        is: 'open',
        plain: Buffer.from(`credential ${id}`),
      });
    }
  }, 120_000);
});

test('no output of any command holds any value that the account ever held', async () => {
  expect(world.printed.length).toBeGreaterThan(60);
  for (const text of world.printed) await world.client.scan(text, 'output of keyturn');
  const { leaks, watched } = await world.client.leaks();
  expect(watched).toBeGreaterThan(8);
  expect(leaks).toEqual([]);
});
