/**
 * Versions, labels and tokens through the unmodified SDK: reference section 2. Every row marked [V] was recorded
 * against AWS; [D] is documented, [O] observed.
 */
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, test } from 'vitest';
import { refusal, servedWorld, token } from './world.ts';

const { world, client } = servedWorld();

/** A version's letter -> its id. */
type Ids = Partial<Record<string, string>>;

/**
 * A move: `create A`, `put B [X Y]`, `update B`, `move LABEL A>B`, `add LABEL >B`, `remove LABEL A>`. Letters
 * stand for versions.
 */
async function play(name: string, moves: readonly string[]): Promise<Ids> {
  const ids: Ids = {};
  for (const move of moves) {
    const [verb, what = '', where = ''] = move.split(/ (?![^[]*\])/);
    if (verb === 'create' || verb === 'put' || verb === 'update') {
      const id = token();
      ids[what] = id;
      const written = { ClientRequestToken: id, SecretString: `value ${what}` };
      const stages = where === '' ? {} : { VersionStages: where.slice(1, -1).split(' ') };
      if (verb === 'create') await client().send(new CreateSecretCommand({ Name: name, ...written }));
      if (verb === 'update') await client().send(new UpdateSecretCommand({ SecretId: name, ...written }));
      if (verb === 'put') {
        await client().send(new PutSecretValueCommand({ SecretId: name, ...written, ...stages }));
      }
    } else {
      const [from = '', to = ''] = where.split('>');
      await client().send(
        new UpdateSecretVersionStageCommand({
          SecretId: name,
          VersionStage: what,
          RemoveFromVersionId: ids[from],
          MoveToVersionId: ids[to],
        }),
      );
    }
  }
  return ids;
}

/** Label lists by letter, as DescribeSecret tells. */
async function described(name: string, ids: Ids): Promise<Record<string, string>> {
  const { VersionIdsToStages = {} } = await client().send(new DescribeSecretCommand({ SecretId: name }));
  const found: Record<string, string> = {};
  for (const [letter, id = ''] of Object.entries(ids)) {
    const labels = VersionIdsToStages[id];
    if (labels) found[letter] = [...labels].sort((a, b) => (a < b ? -1 : 1)).join(' ');
  }
  return found;
}

