/** Keys that stored data is under: what the enumeration does not decide. */
import { describe, expect, test } from 'vitest';
import { keyId } from '../../lambdas/contract/ciphers.ts';
import { beforeLabel, givenUpLabel, stoppedTag } from '../../lambdas/contract/marks.ts';
import { plans, wayBackOf, waysOut } from '../../lambdas/contract/plan.ts';
import { acknowledgedTag, rowId } from '../../lambdas/contract/reencryption.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import { dataSettings, divided, envelope, keyring, single, versioned, withData } from './data-settings.ts';
import { Checker } from './invariants.ts';
import { documentOf, type Setting, secretName, textsOf, World } from './world.ts';

const hour = 3_600_000;
const byId = dataSettings.map((setting) => [setting.secretClass.id, setting] as const);

async function started(setting: Setting): Promise<{ world: World; checker: Checker; key: string }> {
  const checker = new Checker();
  const world = new World(setting, new Map(), 7, checker.check);
  await world.start();
  return { world, checker, key: keyIn(world) };
}

const never = (): never => {
  throw new Error('there is no such version');
};
const keyIn = (world: World) => world.currentDocument()?.value('KEY').reveal() ?? '';
const idOf = (key: string) => keyId(new Sensitive(key));
const endsOf = (world: World) => world.rollouts.map(({ end }) => end);
const keysOfRows = (world: World) =>
  new Set([...(world.store?.rows.values() ?? [])].map(({ under }) => under));

/** Everything is under one key, which is the one in use, and the consumers run with it. */
function expectSettled(world: World, key: string): void {
  expect([...keysOfRows(world)]).toEqual([key]);
  expect(keyIn(world)).toBe(key);
  expect(new Set(world.applications.flatMap(({ values }) => values))).toEqual(new Set([key]));
}

describe('a rotation', () => {
  test.each(byId)(
    '%s: everything is under the new key, in under 20 transitions and two for each further slice',
    async (_id, setting) => {
      const { world, checker, key } = await started(setting);
      await world.rotate();
      await world.clock.advance(24 * hour);
      checker.atEnd(world);
      expect(checker.broken).toEqual([]);
      expect(endsOf(world)).toEqual(['completed']);
      expect(world.currentDocument()?.memory?.phase).toBe('retired');
      expect(keyIn(world)).not.toBe(key);
      expectSettled(world, keyIn(world));
      expect(world.rollouts[0]?.last.keys).toMatchObject({ write: idOf(keyIn(world)), others: [] });
      // Each slice after the first is a task and a choice.
      const further = 2 * ((world.rollouts[0]?.last.reencryption?.slices ?? 0) - 1);
      expect((world.rollouts[0]?.transitions ?? 0) - further).toBeLessThan(20);
    },
  );

  test.each(byId)('%s: again, and a schedule may be saved in between', async (_id, setting) => {
    const { world, checker } = await started(setting);
    for (let times = 0; times < 2; times += 1) {
      await world.rotate();
      await world.clock.advance(24 * hour);
      // The preflight tests a copy of the current version, whose base does not have its key.
      await world.preflight();
      await world.clock.advance(hour);
      expect(world.secrets.runs.at(-1)?.status).toBe('succeeded');
    }
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['completed', 'completed']);
  });
});

describe('what the phase introduce is for', () => {
  const five = (introduce: boolean): Setting => ({
    ...withData(keyring, { consumers: 5 }),
    options: { ...keyring.options, introduce },
  });

  test('with it, five consumers that restart one after another read everything at every moment', async () => {
    const { world, checker } = await started(five(true));
    await world.rotate();
    await world.clock.advance(24 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['completed']);
  });

  test('without it, those that have not restarted yet cannot read what the others write', async () => {
    const { world, checker } = await started(five(false));
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(endsOf(world)).toEqual(['completed']);
    expect(checker.broken.length).toBeGreaterThan(0);
    for (const sentence of checker.broken) expect(sentence).toContain('could not be read');
    expectSettled(world, keyIn(world));
  });
});

/** Every stage of a plan before retire, at which its execution is ended. */
function stagesBeforeRetire(setting: Setting): (readonly [string, string, number, Setting])[] {
  const way: readonly string[] = plans[setting.secretClass.usual.plan].stages;
  return way
    .slice(0, way.indexOf('retire') + 1)
    .map((stage, index) => [setting.secretClass.id, stage, index + 1, setting] as const);
}

