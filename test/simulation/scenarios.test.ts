/** What the enumeration does not decide: one guard each, and what a rotation costs. */
import { describe, expect, test } from 'vitest';
import { completedTag, consentTag } from '../../lambdas/contract/marks.ts';
import { plans } from '../../lambdas/contract/plan.ts';
import type { FaultPlan } from './gate.ts';
import { Checker } from './invariants.ts';
import { emptySecret, settings, stubbornConsumer } from './settings.ts';
import { type Setting, secretName, World } from './world.ts';

const hour = 3_600_000;

function settingOf(id: string): Setting {
  const setting = settings.find(({ secretClass }) => secretClass.id === id);
  if (setting === undefined) throw new Error(`no setting of ${id}`);
  return setting;
}

async function started(
  setting: Setting,
  faults: FaultPlan = new Map(),
): Promise<{ world: World; checker: Checker }> {
  const checker = new Checker();
  const world = new World(setting, faults, 7, checker.check);
  await world.start();
  return { world, checker };
}

const callsTo = (world: World, from: number) => world.gate.trace.slice(from);
const secretsManagerCalls = (trace: readonly string[]) => {
  const end = trace.indexOf('PutEvents Rotation Finished');
  return trace.slice(0, end);
};
const writes = (trace: readonly string[]) =>
  trace.filter((call) => call === 'PutSecretValue' || call === 'UpdateSecretVersionStage');

describe('what a rotation costs', () => {
  test.each(settings.map((setting) => [setting.secretClass.id, setting] as const))(
    '%s: at most 8 Secrets Manager calls on a warm function, two of them writes',
    async (_id, setting) => {
      const { world } = await started(setting);
      const from = world.gate.trace.length;
      await world.rotate();
      await world.clock.advance(hour);
      const calls = secretsManagerCalls(callsTo(world, from));
      expect(calls.length).toBeLessThanOrEqual(8);
      expect(writes(calls)).toEqual(['PutSecretValue', 'UpdateSecretVersionStage']);
    },
  );

  test('one more where finish meets a fresh container, which re-reads what it re-tests', async () => {
    const { world } = await started(settingOf('opaque-token'));
    const warm = world.gate.trace.length;
    await world.rotate();
    await world.clock.advance(hour);
    const warmCalls = secretsManagerCalls(callsTo(world, warm));

    const cold = world.gate.trace.length;
    world.beforeStep = () => world.recycle();
    await world.rotate();
    await world.clock.advance(hour);
    const coldCalls = secretsManagerCalls(callsTo(world, cold));
    expect(coldCalls.length).toBe(warmCalls.length + 1);
    expect(coldCalls.length).toBeLessThanOrEqual(9);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed', 'completed']);
  });

  test('a rollout with one redeploy stays under 20 transitions', async () => {
    const { world } = await started(settingOf('opaque-token'));
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.rollouts[0]?.transitions).toBeLessThan(20);
  });
});

describe('what is measured', () => {
  const of = { Deployment: 'shop', Secret: 'SECRET' };

  test('the gap of a class whose old and new value cannot both be valid, once all consumers are through it', async () => {
    const { world } = await started(settingOf('signing-key-cutover'));
    await world.rotate();
    await world.clock.advance(hour);
    const [gap, ...others] = world.measured.filter(({ metric }) => metric === 'GapSeconds');
    expect(gap).toMatchObject({ metric: 'GapSeconds', of });
    // The rollout waits 20 seconds for other secrets, and a task takes 20 to start.
    expect(gap?.value).toBeGreaterThanOrEqual(40);
    expect(gap?.value).toBeLessThan(80);
    expect(others).toEqual([]);
  });

  test('no gap where there is none', async () => {
    const { world } = await started(settingOf('opaque-token'));
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.measured).toEqual([{ metric: 'RolloutCompleted', value: 1, of }]);
  });

  test('each failure of a step, with its event', async () => {
    const { world } = await started(settingOf('guarded'));
    await world.asOperator('UntagResource', { SecretId: secretName, TagKeys: [consentTag] });
    await world.rotate();
    await world.clock.advance(24 * hour);
    const failed = world.events.filter(({ type }) => type === 'Rotation Failed');
    expect(failed.length).toBeGreaterThan(0);
    expect(world.measured).toEqual(failed.map(() => ({ metric: 'RotationFailed', value: 1, of })));
    expect(failed[0]?.detail).toMatchObject({
      works: 'The current value has not changed, and the consumers run with it.',
      next: 'npx keyturn approve SECRET --for 1h --reason planned',
    });
  });
});