describe('label moves', () => {
  const rows: [sentence: string, moves: string[], labels: Record<string, string>][] = [
    ['[V 2.1] CreateSecret with a value makes it AWSCURRENT', ['create A'], { A: 'AWSCURRENT' }],
    [
      '[V 2.1] PutSecretValue without stages makes the new version AWSCURRENT and the old one AWSPREVIOUS',
      ['create A', 'put B'],
      { A: 'AWSPREVIOUS', B: 'AWSCURRENT' },
    ],
    [
      '[V 2.1] the old AWSPREVIOUS loses the label and disappears from DescribeSecret',
      ['create A', 'put B', 'put C'],
      { B: 'AWSPREVIOUS', C: 'AWSCURRENT' },
    ],
    [
      '[V 2.1] PutSecretValue with stages attaches exactly these and leaves AWSCURRENT alone',
      ['create A', 'put B [one two]'],
      { A: 'AWSCURRENT', B: 'one two' },
    ],
    [
      '[V 2.1] PutSecretValue takes each label away from whichever version has it, without an error',
      ['create A', 'put B [one two three]', 'put C [one two four]'],
      { A: 'AWSCURRENT', B: 'three', C: 'four one two' },
    ],
    [
      '[V 2.1] a version whose labels have all been taken is unlabelled',
      ['create A', 'put B [one two three]', 'put C [one two three four]'],
      { A: 'AWSCURRENT', C: 'four one three two' },
    ],
    [
      '[V 2.1] AWSPENDING moves to the new version when the current version has it as well',
      ['create A', 'put B [AWSPENDING]', 'move AWSCURRENT A>B', 'put C [AWSPENDING]'],
      { A: 'AWSPREVIOUS', B: 'AWSCURRENT', C: 'AWSPENDING' },
    ],
    [
      '[V 2.1] PutSecretValue over a version that is current and pending leaves that one AWSPREVIOUS only',
      ['create A', 'put B [AWSPENDING]', 'move AWSCURRENT A>B', 'put C'],
      { B: 'AWSPREVIOUS', C: 'AWSCURRENT' },
    ],
    [
      '[V 2.1] the cycle of pending versions works twice',
      [
        'create A',
        'put B [AWSPENDING]',
        'move AWSCURRENT A>B',
        'put C [AWSPENDING]',
        'move AWSCURRENT B>C',
        'put D [AWSPENDING]',
      ],
      { B: 'AWSPREVIOUS', C: 'AWSCURRENT', D: 'AWSPENDING' },
    ],
    [
      '[V 2.1] UpdateSecret with a value works as PutSecretValue without stages',
      ['create A', 'update B'],
      {
        A: 'AWSPREVIOUS',
        B: 'AWSCURRENT',
      },
    ],
    [
      '[V 2.1] UpdateSecretVersionStage of AWSCURRENT gives AWSPREVIOUS to the old one; both keep their other labels',
      ['create A', 'add mine >A', 'put B [AWSPENDING yours]', 'move AWSCURRENT A>B'],
      { A: 'AWSPREVIOUS mine', B: 'AWSCURRENT AWSPENDING yours' },
    ],
    [
      '[V 2.1] UpdateSecretVersionStage of AWSCURRENT takes AWSPREVIOUS from its former holder',
      ['create A', 'put B', 'put C [AWSPENDING]', 'move AWSCURRENT B>C'],
      { B: 'AWSPREVIOUS', C: 'AWSCURRENT AWSPENDING' },
    ],
    [
      '[V 2.1] UpdateSecretVersionStage of another label moves only that one',
      ['create A', 'put B', 'add mine >A', 'move mine A>B'],
      { A: 'AWSPREVIOUS', B: 'AWSCURRENT mine' },
    ],
    [
      '[V 2.1] a custom name may start with AWS',
      ['create A', 'add AWSSOMETHING >A'],
      {
        A: 'AWSCURRENT AWSSOMETHING',
      },
    ],
    [
      '[V 2.1] a custom label pins a version beyond AWSPREVIOUS',
      ['create A', 'add PUT0 >A', 'put B', 'put C'],
      { A: 'PUT0', B: 'AWSPREVIOUS', C: 'AWSCURRENT' },
    ],
    [
      '[V 2.1] moving AWSCURRENT outside a rotation leaves AWSPENDING beside it',
      ['create A', 'put B [AWSPENDING]', 'move AWSCURRENT A>B'],
      { A: 'AWSPREVIOUS', B: 'AWSCURRENT AWSPENDING' },
    ],
    [
      '[D 2.2] moving AWSCURRENT back swaps AWSCURRENT and AWSPREVIOUS',
      ['create A', 'put B', 'move AWSCURRENT B>A'],
      { A: 'AWSCURRENT', B: 'AWSPREVIOUS' },
    ],
    [
      '[D 2.2] RemoveFromVersionId alone removes a label',
      ['create A', 'put B [AWSPENDING]', 'remove AWSPENDING B>'],
      { A: 'AWSCURRENT' },
    ],
  ];

  test.each(rows)('%s', async (_sentence, moves, labels) => {
    const name = world.name();
    const ids = await play(name, moves);
    expect(await described(name, ids)).toEqual(labels);
  });

  test('[V 2.1] UpdateSecretVersionStage answers ARN and Name only', async () => {
    const name = world.name();
    const ids = await play(name, ['create A']);
    const move = { SecretId: name, VersionStage: 'mine', MoveToVersionId: ids.A };
    const { $metadata, ...answer } = await client().send(new UpdateSecretVersionStageCommand(move));
    expect($metadata.httpStatusCode).toBe(200);
    expect(new Set(Object.keys(answer))).toEqual(new Set(['ARN', 'Name']));
  });

  test('[V 2.1] CreateSecret without a value: no VersionId, no version, no VersionIdsToStages', async () => {
    const name = world.name();
    const answer = await client().send(new CreateSecretCommand({ Name: name }));
    expect(answer).not.toHaveProperty('VersionId');
    expect(await client().send(new DescribeSecretCommand({ SecretId: name }))).not.toHaveProperty(
      'VersionIdsToStages',
    );
    const list = await client().send(
      new ListSecretVersionIdsCommand({ SecretId: name, IncludeDeprecated: true }),
    );
    expect(list.Versions).toEqual([]);
  });

  test('[V 2.1] UpdateSecret with a description only: no VersionId, no new version', async () => {
    const name = world.name();
    const ids = await play(name, ['create A']);
    const update = new UpdateSecretCommand({ SecretId: name, Description: 'now' });
    expect(await client().send(update)).not.toHaveProperty('VersionId');
    expect(await described(name, ids)).toEqual({ A: 'AWSCURRENT' });
    expect(world.secrets.snapshot(name)).toHaveLength(1);
  });

  test.each([
    [false, 'AWSPENDING'],
    [true, 'AWSCURRENT AWSPENDING'],
  ])(
    '[D 2.1] first value of an empty secret with stages: AWSCURRENT is added = %s, by option',
    async (option, labels) => {
      world.secrets.options.firstVersionBecomesCurrent = option;
      const name = world.name();
      await client().send(new CreateSecretCommand({ Name: name }));
      const ids = await play(name, ['put A [AWSPENDING]']);
      expect(await described(name, ids)).toEqual({ A: labels });
    },
  );
});