/** Where people are sent for a retired key: after the restore of a backup (`hooks/sweep/pass.ts`, `tally.ts`). */
describe('the version from before an overlap', () => {
  const pinned = (world: World) => world.versions().filter(({ labels }) => labels.includes(beforeLabel));
  const holders = (world: World, key: string) => world.versions().filter((one) => textsOf(one).includes(key));
  /** As the person gets it who brings a key back. */
  const got = async (world: World, which: object): Promise<string> => {
    const { SecretString } = await world.asOperator('GetSecretValue', { SecretId: secretName, ...which });
    return String(SecretString);
  };
  const stageOf = (setting: Setting, stage: string) =>
    (plans[setting.secretClass.usual.plan].stages as readonly string[]).indexOf(stage);

  test.each(byId)(
    '%s: is pinned by what publishes a phase, and can be read by its label when the old key is retired',
    async (_id, setting) => {
      const { world, checker, key } = await started(setting);
      const first = world.currentId();
      // As it comes to promote nothing was published yet.
      world.abortAt = stageOf(setting, 'promote') + 1;
      await world.rotate();
      await world.clock.advance(6 * hour);
      expect(pinned(world)).toEqual([]);
      world.abortAt = stageOf(setting, 'promote') + 2;
      world.resume();
      await world.clock.advance(6 * hour);
      expect(pinned(world).map(({ id }) => id)).toEqual([first]);
      world.resume();
      await world.clock.advance(24 * hour);
      expect(endsOf(world)).toEqual(['aborted', 'aborted', 'completed']);
      expect(world.currentDocument()?.memory?.phase).toBe('retired');
      expect(textsOf(world.versions().find(({ id }) => id === world.currentId()) ?? never())).not.toContain(
        key,
      );
      expect(pinned(world).map(({ id, labels }) => [id, labels])).toEqual([[first, [beforeLabel]]]);
      expect(JSON.parse(await got(world, { VersionStage: beforeLabel })).KEY).toBe(key);
      expect(checker.broken).toEqual([]);
    },
  );

  test.each([
    ['still pinned', envelope],
    ['still pinned', single],
    ['in versions without a label only', keyring],
    ['in versions without a label only', versioned],
  ] as const)(
    'while the next rotation moves the data, the key that the one before retired is %s',
    async (where, setting) => {
      const { world, checker, key } = await started(setting);
      await world.rotate();
      await world.clock.advance(24 * hour);
      const second = world.currentId();
      world.abortAt = stageOf(setting, 'reencrypt') + 1;
      await world.rotate();
      await world.clock.advance(6 * hour);
      const labelled = () => holders(world, key).filter(({ labels }) => labels.length > 0);
      expect(labelled().flatMap(({ labels }) => labels)).toEqual(
        where === 'still pinned' ? [beforeLabel] : [],
      );
      world.resume();
      await world.clock.advance(24 * hour);
      expect(endsOf(world)).toEqual(['completed', 'aborted', 'completed']);
      // The next overlap takes the label along: what it leaves behind is read by its id, as long as it is kept.
      expect(pinned(world).map(({ id }) => id)).toEqual([second]);
      expect(labelled()).toEqual([]);
      const [left] = holders(world, key);
      expect(
        documentOf(left ?? never())
          .value('KEY')
          .reveal(),
      ).toBe(key);
      expect(JSON.parse(await got(world, { VersionId: left?.id })).KEY).toBe(key);
      expect(checker.broken).toEqual([]);
    },
  );
});

describe('an execution that somebody aborts', () => {
  const ways = dataSettings.flatMap((setting) =>
    plans[setting.secretClass.usual.plan].stages.map(
      (stage, index) => [setting.secretClass.id, stage, index + 1, setting] as const,
    ),
  );

  test.each(ways)('%s, before %s (stage %i): resumed it completes', async (_id, _stage, nth, setting) => {
    const { world, checker } = await started(setting);
    world.abortAt = nth;
    await world.rotate();
    await world.clock.advance(6 * hour);
    world.resume();
    await world.clock.advance(6 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['aborted', 'completed']);
    expectSettled(world, keyIn(world));
  });
});