describe('rotations one after another', () => {
  test('twice in a row, each with its rollout', async () => {
    const { world, checker } = await started(settingOf('opaque-token'));
    await world.rotate();
    await world.clock.advance(hour);
    await world.rotate();
    await world.clock.advance(hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed', 'completed']);
  });

  test('a rotation that overtakes a rollout takes over what that one had still to prove', async () => {
    const { world, checker } = await started(settingOf('opaque-token'));
    const first = world.currentId();
    await world.rotate();
    // The rotation has ended, its rollout has not: consumers take 20 seconds to start.
    await world.clock.advance(1_000);
    const second = world.currentId();
    await world.rotate();
    await world.clock.advance(hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['superseded', 'completed']);
    expect(world.currentDocument()?.memory).toMatchObject({ base: second, unproven: [first] });
    // Both old values were probed, and the new one.
    expect(world.gate.trace.filter((call) => call === 'probe').length).toBe(3);
  });

  test('a completed rollout leaves nothing unproven to the next', async () => {
    const { world } = await started(settingOf('opaque-token'));
    await world.rotate();
    await world.clock.advance(hour);
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.currentDocument()?.memory?.unproven).toBeUndefined();
    const description = await world.asOperator('DescribeSecret', { SecretId: secretName });
    expect(description.Tags).toEqual(
      expect.arrayContaining([{ Key: completedTag, Value: world.currentId() }]),
    );
  });
});

