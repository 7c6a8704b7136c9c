/** The commands against an account: the real stack's template, a platform that runs, real processes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccountWorld, pause, type Run, startAccountWorld } from './account-world.ts';

let world: AccountWorld;

beforeAll(async () => {
  world = await startAccountWorld();
}, 120_000);

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
    expect(run.stderr).toContain('every stored SSH key and password becomes unreadable; there is none.');
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
    expect((await world.inside(['rotate', key])).stderr).toContain('there is none');
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

test('no output of any command holds any value that the account ever held', async () => {
  expect(world.printed.length).toBeGreaterThan(60);
  for (const text of world.printed) await world.client.scan(text, 'output of keyturn');
  const { leaks, watched } = await world.client.leaks();
  expect(watched).toBeGreaterThan(8);
  expect(leaks).toEqual([]);
});