describe('an operator who asks to go back', () => {
  const ways = dataSettings.flatMap(stagesBeforeRetire);

  test.each(ways)(
    '%s, before %s (stage %i): everything is under the old key again, and the next rotation works',
    async (_id, _stage, nth, setting) => {
      const { world, checker, key } = await started(setting);
      world.abortAt = nth;
      await world.rotate();
      await world.clock.advance(6 * hour);
      world.goBack();
      await world.clock.advance(6 * hour);
      expect(checker.broken).toEqual([]);
      expect(endsOf(world)).toEqual(['aborted', 'rolled-back']);
      expectSettled(world, key);
      await world.rotate();
      await world.clock.advance(24 * hour);
      expect(checker.broken).toEqual([]);
      expect(endsOf(world).at(-1)).toBe('completed');
      expectSettled(world, keyIn(world));
    },
  );

  const halfWay = [keyring, versioned, envelope, single].flatMap((setting) =>
    [1, 2].map((rows) => [setting.secretClass.id, rows, setting] as const),
  );

  test.each(halfWay)('%s, when %i rows were moved', async (_id, rows, setting) => {
    const { world, checker, key } = await started(setting);
    world.failFrom = { call: 'UPDATE', after: rows };
    await world.rotate();
    await world.clock.advance(6 * hour);
    world.failFrom = null;
    const failed = endsOf(world)[0];
    if (failed === 'stalled') world.goBack();
    else world.resume();
    await world.clock.advance(6 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world).at(-1)).toBe('rolled-back');
    expectSettled(world, key);
  });

  const wayBack = dataSettings.flatMap((setting) =>
    waysOut[wayBackOf(plans[setting.secretClass.usual.plan])].stages.map(
      (_stage, index) => [setting.secretClass.id, index + 1, setting] as const,
    ),
  );

  test.each(wayBack)(
    '%s: aborted on the way back (its stage %i) and resumed, it goes on back',
    async (_id, nth, setting) => {
      const { world, checker, key } = await started(setting);
      const way: readonly string[] = plans[setting.secretClass.usual.plan].stages;
      world.abortAt = way.indexOf('verify') + 1;
      await world.rotate();
      await world.clock.advance(6 * hour);
      // The first stage of the attempt is settle.
      world.abortAt = nth + 1;
      world.goBack();
      await world.clock.advance(6 * hour);
      world.resume();
      await world.clock.advance(6 * hour);
      expect(checker.broken).toEqual([]);
      // Before the first move there is nothing to go on with but the request itself.
      expect(endsOf(world)).toEqual(['aborted', 'aborted', 'rolled-back']);
      expectSettled(world, key);
    },
  );
});

describe('the versions that a hook is told', () => {
  test('hold every key on the way back too, when AWSPREVIOUS is on another version by then', async () => {
    const { world, checker, key } = await started({
      ...withData(keyring, { consumers: 1 }),
      options: { ...keyring.options, introduce: false },
    });
    world.abortAt = plans['overlap-and-reencrypt'].stages.indexOf('verify') + 1;
    await world.rotate();
    await world.clock.advance(hour);
    const given = world.currentId();
    // Back to the first version; the data is not moved yet.
    world.abortAt = 3;
    world.goBack();
    await world.clock.advance(hour);
    const target = world.currentId() ?? '';
    // Somebody types a value, and takes it back.
    await world.edit();
    const typed = world.currentId() ?? '';
    await world.asOperator('UpdateSecretVersionStage', {
      SecretId: secretName,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: target,
      RemoveFromVersionId: typed,
    });
    expect(world.versions().find(({ labels }) => labels.includes('AWSPREVIOUS'))?.id).not.toBe(given);
    world.resume();
    await world.clock.advance(6 * hour);
    expect(endsOf(world).at(-1)).toBe('rolled-back');
    expectSettled(world, key);
    expect(checker.broken.filter((sentence) => sentence.includes('was not told'))).toEqual([]);
  });
});

describe('what its rollout gave up', () => {
  const cutover: Setting = {
    ...withData(keyring, { consumers: 1 }),
    options: { ...keyring.options, introduce: false },
  };

  test('stays readable until the way back is over, and no rotation forgets it', async () => {
    const { world, checker, key } = await started(cutover);
    world.abortAt = 5;
    await world.rotate();
    await world.clock.advance(6 * hour);
    const given = world.currentId();
    // Back to the first version; the data is not moved yet.
    world.abortAt = 3;
    world.goBack();
    await world.clock.advance(6 * hour);
    expect(keyIn(world)).toBe(key);
    expect(world.versions().find(({ id }) => id === given)?.labels).toContain(givenUpLabel);
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(keyIn(world)).toBe(key);
    expect(world.events.at(-1)?.detail).toMatchObject({ code: 'StepRefused', at: 'create' });
    world.resume();
    await world.clock.advance(6 * hour);
    expectSettled(world, key);
    expect(checker.broken.filter((sentence) => !sentence.includes('could not be read'))).toEqual([]);
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(endsOf(world).at(-1)).toBe('completed');
    expectSettled(world, keyIn(world));
  });
});