describe('overlapping keys', () => {
  test('introduce, promote, hold, retire: nobody is logged out, and the old key dies at the end', async () => {
    const { world, checker } = await started(settingOf('signing-key-overlap'));
    const before = world.currentDocument()?.value('TOKEN').reveal();
    await world.rotate();
    await world.clock.advance(60_000);
    // Two minutes in: the new key is accepted everywhere, and the old one still signs or has just been replaced.
    await world.clock.advance(hour);
    expect(world.rollouts.map(({ end }) => end)).toEqual([null]);
    expect(world.currentDocument()?.memory?.phase).toBe('promoted');
    expect(world.currentDocument()?.value('ACCEPTED').reveal()).toBe(before);
    await world.clock.advance(2 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
    expect(world.currentDocument()?.memory?.phase).toBe('retired');
    expect(world.currentDocument()?.value('ACCEPTED').reveal()).toBe('');
    expect(world.rollouts[0]?.transitions).toBeLessThan(20);
  });

  test('without introduce tokens die before their time: what that phase is for', async () => {
    const cutover = { ...settingOf('signing-key-cutover'), tokenLifeSeconds: 7_200 };
    const { world, checker } = await started(cutover);
    await world.rotate();
    await world.clock.advance(hour);
    expect(checker.broken.join()).toContain('a token died before its time');
  });

  test('a rotation during the hold keeps every key whose tokens live', async () => {
    const { world, checker } = await started(settingOf('signing-key-overlap'));
    await world.rotate();
    await world.clock.advance(hour);
    await world.rotate();
    await world.clock.advance(6 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['superseded', 'completed']);
  });
});

describe('a roll-back', () => {
  test('leaves no label by which Secrets Manager would refuse the next rotation, or promote again what was given up', async () => {
    const { world, checker } = await started(stubbornConsumer);
    const first = world.currentId();
    world.secrets.options.pendingRemovalDelay = 'never';
    await world.rotate();
    await world.clock.advance(6 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['rolled-back']);
    expect(world.currentId()).toBe(first);
    expect(world.versions().flatMap(({ labels }) => labels)).not.toContain('AWSPENDING');
    expect(await world.rotate()).toBe(true);
  });
});

describe('an execution that somebody aborts', () => {
  const ways = [settingOf('opaque-token'), settingOf('signing-key-overlap')].flatMap((setting) => {
    const { stages } = plans[setting.secretClass.usual.plan];
    return stages.map((stage, index) => [setting.secretClass.id, stage, index + 1, setting] as const);
  });

  test.each(ways)(
    '%s, before %s (stage %i): nothing is lost, and resumed it completes',
    async (_id, _stage, nth, setting) => {
      const { world, checker } = await started(setting);
      world.abortAt = nth;
      await world.rotate();
      await world.clock.advance(6 * hour);
      expect(world.rollouts.map(({ end }) => end)).toEqual(['aborted']);
      expect(checker.broken).toEqual([]);
      world.resume();
      await world.clock.advance(6 * hour);
      expect(world.rollouts.map(({ end }) => end)).toEqual(['aborted', 'completed']);
      expect(checker.broken).toEqual([]);
    },
  );
});

describe('finish', () => {
  /** A pending version of this token, as createSecret left it. */
  async function pendingAfterCreate(world: World): Promise<string> {
    world.stopAfter = 'createSecret';
    await world.rotate();
    await world.clock.advance(1_000);
    return world.secrets.runs.at(-1)?.token ?? '';
  }

  function finish(world: World, token: string) {
    world.stopAfter = null;
    const done = world.invoke({ Step: 'finishSecret', SecretId: world.arn(), ClientRequestToken: token });
    return world.clock.advance(10_000).then(() => done);
  }

  test('tests by itself: it never promotes a pending value that breaks the rules', async () => {
    const { world } = await started(settingOf('signing-key-cutover'));
    const before = world.currentId();
    const token = '11111111-2222-3333-4444-555555555555';
    await world.asOperator('PutSecretValue', {
      SecretId: secretName,
      ClientRequestToken: token,
      SecretString: '{"TOKEN":"too short"}',
      VersionStages: ['AWSPENDING'],
    });
    expect(await finish(world, token)).toMatchObject({
      ok: false,
      errorType: 'ValueRejected',
      errorMessage: 'The value of TOKEN must have at least 32 characters; it has 9.',
    });
    expect(world.currentId()).toBe(before);
  });

  test('does not promote a version that createSecret never filled', async () => {
    const { world } = await started(settingOf('opaque-token'));
    const before = world.currentId();
    // Secrets Manager has opened the version; createSecret, planned for the next instant, has not run.
    const token = '11111111-2222-3333-4444-555555555555';
    await world.asOperator('RotateSecret', { SecretId: secretName, ClientRequestToken: token });
    await world.asOperator('CancelRotateSecret', { SecretId: secretName });
    await world
      .asOperator('RotateSecret', { SecretId: secretName, ClientRequestToken: token })
      .catch(() => {});
    expect(await finish(world, token)).toMatchObject({ ok: false });
    expect(world.currentId()).toBe(before);
  });

  test('refuses when a value was typed in between, even if the label AWSPENDING was put back', async () => {
    const { world } = await started(settingOf('opaque-token'));
    const token = await pendingAfterCreate(world);
    await world.edit();
    await world.asOperator('UpdateSecretVersionStage', {
      SecretId: secretName,
      VersionStage: 'AWSPENDING',
      MoveToVersionId: token,
    });
    const typed = world.currentId();
    expect(await finish(world, token)).toMatchObject({ ok: false, errorType: 'CurrentChanged' });
    expect(world.currentId()).toBe(typed);
  });

  test('takes a move whose answer was lost for done, without another round of all four steps', async () => {
    const { world: probe } = await started(settingOf('opaque-token'));
    await probe.rotate();
    await probe.clock.advance(hour);
    const move = probe.gate.trace.indexOf('UpdateSecretVersionStage');
    const { world } = await started(settingOf('opaque-token'), new Map([[move, 'doubled']]));
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.secrets.runs.at(-1)?.attempts.length).toBe(1);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
  });
});

