/** RotateSecret and what follows it, in process on a virtual clock: reference sections 1 and 9. */
import { beforeEach, describe, expect, test } from 'vitest';
import { callers, functionArn, promote, refusal, rotationFunction, token, World } from './world.ts';

let world: World;
let name: string;
let first: string;

beforeEach(async () => {
  world = new World();
  world.handler = rotationFunction(world);
  name = world.name();
  first = token();
  await world.call('CreateSecret', { Name: name, ClientRequestToken: first, SecretString: 'old' });
  world.events.length = 0;
});

async function rotate(input: Record<string, boolean | string | { [name: string]: number | string }> = {}) {
  const id = token();
  await world.call('RotateSecret', {
    SecretId: name,
    ClientRequestToken: id,
    RotationLambdaARN: functionArn,
    ...input,
  });
  return id;
}

const describeSecret = () => world.call('DescribeSecret', { SecretId: name });

const pendingText = {
  code: 'InvalidRequestException',
  message: "A previous rotation isn't complete. That rotation will be reattempted.",
};

describe('a rotation that works', () => {
  test('[V 1.2, point 2] answers first and runs the steps afterwards', async () => {
    const id = token();
    const answer = await world.call('RotateSecret', {
      SecretId: name,
      ClientRequestToken: id,
      RotationLambdaARN: functionArn,
    });
    expect(Object.keys(answer)).toEqual(['ARN', 'Name', 'VersionId']);
    expect(answer.VersionId).toBe(id);
    expect(world.invocations).toEqual([]);
    await world.clock.advance(0);
    expect(world.invocations.map((event) => event.Step)).toEqual([
      'createSecret',
      'setSecret',
      'testSecret',
      'finishSecret',
    ]);
  });

  test('[D/O 1.4, point 2] gives every step the full ARN, the same token and a RotationToken of its own', async () => {
    const id = await rotate();
    await world.clock.advance(0);
    const { ARN } = await describeSecret();
    expect(ARN).toMatch(/-x-[A-Za-z0-9]{6}$/);
    expect(new Set(world.invocations.map((event) => event.SecretId))).toEqual(new Set([ARN]));
    expect(new Set(world.invocations.map((event) => event.ClientRequestToken))).toEqual(new Set([id]));
    const rotationTokens = world.invocations.map((event) => event.RotationToken);
    expect(new Set(rotationTokens).size).toBe(4);
    for (const each of rotationTokens) expect(each).toMatch(/^[a-zA-Z0-9-]{36,256}$/);
  });

  test('[V 1.3, point 3] opens a pending version without a value: described, not listed, not readable', async () => {
    const seen: unknown[] = [];
    world.handler = async ({ SecretId, ClientRequestToken }) => {
      const described = await describeSecret();
      const listed = await world.call('ListSecretVersionIds', { SecretId, IncludeDeprecated: true });
      const read = (input: { VersionId?: string; VersionStage?: string }) =>
        refusal(world.call('GetSecretValue', { SecretId, ...input }));
      seen.push(
        described.RotationEnabled,
        (described.VersionIdsToStages as Record<string, string[]>)[ClientRequestToken],
        (listed.Versions as { VersionId: string; VersionStages: string[] }[]).map((v) => v.VersionStages),
        (await read({ VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' })).code,
        (await read({ VersionStage: 'AWSPENDING' })).message,
      );
      throw new Error('enough');
    };
    await rotate();
    await world.clock.advance(0);
    expect(seen).toEqual([
      true,
      ['AWSPENDING'],
      [['AWSCURRENT']],
      'ResourceNotFoundException',
      "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    ]);
  });

  test('[V 1.7] ends with the new version current, the old one previous and no pending label', async () => {
    const id = await rotate({ RotationRules: { AutomaticallyAfterDays: 1 } });
    await world.clock.advance(0);
    expect(world.labels(name)).toEqual({ AWSCURRENT: id, AWSPREVIOUS: first });
    const described = await describeSecret();
    await world.call('GetSecretValue', { SecretId: name });
    expect(new Set(Object.keys(await describeSecret()))).toEqual(
      new Set([
        'ARN',
        'CreatedDate',
        'LastAccessedDate',
        'LastChangedDate',
        'LastRotatedDate',
        'Name',
        'NextRotationDate',
        'RotationEnabled',
        'RotationLambdaARN',
        'RotationRules',
        'VersionIdsToStages',
      ]),
    );
    expect(described.LastRotatedDate).toBe(world.clock.now() / 1000);
    expect(world.secrets.runs.map((run) => run.status)).toEqual(['succeeded']);
  });

  test('[V 1.1, 1.7] a second call needs no argument, and afterwards the oldest version is described no more', async () => {
    const second = await rotate();
    await world.clock.advance(0);
    const third = token();
    await world.call('RotateSecret', { SecretId: name, ClientRequestToken: third });
    await world.clock.advance(0);
    const stages = (await describeSecret()).VersionIdsToStages;
    expect(stages).toEqual({ [second]: ['AWSPREVIOUS'], [third]: ['AWSCURRENT'] });
    expect(world.secrets.snapshot(name)?.map((version) => version.id)).toEqual([first, second, third]);
  });

  test('[D/O 5.1, 5.2, point 11] puts RotationStarted, the label event of AWSCURRENT, RotationSucceeded', async () => {
    const id = await rotate();
    await world.clock.advance(0);
    expect(world.eventNames).toEqual(['RotationStarted', 'label AWSCURRENT', 'RotationSucceeded']);
    const { ARN } = await describeSecret();
    expect(world.events[1]).toEqual({
      source: 'aws.secretsmanager',
      'detail-type': 'Secret Label Updated',
      resources: [ARN],
      detail: { name, labelUpdated: 'AWSCURRENT', versionId: id },
    });
    expect(world.events[2]).toMatchObject({
      source: 'aws.secretsmanager',
      'detail-type': 'AWS Service Event via CloudTrail',
      resources: [],
      detail: {
        eventType: 'AwsServiceEvent',
        eventSource: 'secretsmanager.amazonaws.com',
        requestParameters: null,
        responseElements: null,
        additionalEventData: { SecretId: ARN },
        requestID: `Rotation-${String(ARN)}-${id}`,
        userIdentity: { accountId: '111122223333', invokedBy: 'secretsmanager.amazonaws.com' },
        readOnly: false,
        managementEvent: true,
        eventCategory: 'Management',
      },
    });
  });

  test('[O 1.7, point 6] keeps AWSPENDING beside AWSCURRENT for the configured delay, or for ever', async () => {
    world.secrets.options.pendingRemovalDelay = 2_000;
    const id = await rotate();
    await world.clock.advance(1_999);
    expect(world.labels(name)).toEqual({ AWSCURRENT: id, AWSPENDING: id, AWSPREVIOUS: first });
    expect(world.eventNames).toContain('RotationSucceeded');
    await world.clock.advance(1);
    expect(world.labels(name)).toEqual({ AWSCURRENT: id, AWSPREVIOUS: first });
    world.secrets.options.pendingRemovalDelay = 'never';
    const later = await rotate();
    await world.clock.advance(1e9);
    expect(world.labels(name)).toEqual({ AWSCURRENT: later, AWSPENDING: later, AWSPREVIOUS: id });
    const next = await rotate();
    await world.clock.advance(0);
    expect(world.labels(name).AWSCURRENT).toBe(next);
  });

  test('[V 1.7] a function that removes AWSPENDING itself after the move is accepted', async () => {
    const usual = rotationFunction(world);
    world.handler = async (event) => {
      await usual(event);
      const { Step, SecretId, ClientRequestToken } = event;
      if (Step !== 'finishSecret') return null;
      const removal = { SecretId, VersionStage: 'AWSPENDING', RemoveFromVersionId: ClientRequestToken };
      return world.call('UpdateSecretVersionStage', removal, callers.FUNCTION);
    };
    const id = await rotate();
    await world.clock.advance(0);
    expect(world.labels(name)).toEqual({ AWSCURRENT: id, AWSPREVIOUS: first });
    expect(world.secrets.runs[0]?.status).toBe('succeeded');
  });

  test('rotates a secret without a value when the function can', async () => {
    const empty = world.name();
    await world.call('CreateSecret', { Name: empty, ClientRequestToken: token() });
    const id = await rotate({ SecretId: empty });
    await world.clock.advance(0);
    expect(world.labels(empty)).toEqual({ AWSCURRENT: id });
  });
});

describe('a rotation that fails', () => {
  const failing = (step: string, times = Number.POSITIVE_INFINITY) => {
    const usual = rotationFunction(world);
    let left = times;
    world.handler = async (event) => {
      if (event.Step === step && left > 0) {
        left -= 1;
        throw new Error('no');
      }
      return usual(event);
    };
  };

  test.each(['createSecret', 'setSecret', 'testSecret', 'finishSecret'])(
    '[D 1.5, point 5] in %s: keeps AWSPENDING and AWSCURRENT, sets no date, says which step',
    async (step) => {
      failing(step);
      const id = await rotate();
      await world.clock.advance(0);
      expect(world.labels(name)).toEqual({ AWSCURRENT: first, AWSPENDING: id });
      expect(await describeSecret()).not.toHaveProperty('LastRotatedDate');
      expect(world.eventNames).toEqual(['RotationStarted', 'RotationFailed']);
      expect(world.events[1]?.detail.errorMessage).toBe(
        `Error when executing lambda ${functionArn} during ${step} step`,
      );
      expect(world.invocations.at(-1)?.Step).toBe(step);
    },
  );

  test('[D 1.5, point 5] runs all four steps again with the same token after each delay, then keeps the first value', async () => {
    world.secrets.options.retryDelays = [1_000, 2_000];
    failing('testSecret', 2);
    const id = await rotate();
    await world.clock.advance(999);
    expect(world.invocations).toHaveLength(3);
    await world.clock.advance(1);
    expect(world.invocations).toHaveLength(6);
    await world.clock.advance(2_000);
    expect(world.invocations.map((event) => event.Step)).toEqual([
      ...['createSecret', 'setSecret', 'testSecret'],
      ...['createSecret', 'setSecret', 'testSecret'],
      ...['createSecret', 'setSecret', 'testSecret', 'finishSecret'],
    ]);
    expect(new Set(world.invocations.map((event) => event.ClientRequestToken))).toEqual(new Set([id]));
    expect(new Set(world.invocations.map((event) => event.RotationToken)).size).toBe(10);
    expect(world.labels(name).AWSCURRENT).toBe(id);
    expect(world.secrets.runs[0]?.attempts.map((attempt) => attempt.steps.length)).toEqual([3, 3, 4]);
  });

  test.each([
    ['RotateSecret', {}],
    [
      'a change of the schedule only',
      { RotateImmediately: false, RotationRules: { AutomaticallyAfterDays: 9 } },
    ],
  ])(
    '[O 1.5, point 5] refuses %s while AWSPENDING is on a version that is not current',
    async (_what, input) => {
      failing('setSecret');
      await rotate();
      await world.clock.advance(0);
      expect(await refusal(rotate(input))).toEqual(pendingText);
      expect((await describeSecret()).RotationRules).toBeUndefined();
    },
  );

  test('[I 1.5] refuses a second call while the first run is healthy', async () => {
    await rotate();
    expect(await refusal(rotate())).toEqual(pendingText);
  });

  test('refuses a call between the label move and the end of finishSecret', async () => {
    const works = rotationFunction(world);
    const refusals: unknown[] = [];
    world.handler = async (event) => {
      await works(event);
      if (event.Step === 'finishSecret') refusals.push(await refusal(rotate()));
      return null;
    };
    await rotate();
    await world.clock.advance(0);
    expect(refusals).toEqual([pendingText]);
  });

  test('counts the delays anew in every window', async () => {
    world.secrets.options.retryDelays = [60_000];
    failing('createSecret');
    await rotate({ RotationRules: { ScheduleExpression: 'cron(0 3 * * ? *)' } });
    await world.clock.advance(3 * 3_600_000 + 60_000);
    expect(world.secrets.runs[0]?.attempts).toHaveLength(4);
  });

  test('a change within the window does not open the window again', async () => {
    world.secrets.options.retryDelays = [];
    failing('createSecret');
    await rotate({ RotateImmediately: false, RotationRules: { ScheduleExpression: 'cron(0 3 * * ? *)' } });
    await world.clock.advance(4 * 3_600_000);
    await world.call('TagResource', { SecretId: name, Tags: [{ Key: 'a', Value: 'b' }] });
    await world.clock.advance(3_600_000);
    expect(world.secrets.runs.at(-1)?.attempts).toHaveLength(1);
  });

  test('[O 1.5, point 5] rests after the last delay until the next window, and then takes the same token', async () => {
    world.secrets.options.retryDelays = [];
    failing('setSecret', 1);
    const id = await rotate({ RotationRules: { ScheduleExpression: 'cron(0 3 * * ? *)', Duration: '2h' } });
    await world.clock.advance(3 * 3_600_000 - 1);
    expect(world.secrets.runs[0]?.status).toBe('resting');
    await world.clock.advance(1);
    expect(world.labels(name)).toEqual({ AWSCURRENT: id, AWSPREVIOUS: first });
  });

  test('[D 1.5] NextRotationDate stays in the past while no attempt succeeds', async () => {
    world.secrets.options.retryDelays = [];
    failing('setSecret');
    await rotate({ RotationRules: { ScheduleExpression: 'rate(1 day)' } });
    await world.clock.advance(5 * 86_400_000);
    const next = (await describeSecret()).NextRotationDate;
    expect(Number(next) * 1000).toBeLessThan(world.clock.now());
    expect(world.secrets.runs[0]?.attempts).toHaveLength(6);
  });

  test('a function that finishes without moving AWSCURRENT has not rotated', async () => {
    const usual = rotationFunction(world);
    world.handler = async (event) => (event.Step === 'finishSecret' ? null : usual(event));
    const id = await rotate();
    await world.clock.advance(0);
    expect(world.labels(name)).toEqual({ AWSCURRENT: first, AWSPENDING: id });
    expect(world.eventNames.at(-1)).toBe('RotationFailed');
  });

  test('a permission that is gone when the run starts fails it', async () => {
    await rotate();
    world.permitted.clear();
    await world.clock.advance(0);
    expect(world.invocations).toEqual([]);
    expect(world.eventNames).toEqual(['RotationStarted', 'RotationFailed']);
  });

  test('[D 1.8] AWSPENDING taken away by hand ends the run and clears the way for another', async () => {
    failing('setSecret', 1);
    const id = await rotate();
    await world.clock.advance(0);
    await world.call('UpdateSecretVersionStage', {
      SecretId: name,
      VersionStage: 'AWSPENDING',
      RemoveFromVersionId: id,
    });
    const next = await rotate();
    await world.clock.advance(3_600_000);
    expect(world.labels(name)).toEqual({ AWSCURRENT: next, AWSPREVIOUS: first });
    expect(world.invocations.filter((event) => event.ClientRequestToken === id)).toHaveLength(2);
  });
});

describe('AWSPENDING that stayed beside AWSCURRENT', () => {
  test('[D 1.5] is unfinished business once AWSCURRENT is moved back, and refuses the next rotation', async () => {
    world.secrets.options.pendingRemovalDelay = 'never';
    const id = await rotate();
    await world.clock.advance(0);
    await promote(world, name, first, callers.OPERATOR);
    expect(world.labels(name)).toEqual({ AWSCURRENT: first, AWSPENDING: id, AWSPREVIOUS: id });
    expect(await refusal(rotate())).toEqual(pendingText);
  });
});

describe('who wrote the pending value', () => {
  test('[D 1.4, point 7] another identity without RotationToken fails the run', async () => {
    world.handler = async ({ SecretId, ClientRequestToken }) => {
      const input = { SecretId, ClientRequestToken, SecretString: 'x', VersionStages: ['AWSPENDING'] };
      await world.call('PutSecretValue', input, callers.ASSUMED);
      return null;
    };
    const id = await rotate();
    await world.clock.advance(0);
    const { ARN } = await describeSecret();
    expect(world.events.at(-1)?.detail.errorMessage).toBe(
      `Pending secret version ${id} for Secret ${String(ARN)} was not created by Lambda ${functionArn}. Remove the AWSPENDING staging label and restart rotation`,
    );
    expect(world.invocations).toHaveLength(1);
  });

  test('[D 1.4, point 7] another identity with RotationToken is accepted', async () => {
    world.handler = rotationFunction(world, callers.ASSUMED);
    const id = await rotate();
    await world.clock.advance(0);
    expect(world.labels(name).AWSCURRENT).toBe(id);
  });

  test('the function itself needs no RotationToken, also under a qualified ARN', async () => {
    const qualified = `${functionArn}:live`;
    world.permitted.add(qualified);
    const usual = rotationFunction(world);
    world.handler = async (event) => {
      if (event.Step !== 'createSecret') return usual(event);
      const { SecretId, ClientRequestToken } = event;
      const input = { SecretId, ClientRequestToken, SecretString: 'x', VersionStages: ['AWSPENDING'] };
      return world.call('PutSecretValue', input, callers.FUNCTION);
    };
    const id = await rotate({ RotationLambdaARN: qualified });
    await world.clock.advance(0);
    expect(world.labels(name).AWSCURRENT).toBe(id);
  });
});

describe('RotateImmediately=false', () => {
  test('[V 1.6, point 4] runs only testSecret, on a new version with a copy of the current value, and removes it', async () => {
    const seen: unknown[] = [];
    world.handler = async ({ Step, SecretId, ClientRequestToken }) => {
      const pending = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' };
      const read = await world.call('GetSecretValue', pending, callers.FUNCTION);
      seen.push(Step, read.SecretString, ClientRequestToken !== first);
      return null;
    };
    const id = await rotate({ RotateImmediately: false, RotationRules: { AutomaticallyAfterDays: 30 } });
    expect(world.labels(name)).toEqual({ AWSCURRENT: first, AWSPENDING: id });
    await world.clock.advance(0);
    expect(seen).toEqual(['testSecret', 'old', true]);
    expect(world.secrets.snapshot(name)?.map((version) => version.id)).toEqual([first]);
    expect(world.eventNames).toEqual(['TestRotationStarted', 'TestRotationSucceeded']);
    const described = await describeSecret();
    expect(described.RotationEnabled).toBe(true);
    expect(described).not.toHaveProperty('LastRotatedDate');
  });

  test('[D 1.6, point 4] a failed test is reported, leaves nothing behind and is not repeated', async () => {
    world.handler = async () => {
      throw new Error('no');
    };
    await rotate({ RotateImmediately: false });
    await world.clock.advance(1e9);
    expect(world.eventNames).toEqual(['TestRotationStarted', 'TestRotationFailed']);
    expect(world.labels(name)).toEqual({ AWSCURRENT: first });
    expect((await describeSecret()).RotationEnabled).toBe(true);
  });

  test('an empty secret gets an empty pending version', async () => {
    const empty = world.name();
    await world.call('CreateSecret', { Name: empty, ClientRequestToken: token() });
    const id = await rotate({ SecretId: empty, RotateImmediately: false });
    expect(world.secrets.snapshot(empty)).toMatchObject([{ id, labels: ['AWSPENDING'], value: null }]);
    await world.clock.advance(0);
    expect(world.secrets.snapshot(empty)).toEqual([]);
  });

  test('the answer names a VersionId or not, by option', async () => {
    const input = { SecretId: name, RotationLambdaARN: functionArn, RotateImmediately: false };
    const id = token();
    expect(await world.call('RotateSecret', { ...input, ClientRequestToken: id })).toHaveProperty(
      'VersionId',
      id,
    );
    await world.clock.advance(0);
    world.secrets.options.testRunAnswersVersionId = false;
    const without = await world.call('RotateSecret', { ...input, ClientRequestToken: token() });
    expect(without).not.toHaveProperty('VersionId');
  });
});

describe('a hand on AWSCURRENT during a run', () => {
  const stuck = async () => {
    const usual = rotationFunction(world);
    world.handler = async (event) => {
      if (event.Step === 'setSecret') throw new Error('no');
      return usual(event);
    };
    const id = await rotate();
    await world.clock.advance(0);
    world.events.length = 0;
    return id;
  };

  test('[D 1.8, point 8] PutSecretValue abandons the rotation: no AWSPENDING, RotationAbandoned, no repetition', async () => {
    const id = await stuck();
    const manual = token();
    await world.call('PutSecretValue', {
      SecretId: name,
      ClientRequestToken: manual,
      SecretString: 'by hand',
    });
    expect(world.labels(name)).toEqual({ AWSCURRENT: manual, AWSPREVIOUS: first });
    expect(world.eventNames).toEqual(['label AWSCURRENT', 'RotationAbandoned']);
    await world.clock.advance(1e9);
    expect(world.secrets.runs.map((run) => run.status)).toEqual(['abandoned']);
    // The value that the target may already have is still there, without a label.
    expect(world.secrets.snapshot(name)?.map((version) => version.id)).toContain(id);
  });

  test('[D 1.8, point 8] so does UpdateSecret, and UpdateSecretVersionStage to another version', async () => {
    await stuck();
    await world.call('UpdateSecret', {
      SecretId: name,
      ClientRequestToken: token(),
      SecretString: 'by hand',
    });
    expect(world.secrets.runs[0]?.status).toBe('abandoned');
    await stuck();
    await promote(world, name, first, callers.OPERATOR);
    expect(world.secrets.runs[1]?.status).toBe('abandoned');
    expect(world.labels(name)).not.toHaveProperty('AWSPENDING');
  });

  test('during a step: the steps after it are not invoked', async () => {
    world.handler = async ({ Step }) => {
      const input = { SecretId: name, ClientRequestToken: token(), SecretString: 'by hand' };
      return Step === 'setSecret' ? world.call('PutSecretValue', input) : null;
    };
    await rotate();
    await world.clock.advance(1e9);
    expect(world.invocations.map((event) => event.Step)).toEqual(['createSecret', 'setSecret']);
    expect(world.eventNames).toEqual(['RotationStarted', 'label AWSCURRENT', 'RotationAbandoned']);
  });
});

describe('CancelRotateSecret', () => {
  test('[D 1.8] turns rotation off, keeps settings and AWSPENDING, names the half-made version', async () => {
    world.handler = async () => {
      throw new Error('no');
    };
    const id = await rotate({ RotationRules: { AutomaticallyAfterDays: 7 } });
    await world.clock.advance(0);
    const answer = await world.call('CancelRotateSecret', { SecretId: name });
    expect(answer).toMatchObject({ Name: name, VersionId: id });
    expect(await describeSecret()).toMatchObject({
      RotationEnabled: false,
      RotationLambdaARN: functionArn,
      RotationRules: { AutomaticallyAfterDays: 7 },
    });
    expect(world.labels(name)).toEqual({ AWSCURRENT: first, AWSPENDING: id });
    await world.clock.advance(30 * 86_400_000);
    expect(world.invocations).toHaveLength(1);
    expect(await refusal(rotate())).toEqual(pendingText);
  });

  test('during a step: no further step; after the label is gone RotateSecret enables rotation again', async () => {
    world.handler = async () => world.call('CancelRotateSecret', { SecretId: name });
    const id = await rotate();
    await world.clock.advance(0);
    expect(world.invocations).toHaveLength(1);
    const removal = { SecretId: name, VersionStage: 'AWSPENDING', RemoveFromVersionId: id };
    await world.call('UpdateSecretVersionStage', removal);
    world.handler = rotationFunction(world);
    const next = await rotate();
    await world.clock.advance(0);
    expect(world.labels(name).AWSCURRENT).toBe(next);
    expect((await describeSecret()).RotationEnabled).toBe(true);
  });

  test('of a secret that was never configured is refused', async () => {
    expect((await refusal(world.call('CancelRotateSecret', { SecretId: name }))).code).toBe(
      'InvalidRequestException',
    );
  });
});

describe('events and reads that are not perfect', () => {
  test('[point 12] events come twice or not at all, by option', async () => {
    world.secrets.options.eventFaults = {
      drop: (event) => event.detail.eventName === 'RotationSucceeded',
      duplicate: (event) => event['detail-type'] === 'Secret Label Updated',
    };
    await rotate();
    await world.clock.advance(0);
    expect(world.eventNames).toEqual(['RotationStarted', 'label AWSCURRENT', 'label AWSCURRENT']);
  });

  test('[D 2.5, point 9] GetSecretValue and DescribeSecret stay behind by the read lag', async () => {
    await world.clock.advance(1_000);
    world.secrets.options.readLag = 500;
    const id = token();
    await world.call('PutSecretValue', { SecretId: name, ClientRequestToken: id, SecretString: 'new' });
    const read = async () => (await world.call('GetSecretValue', { SecretId: name })).SecretString;
    await world.clock.advance(499);
    expect(await read()).toBe('old');
    expect((await describeSecret()).VersionIdsToStages).toEqual({ [first]: ['AWSCURRENT'] });
    await world.clock.advance(1);
    expect(await read()).toBe('new');
    world.secrets.options.readLag = 86_400_000;
    await world.clock.advance(1_000);
    expect((await refusal(describeSecret())).code).toBe('ResourceNotFoundException');
    world.secrets.options.readLag = 500;
    const late = world.name();
    await world.call('CreateSecret', { Name: late, ClientRequestToken: token(), SecretString: 'x' });
    expect((await refusal(world.call('DescribeSecret', { SecretId: late }))).code).toBe(
      'ResourceNotFoundException',
    );
  });
});