describe('UpdateSecretVersionStage refuses', () => {
  const refused = async (moves: string[], stage: string, from: string | null, to: string | null) => {
    const name = world.name();
    const ids = await play(name, moves);
    const before = await described(name, ids);
    const answer = await refusal(
      client().send(
        new UpdateSecretVersionStageCommand({
          SecretId: name,
          VersionStage: stage,
          RemoveFromVersionId: from === null ? undefined : ids[from],
          MoveToVersionId: to === null ? undefined : (ids[to] ?? to),
        }),
      ),
    );
    expect(await described(name, ids)).toEqual(before);
    return { ...answer, message: answer.message.replaceAll(ids.A ?? '-', '<A>') };
  };

  test('[V 2.2] a held label without RemoveFromVersionId', async () => {
    expect(await refused(['create A', 'put B [AWSPENDING]'], 'AWSCURRENT', null, 'B')).toEqual({
      code: 'InvalidParameterException',
      message:
        "The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to version <A>, so you must explicitly reference that version in RemoveFromVersionId.",
      status: 400,
    });
  });

  test('[D 2.2] a RemoveFromVersionId that does not hold the label (a finishSecret that runs twice)', async () => {
    const moves = ['create A', 'put B [AWSPENDING]', 'move AWSCURRENT A>B'];
    expect((await refused(moves, 'AWSCURRENT', 'A', 'B')).code).toBe('InvalidParameterException');
  });

  test('[O 2.2] removing AWSCURRENT', async () => {
    expect(await refused(['create A'], 'AWSCURRENT', 'A', null)).toEqual({
      code: 'InvalidParameterException',
      message:
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
      status: 400,
    });
  });

  test('an unknown version', async () => {
    const unknown = token();
    expect(await refused(['create A'], 'mine', null, unknown)).toMatchObject({
      code: 'ResourceNotFoundException',
      message: `Secrets Manager can't find the specified secret value for VersionId: ${unknown}`,
    });
  });
});

describe('ClientRequestToken', () => {
  const create = (Name: string, ClientRequestToken: string, SecretString: string) =>
    client().send(new CreateSecretCommand({ Name, ClientRequestToken, SecretString }));
  const put = (SecretId: string, ClientRequestToken: string, SecretString: string) =>
    client().send(new PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString }));
  const update = (SecretId: string, ClientRequestToken: string, SecretString: string) =>
    client().send(new UpdateSecretCommand({ SecretId, ClientRequestToken, SecretString }));

  test('[V 2.3] CreateSecret, same token and value: the identical answer', async () => {
    const [name, id] = [world.name(), token()];
    const { $metadata: _first, ...answer } = await create(name, id, 'a');
    const { $metadata: _second, ...again } = await create(name, id, 'a');
    expect(again).toEqual(answer);
    expect(again.VersionId).toBe(id);
  });

  test('[V 2.3] CreateSecret, same name and another token', async () => {
    const name = world.name();
    await create(name, token(), 'a');
    expect(await refusal(create(name, token(), 'a'))).toEqual({
      code: 'ResourceExistsException',
      message: `The operation failed because the secret ${name} already exists.`,
      status: 400,
    });
  });

  test('[V 2.3] PutSecretValue, same token and value: success, nothing changes', async () => {
    const [name, id] = [world.name(), token()];
    await create(name, token(), 'a');
    await put(name, id, 'b');
    await put(name, token(), 'c');
    const before = world.secrets.snapshot(name);
    const answer = await put(name, id, 'b');
    expect(answer).toMatchObject({ VersionId: id, VersionStages: ['AWSPREVIOUS'] });
    expect(world.secrets.snapshot(name)).toEqual(before);
  });

  test('[V 2.3] UpdateSecret, same token and value: success with VersionId', async () => {
    const [name, id] = [world.name(), token()];
    await create(name, token(), 'a');
    await update(name, id, 'b');
    expect((await update(name, id, 'b')).VersionId).toBe(id);
    expect(world.secrets.snapshot(name)).toHaveLength(2);
  });

  test.each([
    ['CreateSecret', create],
    ['PutSecretValue', put],
    ['UpdateSecret', update],
  ])('[V 2.3] %s, same token and another value', async (_operation, write) => {
    const [name, id] = [world.name(), token()];
    const { ARN } = await create(name, id, 'a');
    expect(await refusal(write(name, id, 'b'))).toEqual({
      code: 'ResourceExistsException',
      message: `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${ARN}.`,
      status: 400,
    });
  });
});