describe('a refusal holds only while its token has no value', () => {
  test('consent that runs out between two tries of one rotation does not undo the first', async () => {
    const { world, checker } = await started(settingOf('guarded'));
    world.stopAfter = 'createSecret';
    await world.rotate();
    await world.clock.advance(1_000);
    await world.asOperator('UntagResource', { SecretId: secretName, TagKeys: [consentTag] });
    world.stopAfter = null;
    await world.clock.advance(hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
  });

  test('without consent a guarded secret does not move, however often it is tried', async () => {
    const { world } = await started(settingOf('guarded'));
    await world.asOperator('UntagResource', { SecretId: secretName, TagKeys: [consentTag] });
    const before = world.currentId();
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(world.currentId()).toBe(before);
    expect(world.rollouts).toEqual([]);
    expect(world.events.map(({ type, detail }) => [type, detail.code])).toContainEqual([
      'Rotation Failed',
      'ConsentMissing',
    ]);
  });

  test('one consent is good for one rotation', async () => {
    const { world } = await started(settingOf('guarded'));
    await world.rotate();
    await world.clock.advance(hour);
    const after = world.currentId();
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.currentId()).toBe(after);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
  });

  test('a supplied value is used once', async () => {
    const { world } = await started(settingOf('operator-supplied'));
    await world.rotate();
    await world.clock.advance(hour);
    const after = world.currentId();
    await world.rotate();
    await world.clock.advance(hour);
    expect(world.currentId()).toBe(after);
    expect(world.events.at(-1)).toMatchObject({
      type: 'Rotation Failed',
      detail: { code: 'SupplyMissing', at: 'create' },
    });
  });
});

describe('the preflight, testSecret alone', () => {
  test.each([
    ['a copy of the current value', settingOf('opaque-token')],
    ['an empty pending version of an empty secret', emptySecret],
  ])('passes on %s and changes nothing', async (_what, setting) => {
    const { world } = await started(setting);
    const before = world.versions();
    await world.asOperator('RotateSecret', {
      SecretId: secretName,
      ClientRequestToken: '00000000-0000-0000-0000-000000000001',
      RotateImmediately: false,
    });
    await world.clock.advance(60_000);
    expect(world.secrets.runs.map(({ kind, status }) => `${kind} ${status}`)).toEqual([
      'test succeeded',
      'test succeeded',
    ]);
    expect(world.versions()).toEqual(before);
    expect(writes(world.gate.trace)).toEqual([]);
  });

  test('fails on a current value that breaks the platform’s rules, and says which', async () => {
    const setting = settingOf('signing-key-cutover');
    const rules = { minimumLength: 32, forbidden: ['changeme-secret-key-changeme-secret-key'] };
    const world = new World(
      {
        ...setting,
        options: { ...setting.options, rules },
        initial: { TOKEN: 'changeme-secret-key-changeme-secret-key' },
      },
      new Map(),
      7,
      () => {},
    );
    await world.start();
    expect(world.secrets.runs.map(({ kind, status }) => `${kind} ${status}`)).toEqual(['test failed']);
    expect(world.printed.join()).toContain(
      'The value of TOKEN must not be a published default; the value received is one.',
    );
  });
});