describe('a second rotation in the middle', () => {
  test('encryption-keyring: it takes over, with every key that data may be under', async () => {
    const { world, checker } = await started(keyring);
    world.abortAt = plans['overlap-and-reencrypt'].stages.indexOf('verify') + 1;
    await world.rotate();
    await world.clock.advance(hour);
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['aborted', 'completed']);
    expectSettled(world, keyIn(world));
  });

  test.each([versioned, envelope, single].map((setting) => [setting.secretClass.id, setting] as const))(
    '%s: it is refused, and does not stand in the way of the first',
    async (_id, setting) => {
      const { world, checker } = await started(setting);
      await world.rotate();
      await world.clock.advance(30_000);
      await world.rotate();
      await world.clock.advance(24 * hour);
      checker.atEnd(world);
      expect(checker.broken).toEqual([]);
      expect(endsOf(world)).toEqual(['completed']);
      expect(world.versions().flatMap(({ labels }) => labels)).not.toContain('AWSPENDING');
    },
  );
});

describe('the hook', () => {
  test.each([
    ['whose cursor is lost', { cursor: 'lost', beside: false }],
    ['whose cursor is stale', { cursor: 'stale', beside: false }],
    ['with two workers at once', { cursor: 'kept', beside: true }],
  ] as const)('%s', async (_what, faults) => {
    const { world, checker } = await started(withData(keyring, { rows: 7 }));
    Object.assign(world.store?.faults ?? {}, faults);
    await world.rotate();
    await world.clock.advance(24 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['completed']);
    expect(world.store?.faults.cursor).toBe('kept');
  });

  test('meets rows that nothing reads: the old key stays until each is acknowledged', async () => {
    const { world, checker } = await started(withData(keyring, { poisoned: 2 }));
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(endsOf(world)).toEqual(['stalled']);
    expect(world.currentDocument()?.memory?.phase).toBe('promoted');
    expect(world.events.at(-1)?.detail.reason).toContain(
      'rows poisoned-0 (unknown-key), rows poisoned-1 (unknown-key)',
    );
    const acknowledge = async (count: number) => {
      const ids = [0, 1].slice(0, count).map((index) => rowId('rows', `poisoned-${index}`));
      await world.asOperator('TagResource', {
        SecretId: secretName,
        Tags: [{ Key: `${acknowledgedTag}1`, Value: ids.join(' ') }],
      });
      world.resume();
      await world.clock.advance(24 * hour);
    };
    await acknowledge(1);
    expect(endsOf(world)).toEqual(['stalled', 'stalled']);
    await acknowledge(2);
    expect(endsOf(world)).toEqual(['stalled', 'stalled', 'completed']);
    expect(checker.broken).toEqual([]);
    expect(world.store?.rows.get('poisoned-0')?.written).toBe(0);
  });
});