describe('limits and what is listed', () => {
  test('[V 2.4] unlabelled versions are listed only with IncludeDeprecated, and then without VersionStages', async () => {
    const name = world.name();
    const ids = await play(name, ['create A', 'put B', 'put C']);
    const list = async (IncludeDeprecated: boolean) => {
      const answer = await client().send(
        new ListSecretVersionIdsCommand({ SecretId: name, IncludeDeprecated }),
      );
      return (answer.Versions ?? []).map((version) => version.VersionId);
    };
    expect(await list(false)).toEqual([ids.C, ids.B]);
    expect(await list(true)).toEqual([ids.C, ids.B, ids.A]);
    const all = await client().send(
      new ListSecretVersionIdsCommand({ SecretId: name, IncludeDeprecated: true }),
    );
    expect(all.Versions?.[2]).toEqual({
      VersionId: ids.A,
      CreatedDate: new Date(world.clock.now()),
      KmsKeyIds: ['DefaultEncryptionKey'],
    });
  });

  test('[V 2.4] a listed version has LastAccessedDate only after it was read', async () => {
    const name = world.name();
    await play(name, ['create A']);
    await client().send(new GetSecretValueCommand({ SecretId: name }));
    const list = await client().send(new ListSecretVersionIdsCommand({ SecretId: name }));
    expect(list.Versions?.[0]?.LastAccessedDate).toEqual(new Date('2026-01-01T00:00:00Z'));
  });

  test('unlabelled versions stay readable by VersionId', async () => {
    const name = world.name();
    const ids = await play(name, ['create A', 'put B', 'put C']);
    const read = await client().send(new GetSecretValueCommand({ SecretId: name, VersionId: ids.A }));
    expect(read).toMatchObject({ SecretString: 'value A', VersionId: ids.A });
    expect(read).not.toHaveProperty('VersionStages');
  });

  test('[D 2.4] a value of 65,536 bytes is taken, one byte more is not', async () => {
    const name = world.name();
    const write = (SecretString: string) =>
      client().send(new CreateSecretCommand({ Name: name, SecretString }));
    const tooLong = await refusal(write(`${'ü'.repeat(32_768)}x`));
    expect(tooLong).toEqual({
      code: 'ValidationException',
      message:
        "1 validation error detected: Value at 'secretString' failed to satisfy constraint: Member must have length less than or equal to 65536",
      status: 400,
    });
    expect((await write('ü'.repeat(32_768))).Name).toBe(name);
  });

  test('[D 2.4] twenty labels across all versions, not one more', async () => {
    const name = world.name();
    const labels = Array.from({ length: 19 }, (_, index) => `L${index}`);
    await play(name, ['create A', `put B [${labels.join(' ')}]`]);
    const before = world.secrets.snapshot(name);
    expect((await refusal(play(name, ['put C [more]']))).code).toBe('LimitExceededException');
    expect(world.secrets.snapshot(name)).toEqual(before);
  });

  test('[D 2.4] beyond a hundred versions the oldest unlabelled ones go, if they are older than a day', async () => {
    const name = world.name();
    const ids = await play(name, ['create A', 'add keep >A', 'put B']);
    // Without HTTP, only to be quick.
    const write = () =>
      world.call('PutSecretValue', { SecretId: name, ClientRequestToken: token(), SecretString: 'x' });
    for (let count = 3; count <= 100; count += 1) await write();
    expect((await refusal(play(name, ['put X']))).code).toBe('LimitExceededException');
    await world.clock.advance(86_400_001);
    world.events.length = 0;
    await play(name, ['put Y']);
    const left = world.secrets.snapshot(name)?.map((version) => version.id) ?? [];
    expect(left).toHaveLength(100);
    expect(left).toContain(ids.A);
    expect(left).not.toContain(ids.B);
    expect(world.eventNames).toEqual(['label AWSCURRENT', 'SecretVersionDeletion']);
  });
});

describe('Secret Label Updated', () => {
  const first = 'label AWSCURRENT';
  const rows: [sentence: string, moves: string[], events: string[]][] = [
    ['[D 5.1] comes with the first value', ['create A'], [first]],
    ['[D 5.1] comes with PutSecretValue', ['create A', 'put B'], [first, 'label AWSCURRENT']],
    ['[D 5.1] comes with UpdateSecret', ['create A', 'update B'], [first, 'label AWSCURRENT']],
    [
      '[D 5.1] comes with a rollback',
      ['create A', 'put B [mine]', 'move AWSCURRENT A>B', 'move AWSCURRENT B>A'],
      [first, 'label mine', 'label AWSCURRENT', 'label AWSCURRENT'],
    ],
    ['[D 5.1] comes with a custom label', ['create A', 'add mine >A'], [first, 'label mine']],
    ['[D 5.1] does not come with AWSPENDING', ['create A', 'put B [AWSPENDING]'], [first]],
    ['[D 5.1] does not come with a removal', ['create A', 'put B [x]', 'remove x B>'], [first, 'label x']],
  ];
  test.each(rows)('%s', async (_sentence, moves, events) => {
    await play(world.name(), moves);
    expect(world.eventNames).toEqual(events);
  });
});