describe('eventual consistency', () => {
  test.each([500, 2_000])('reads that lag %i ms behind the writes', async (readLag) => {
    const { world, checker } = await started(settingOf('opaque-token'));
    world.secrets.options.readLag = readLag;
    await world.rotate();
    await world.clock.advance(12 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
  });

  test.each(['never', 0, 30_000] as const)('AWSPENDING that is taken away after %s ms', async (delay) => {
    const { world, checker } = await started(settingOf('opaque-token'));
    world.secrets.options.pendingRemovalDelay = delay;
    await world.rotate();
    await world.clock.advance(12 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
  });

  test('a first version that Secrets Manager makes current by itself', async () => {
    const { world, checker } = await started(emptySecret);
    world.secrets.options.firstVersionBecomesCurrent = true;
    await world.rotate();
    await world.clock.advance(12 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(world.rollouts.map(({ end }) => end)).toEqual(['completed']);
  });
});

describe('events of the rotation function that are not Secrets Manager’s', () => {
  const arn = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/secret-AbCdEf';
  const token = '11111111-2222-3333-4444-555555555555';
  test.each([
    { event: {}, errorType: 'EventInvalid', says: 'field Step' },
    {
      event: { Step: 'createsecret', SecretId: arn, ClientRequestToken: token },
      errorType: 'EventInvalid',
      says: 'field Step',
    },
    {
      event: { Step: 'createSecret', SecretId: 'shop/secret', ClientRequestToken: token },
      errorType: 'EventInvalid',
      says: 'field SecretId',
    },
    {
      event: { Step: 'createSecret', SecretId: arn, ClientRequestToken: 'short' },
      errorType: 'EventInvalid',
      says: 'field ClientRequestToken',
    },
    {
      event: {
        Step: 'createSecret',
        SecretId: arn.replace('shop/secret', 'shop/secret-of-another'),
        ClientRequestToken: token,
      },
      errorType: 'StepRefused',
      says: 'is not a secret of this function’s deployment',
    },
    {
      event: {
        Step: 'createSecret',
        SecretId: arn.replace('111122223333', '999999999999'),
        ClientRequestToken: token,
      },
      errorType: 'StepRefused',
      says: 'is not a secret of this function’s deployment',
    },
  ])('$event.Step with $says is refused', async ({ event, errorType, says }) => {
    const { world } = await started(settingOf('opaque-token'));
    const from = world.gate.trace.length;
    expect(await world.invoke(event)).toMatchObject({
      ok: false,
      errorType,
      errorMessage: expect.stringContaining(says),
    });
    expect(world.gate.trace.slice(from)).toEqual([]);
  });

  test.each(['createSecret', 'create_secret', 'finishSecret', 'finish_secret'])(
    '%s is a step',
    async (Step) => {
      const { world } = await started(settingOf('opaque-token'));
      const result = await world.invoke({ Step, SecretId: world.arn(), ClientRequestToken: token });
      // Known as a step, and then refused because no rotation of this token is under way.
      expect(result).toMatchObject({ ok: false, errorType: 'StepRefused' });
    },
  );

  test('a late step after CancelRotateSecret changes nothing', async () => {
    const { world } = await started(settingOf('opaque-token'));
    world.stopAfter = 'createSecret';
    await world.rotate();
    await world.clock.advance(1_000);
    await world.asOperator('CancelRotateSecret', { SecretId: secretName });
    world.stopAfter = null;
    const before = world.versions();
    const tokenOfRun = world.secrets.runs.at(-1)?.token ?? '';
    expect(
      await world.invoke({ Step: 'finishSecret', SecretId: world.arn(), ClientRequestToken: tokenOfRun }),
    ).toMatchObject({
      ok: false,
      errorType: 'StepRefused',
      errorMessage: expect.stringContaining('switched off'),
    });
    expect(world.versions()).toEqual(before);
  });

  test.each(['setSecret', 'testSecret'])(
    'a late %s for a version that was replaced is refused',
    async (Step) => {
      const { world } = await started(settingOf('opaque-token'));
      const replaced = world.currentId() ?? '';
      await world.rotate();
      await world.clock.advance(hour);
      expect(await world.invoke({ Step, SecretId: world.arn(), ClientRequestToken: replaced })).toMatchObject(
        {
          ok: false,
          errorType: 'StepRefused',
          errorMessage: expect.stringContaining('neither pending nor current'),
        },
      );
    },
  );

  test('the RotationToken is passed on and never printed', async () => {
    const { world } = await started(settingOf('opaque-token'));
    await world.rotate();
    await world.clock.advance(hour);
    const run = world.secrets.runs.at(-1);
    expect(run?.status).toBe('succeeded');
    for (const { rotationToken } of run?.attempts.flatMap(({ steps }) => steps) ?? []) {
      expect(world.printed.join('\n')).not.toContain(rotationToken);
    }
  });
});