describe('ranges', () => {
  const way: readonly string[] = plans['overlap-and-reencrypt'].stages;
  const nthOfRanges = way.indexOf('reencrypt') + 2;
  const ended = (world: World) => world.rollouts.at(-1)?.last.reencryption?.ranges;

  test('are swept before the stage that made them looks at everything, forward and back', async () => {
    const { world, checker, key } = await started(divided);
    world.abortAt = way.indexOf('verify') + 2;
    await world.rotate();
    await world.clock.advance(6 * hour);
    expect(world.rollouts[0]?.entered).toContain('sweep-range');
    expect(ended(world)).toMatchObject([{ target: 'rows', swept: 3, failed: 0 }]);
    expect(ended(world)?.[0]?.moved).toBeGreaterThan(0);
    world.goBack();
    await world.clock.advance(6 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['aborted', 'rolled-back']);
    expect(world.rollouts[1]?.entered).toContain('sweep-range');
    // They know the keys of the version that was given up.
    expect(ended(world)?.[0]?.moved).toBeGreaterThan(0);
    expectSettled(world, key);
  });

  test.each([
    ['whose cursor is lost', { cursor: 'lost' }],
    ['whose cursor is of another range', { cursor: 'stale' }],
    ['with two workers each', { beside: true }],
  ] as const)('%s', async (_what, faults) => {
    const { world, checker } = await started(divided);
    Object.assign(world.store?.faults ?? {}, faults);
    await world.rotate();
    await world.clock.advance(24 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['completed']);
    expect(world.store?.faults.cursor).toBe('kept');
    expectSettled(world, keyIn(world));
  });

  test('of which one fails for good: it is recorded, and the rest of it is moved after them', async () => {
    const { world, checker } = await started(divided);
    Object.assign(world.store?.faults ?? {}, { failingRange: true });
    await world.rotate();
    await world.clock.advance(24 * hour);
    checker.atEnd(world);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['completed']);
    expect(ended(world)).toMatchObject([{ swept: 2, failed: 1, code: 'ReencryptionFailed' }]);
    expectSettled(world, keyIn(world));
  });

  test.each([
    ['resumed', 'completed'],
    ['taken back', 'rolled-back'],
  ])('that were cut off before they were swept, and the rollout is %s', async (what, end) => {
    const { world, checker, key } = await started(divided);
    world.abortAt = nthOfRanges;
    await world.rotate();
    await world.clock.advance(6 * hour);
    expect(world.rollouts[0]?.last.ranges).toHaveLength(3);
    if (what === 'resumed') world.resume();
    else world.goBack();
    await world.clock.advance(6 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['aborted', end]);
    expect(world.rollouts[1]?.entered).toContain('sweep-range');
    expectSettled(world, end === 'completed' ? keyIn(world) : key);
  });
});

describe('consumers that fail', () => {
  test('after a resumed rollout had come to promote again: it goes back to the phase before, not to where it is', async () => {
    let failing = false;
    const { world, checker, key } = await started(
      withData(keyring, { refuses: ({ KEY }) => failing && KEY !== key }),
    );
    world.abortAt = plans['overlap-and-reencrypt'].stages.indexOf('reencrypt') + 1;
    await world.rotate();
    await world.clock.advance(6 * hour);
    world.resume();
    // Past the first redeploy, and not yet at the second.
    await world.clock.advance(25_000);
    failing = true;
    await world.clock.advance(6 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['aborted', 'rolled-back']);
    expectSettled(world, key);
  });

  test('with a rotation that overtook another: it goes back to the version that it began with, which has every key', async () => {
    const threeKeys = (accepted = '') => accepted.split(',').length > 1;
    const { world, checker, key } = await started(
      withData(keyring, { refuses: ({ ACCEPTED }) => threeKeys(ACCEPTED) }),
    );
    world.abortAt = plans['overlap-and-reencrypt'].stages.indexOf('verify') + 1;
    await world.rotate();
    await world.clock.advance(hour);
    const promoted = keyIn(world);
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['aborted', 'rolled-back']);
    expect(promoted).not.toBe(key);
    expectSettled(world, promoted);
  });

  test('to stop: those that did stop are started again, since no data was moved', async () => {
    const { world, checker, key } = await started(single);
    Object.assign(world.application.ecs, { stopping: async () => 1 });
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(checker.broken).toEqual([]);
    expect(endsOf(world)).toEqual(['rolled-back']);
    expect(world.application.values.length).toBeGreaterThan(0);
    expectSettled(world, key);
  });
});

describe('a value that somebody makes current while the consumers are stopped', () => {
  /** Where in the trace of a plain rotation something is called for the n-th time. */
  async function callOf(name: string, nth = 0): Promise<number> {
    const { world } = await started(single);
    stopsSlowly(world);
    await world.rotate();
    await world.clock.advance(24 * hour);
    const calls = [...world.gate.trace.entries()].filter(([, call]) => call === name);
    const [index] = calls[nth] ?? [];
    if (index === undefined) throw new Error(`${name} is not called so often`);
    return index;
  }

  async function edited(call: number, edit?: (world: World) => Promise<unknown>) {
    const checker = new Checker();
    const world = new World(single, new Map([[call, 'console-edit']]), 7, checker.check);
    if (edit !== undefined) {
      world.edit = async () => {
        world.edits.push('moved');
        await edit(world);
      };
    }
    await world.start();
    stopsSlowly(world);
    const key = keyIn(world);
    await world.rotate();
    await world.clock.advance(24 * hour);
    return { world, checker, key };
  }

  /** A value that is typed in the very moment in which a rotation ends looks like one that it made. */
  function stopsSlowly(world: World): void {
    let left = 2;
    Object.assign(world.application.ecs, {
      stopping: async () => {
        left -= 1;
        return Math.max(0, left);
      },
    });
  }

  const moveCurrent = (world: World, to: string) =>
    world.asOperator('UpdateSecretVersionStage', {
      SecretId: secretName,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: to,
      RemoveFromVersionId: world.currentId() ?? '',
    });
  const stoppedMark = async (world: World) => {
    const { Tags = [] } = await world.asOperator('DescribeSecret', { SecretId: secretName });
    return (Tags as { Key: string; Value: string }[]).find(({ Key }) => Key === stoppedTag)?.Value;
  };

  test.each([
    ['before any row is moved', 'SELECT', 0],
    ['when one row is moved', 'UPDATE', 1],
    ['when every row is moved', 'UPDATE', 3],
  ])(
    'a key that opens nothing, %s: it stalls and says what to do; that done, it completes',
    async (_when, name, nth) => {
      const { world, checker } = await edited(await callOf(name, nth));
      expect(endsOf(world)).toEqual(['stalled']);
      expect(world.applications.flatMap(({ values }) => values)).toEqual([]);
      const { versionId } = world.rollouts[0] ?? {};
      const { detail } = world.events.at(-1) ?? {};
      expect(detail).toMatchObject({ code: 'ConsumersStopped', next: 'npx keyturn resume SECRET' });
      expect(detail?.reason).toMatch(
        new RegExp(
          `was made current by hand, and \\d+ data are under another key .+ stay so. Version ${versionId} holds every key`,
        ),
      );
      expect(await stoppedMark(world)).toContain(versionId);

      // What the person does next is an edit too.
      world.edits.push(versionId ?? '');
      await moveCurrent(world, versionId ?? '');
      world.resume();
      await world.clock.advance(24 * hour);
      expect(endsOf(world)).toEqual(['stalled', 'completed']);
      expectSettled(world, keyIn(world));
      expect(await stoppedMark(world)).toBe('none');
      expect(checker.broken).toEqual([]);
    },
  );

  test.each([
    ['before any row is moved', 'SELECT', 0],
    ['when every row is moved', 'UPDATE', 3],
  ])('a key that opens nothing, %s: resumed as it is, it is given up', async (_when, name, nth) => {
    const { world, key } = await edited(await callOf(name, nth));
    world.resume();
    await world.clock.advance(24 * hour);
    expect(endsOf(world)).toEqual(['stalled', 'rolled-back']);
    expectSettled(world, key);
    expect(await stoppedMark(world)).toBe('none');
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(endsOf(world).at(-1)).toBe('completed');
    expectSettled(world, keyIn(world));
  });

  test('the version from before, while all data is under its key still: it starts the consumers with that', async () => {
    const { world, checker, key } = await edited((await callOf('SELECT')) - 1, (at) =>
      moveCurrent(at, at.versions()[0]?.id ?? ''),
    );
    expect(endsOf(world)).toEqual(['superseded']);
    expectSettled(world, key);
    expect(world.events.at(-1)).toMatchObject({ type: 'Rollout Completed' });
    expect(await stoppedMark(world)).toBe('none');
    await world.rotate();
    await world.clock.advance(24 * hour);
    expect(endsOf(world)).toEqual(['superseded', 'completed']);
    expectSettled(world, keyIn(world));
    expect(checker.broken).toEqual([]);
  });

  test('the version from before, when a row is under the new key: it does not start them', async () => {
    const { world } = await edited(await callOf('UPDATE', 1), (at) =>
      moveCurrent(at, at.versions()[0]?.id ?? ''),
    );
    expect(endsOf(world)).toEqual(['stalled']);
    expect(world.applications.flatMap(({ values }) => values)).toEqual([]);
  });

  test('is told again every day, until they run', async () => {
    const { world } = await edited(await callOf('UPDATE', 1));
    world.sweepEvery();
    const told = () =>
      world.events.filter(({ detail }) =>
        detail.reason?.startsWith('The consumers of shop/secret were stopped'),
      );
    await world.clock.advance(3 * 24 * hour);
    expect(told()).toHaveLength(3);
    expect(told()[0]).toMatchObject({
      type: 'Rollout Stalled',
      detail: { next: 'npx keyturn resume SECRET' },
    });
    const { versionId = '' } = world.rollouts[0] ?? {};
    world.edits.push(versionId);
    await moveCurrent(world, versionId);
    world.resume();
    await world.clock.advance(5 * 24 * hour);
    expect(endsOf(world)).toEqual(['stalled', 'completed']);
    expect(told()).toHaveLength(3);
  });
});
