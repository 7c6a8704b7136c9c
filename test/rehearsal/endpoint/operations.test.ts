/** What each operation answers, through the unmodified SDK: reference sections 0 and 3.4. */
import {
  BatchGetSecretValueCommand,
  CancelRotateSecretCommand,
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  type Filter,
  GetRandomPasswordCommand,
  type GetRandomPasswordCommandInput,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  RotateSecretCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, test } from 'vitest';
import { functionArn, promote, refusal, servedWorld, token } from './world.ts';

const { world, client } = servedWorld();

async function create(input: Partial<ConstructorParameters<typeof CreateSecretCommand>[0]> = {}) {
  const Name = input.Name ?? world.name();
  return client().send(new CreateSecretCommand({ SecretString: 'x', ...input, Name }));
}
const get = (SecretId?: string) => client().send(new GetSecretValueCommand({ SecretId }));
const describeSecret = (SecretId?: string) => client().send(new DescribeSecretCommand({ SecretId }));

function keysOf({ $metadata, ...answer }: { $metadata: { httpStatusCode?: number } }): Set<string> {
  expect($metadata.httpStatusCode).toBe(200);
  return new Set(Object.keys(answer));
}

describe('CreateSecret', () => {
  test('[V 3.4] answers ARN, Name and VersionId; the ARN adds a hyphen and six characters', async () => {
    const answer = await create();
    expect(keysOf(answer)).toEqual(new Set(['ARN', 'Name', 'VersionId']));
    expect(answer.ARN).toMatch(
      /^arn:aws:secretsmanager:eu-central-1:111122223333:secret:conformance\/.+-x-\w{6}$/,
    );
  });

  test('[V 0] the SDK fills in ClientRequestToken, which becomes the version id', async () => {
    expect((await create()).VersionId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test('[V 1.1] a secret is found by name, ARN and partial ARN', async () => {
    const { ARN = '', Name } = await create();
    for (const id of [Name, ARN, ARN.slice(0, -7)]) expect((await get(id)).ARN).toBe(ARN);
  });

  test('[D 3.4] a name that ends in a hyphen and six characters is not found by partial ARN', async () => {
    const { ARN = '' } = await create({ Name: `${world.name()}-abcdef` });
    expect((await refusal(get(ARN.slice(0, -7)))).code).toBe('ResourceNotFoundException');
    expect((await get(ARN)).SecretString).toBe('x');
  });
});

describe('GetSecretValue', () => {
  test('[V 3.4] answers ARN, Name, VersionId, the value, all labels of the version and its date', async () => {
    const { Name, VersionId, ARN } = await create();
    await promote(world, Name ?? '', VersionId ?? '');
    const answer = await get(Name);
    expect(keysOf(answer)).toEqual(
      new Set(['ARN', 'Name', 'VersionId', 'SecretString', 'VersionStages', 'CreatedDate']),
    );
    expect(answer).toMatchObject({ ARN, VersionId, SecretString: 'x', VersionStages: ['AWSCURRENT'] });
  });

  test('[V 0] SecretBinary travels as base64 and arrives as bytes', async () => {
    const { Name } = await create({ SecretString: undefined, SecretBinary: Uint8Array.of(0, 255, 7) });
    const answer = await get(Name);
    expect(answer.SecretBinary).toEqual(Uint8Array.of(0, 255, 7));
    expect(answer).not.toHaveProperty('SecretString');
  });

  test('[V 0, 3.4] LastAccessedDate is a whole day, absent before the first read', async () => {
    await world.clock.advance(5_000_123);
    const { Name } = await create();
    expect(await describeSecret(Name)).not.toHaveProperty('LastAccessedDate');
    await get(Name);
    const described = await describeSecret(Name);
    expect(described.LastAccessedDate?.toISOString()).toMatch(/T00:00:00\.000Z$/);
    expect(described.CreatedDate).toEqual(new Date(world.clock.now()));
  });
});

describe('DescribeSecret', () => {
  test('[V 3.4] shows only members that have a value', async () => {
    const { Name } = await create({ Description: '' });
    expect(keysOf(await describeSecret(Name))).toEqual(
      new Set(['ARN', 'Name', 'LastChangedDate', 'CreatedDate', 'VersionIdsToStages']),
    );
  });

  test('[V 3.4] works on a deleted secret: DeletedDate, labels intact', async () => {
    const { Name, VersionId = '' } = await create();
    await client().send(new DeleteSecretCommand({ SecretId: Name }));
    const described = await describeSecret(Name);
    expect(described.DeletedDate).toBeInstanceOf(Date);
    expect(described.VersionIdsToStages).toEqual({ [VersionId]: ['AWSCURRENT'] });
  });

  test('[V 3.4] Tags is an empty list after the last tag is gone', async () => {
    const { Name } = await create({ Tags: [{ Key: 'team', Value: 'a' }] });
    const tag = { SecretId: Name, Tags: [{ Key: 'team', Value: 'b' }] };
    expect(keysOf(await client().send(new TagResourceCommand(tag)))).toEqual(new Set());
    expect((await describeSecret(Name)).Tags).toEqual(tag.Tags);
    const untag = new UntagResourceCommand({ SecretId: Name, TagKeys: ['team'] });
    expect(keysOf(await client().send(untag))).toEqual(new Set());
    expect((await describeSecret(Name)).Tags).toEqual([]);
  });

  test('[V 0] LastChangedDate follows every change', async () => {
    const { Name } = await create();
    await world.clock.advance(1_234);
    await client().send(new UpdateSecretCommand({ SecretId: Name, Description: 'a' }));
    const { LastChangedDate, CreatedDate } = await describeSecret(Name);
    expect(Number(LastChangedDate) - Number(CreatedDate)).toBe(1_234);
  });
});

describe('PutSecretValue and UpdateSecret', () => {
  test('[V 3.4] PutSecretValue answers ARN, Name, VersionId and VersionStages', async () => {
    const { Name } = await create();
    const put = new PutSecretValueCommand({ SecretId: Name, SecretString: 'y', VersionStages: ['one'] });
    const answer = await client().send(put);
    expect(keysOf(answer)).toEqual(new Set(['ARN', 'Name', 'VersionId', 'VersionStages']));
    expect(answer.VersionStages).toEqual(['one']);
  });

  test('[E 3.3] PutSecretValue needs a value', async () => {
    const { Name } = await create();
    const put = client().send(new PutSecretValueCommand({ SecretId: Name }));
    expect((await refusal(put)).code).toBe('InvalidRequestException');
  });

  test('[V 3.4] a new key covers the labelled versions beside the old one', async () => {
    const { Name } = await create();
    const update = new UpdateSecretCommand({ SecretId: Name, KmsKeyId: 'alias/own' });
    expect(keysOf(await client().send(update))).toEqual(new Set(['ARN', 'Name']));
    const list = await client().send(new ListSecretVersionIdsCommand({ SecretId: Name }));
    expect(list.Versions?.[0]?.KmsKeyIds).toEqual(['DefaultEncryptionKey', 'alias/own']);
    expect((await describeSecret(Name)).KmsKeyId).toBe('alias/own');
  });
});

describe('ListSecretVersionIds', () => {
  test('[V 3.4] answers ARN, Name and Versions, in pages of MaxResults', async () => {
    const { Name } = await create();
    for (const value of ['b', 'c']) {
      await client().send(
        new PutSecretValueCommand({ SecretId: Name, SecretString: value, VersionStages: [value] }),
      );
    }
    const list = (NextToken?: string) =>
      client().send(new ListSecretVersionIdsCommand({ SecretId: Name, MaxResults: 2, NextToken }));
    const page = await list();
    expect(keysOf(page)).toEqual(new Set(['ARN', 'Name', 'Versions', 'NextToken']));
    expect(page.Versions).toHaveLength(2);
    const last = await list(page.NextToken);
    expect(last.Versions).toHaveLength(1);
    expect(last).not.toHaveProperty('NextToken');
    expect((await refusal(list('bogus'))).code).toBe('InvalidNextTokenException');
  });
});

describe('DeleteSecret and RestoreSecret', () => {
  const remove = (SecretId: string | undefined, more: object = {}) =>
    client().send(new DeleteSecretCommand({ SecretId, ...more }));

  test('[D 3.4] the window is 30 days unless it is given, and then the secret is gone', async () => {
    const [{ Name: usual }, { Name: short }] = [await create(), await create()];
    const now = world.clock.now();
    const answer = await remove(usual);
    expect(keysOf(answer)).toEqual(new Set(['ARN', 'Name', 'DeletionDate']));
    expect(answer.DeletionDate).toEqual(new Date(now + 30 * 86_400_000));
    expect((await remove(short, { RecoveryWindowInDays: 7 })).DeletionDate).toEqual(
      new Date(now + 7 * 86_400_000),
    );
    await world.clock.advance(7 * 86_400_000);
    expect((await refusal(describeSecret(short))).code).toBe('ResourceNotFoundException');
    expect((await describeSecret(usual)).Name).toBe(usual);
  });

  test.each([6, 31])('[D 3.4] a window of %d days is refused', async (RecoveryWindowInDays) => {
    const { Name } = await create();
    expect((await refusal(remove(Name, { RecoveryWindowInDays }))).code).toBe('InvalidParameterException');
  });

  test('[V 3.4] by force a name that does not exist is deleted with a made-up ARN', async () => {
    const answer = await remove('conformance/never-there', { ForceDeleteWithoutRecovery: true });
    expect(answer.ARN).toContain(':secret:conformance/never-there-');
  });

  test('[V 2.5] by force the name is blocked for some seconds', async () => {
    const { Name } = await create();
    await remove(Name, { ForceDeleteWithoutRecovery: true });
    expect((await refusal(create({ Name }))).message).toBe(
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
    await world.clock.advance(5_000);
    expect((await create({ Name })).Name).toBe(Name);
  });

  test('[V 3.4] a deleted secret can be deleted by force', async () => {
    world.secrets.options.forcedDeletionDelay = 0;
    const { Name } = await create();
    await remove(Name);
    await remove(Name, { ForceDeleteWithoutRecovery: true });
    expect((await refusal(describeSecret(Name))).code).toBe('ResourceNotFoundException');
  });

  test('[V 3.4] RestoreSecret answers ARN and Name, and the secret stays', async () => {
    const { Name } = await create();
    await remove(Name, { RecoveryWindowInDays: 7 });
    expect(keysOf(await client().send(new RestoreSecretCommand({ SecretId: Name })))).toEqual(
      new Set(['ARN', 'Name']),
    );
    await world.clock.advance(8 * 86_400_000);
    expect((await get(Name)).SecretString).toBe('x');
    expect(await describeSecret(Name)).not.toHaveProperty('DeletedDate');
  });

  test('deleting a secret ends its rotation', async () => {
    const { Name } = await create();
    await client().send(new RotateSecretCommand({ SecretId: Name, RotationLambdaARN: functionArn }));
    await remove(Name);
    await world.clock.advance(86_400_000);
    expect(world.invocations).toEqual([]);
  });
});

describe('ListSecrets', () => {
  const list = async (Filters?: Filter[], more: object = {}) => {
    const { SecretList = [] } = await client().send(new ListSecretsCommand({ Filters, ...more }));
    return SecretList.map((entry) => entry.Name).filter((name) => name?.startsWith('List/'));
  };
  const setUp = async () => {
    if ((await list()).length > 0) return;
    await create({
      Name: 'List/alpha',
      Description: 'The first Secret',
      Tags: [{ Key: 'env', Value: 'prod' }],
    });
    await create({ Name: 'List/beta', Description: 'second secret', Tags: [{ Key: 'Env', Value: 'test' }] });
    await create({ Name: 'List/gone' });
    await client().send(new DeleteSecretCommand({ SecretId: 'List/gone' }));
  };

  const rows: [sentence: string, filters: Filter[], names: string[]][] = [
    ['[V 3.4] name is a prefix', [{ Key: 'name', Values: ['List/a'] }], ['List/alpha']],
    ['[V 3.4] name minds the case', [{ Key: 'name', Values: ['list/a'] }], []],
    ['[V 3.4] ! negates', [{ Key: 'name', Values: ['!List/a'] }], ['List/beta']],
    [
      '[V 3.4] description is a prefix of a word, without case',
      [{ Key: 'description', Values: ['FIR'] }],
      ['List/alpha'],
    ],
    [
      '[V 3.4] the words of one value must all be there',
      [{ Key: 'description', Values: ['first secret'] }],
      ['List/alpha'],
    ],
    [
      '[V 3.4] several filters must all hold',
      [
        { Key: 'description', Values: ['secret'] },
        { Key: 'name', Values: ['List/b'] },
      ],
      ['List/beta'],
    ],
    [
      '[E 3.4] of several values one must hold',
      [{ Key: 'name', Values: ['List/a', 'List/b'] }],
      ['List/alpha', 'List/beta'],
    ],
    ['tag-key', [{ Key: 'tag-key', Values: ['Env'] }], ['List/beta']],
    ['tag-value', [{ Key: 'tag-value', Values: ['prod'] }], ['List/alpha']],
    ['all', [{ Key: 'all', Values: ['PROD'] }], ['List/alpha']],
  ];
  test.each(rows)('%s', async (_sentence, filters, names) => {
    await setUp();
    expect(await list(filters)).toEqual(names);
  });

  test('[D 3.4] deleted ones only with IncludePlannedDeletion', async () => {
    await setUp();
    expect(await list()).toEqual(['List/alpha', 'List/beta']);
    expect(await list(undefined, { IncludePlannedDeletion: true })).toContain('List/gone');
  });

  test('[D 3.4] an entry has SecretVersionsToStages, not VersionIdsToStages', async () => {
    await setUp();
    const Filters: Filter[] = [{ Key: 'name', Values: ['List/alpha'] }];
    const { SecretList } = await client().send(new ListSecretsCommand({ Filters }));
    expect(Object.values(SecretList?.[0]?.SecretVersionsToStages ?? {})).toEqual([['AWSCURRENT']]);
    expect(SecretList?.[0]).not.toHaveProperty('VersionIdsToStages');
  });
});

describe('BatchGetSecretValue', () => {
  test('[D 3.4] gives values and failures side by side', async () => {
    const { Name = '' } = await create();
    const batch = new BatchGetSecretValueCommand({ SecretIdList: [Name, 'nobody'] });
    const { SecretValues, Errors } = await client().send(batch);
    expect(SecretValues).toMatchObject([{ Name, SecretString: 'x' }]);
    expect(Errors).toEqual([
      {
        SecretId: 'nobody',
        ErrorCode: 'ResourceNotFoundException',
        Message: "Secrets Manager can't find the specified secret.",
      },
    ]);
  });

  test('[D 3.4] takes filters with MaxResults, but not both filters and ids', async () => {
    const prefix = `${world.name()}/batch`;
    for (const each of ['a', 'b', 'c']) await create({ Name: `${prefix}-${each}` });
    const Filters: Filter[] = [{ Key: 'name', Values: [prefix] }];
    const page = await client().send(new BatchGetSecretValueCommand({ Filters, MaxResults: 2 }));
    expect(page.SecretValues).toHaveLength(2);
    const rest = await client().send(
      new BatchGetSecretValueCommand({ Filters, MaxResults: 2, NextToken: page.NextToken }),
    );
    expect(rest.SecretValues).toHaveLength(1);
    const both = client().send(new BatchGetSecretValueCommand({ Filters, SecretIdList: ['a'] }));
    expect((await refusal(both)).code).toBe('InvalidParameterException');
  });
});

describe('GetRandomPassword', () => {
  const password = async (input: GetRandomPasswordCommandInput = {}) =>
    (await client().send(new GetRandomPasswordCommand(input))).RandomPassword ?? '';

  test('[D 3.4] 32 characters with every type by default', async () => {
    const made = await password();
    expect(made).toHaveLength(32);
    for (const type of [/[a-z]/, /[A-Z]/, /[0-9]/, /[!-/:-@[-`{-~]/]) expect(made).toMatch(type);
  });

  test('[V 3.4] ExcludeCharacters is honoured', async () => {
    const made = await password({ PasswordLength: 4096, ExcludeCharacters: 'abc"@/\\' });
    expect(made).toHaveLength(4096);
    expect(made).not.toMatch(/[abc"@/\\]/);
  });

  test('types can be left out, and a length below their number is refused', async () => {
    const only = { ExcludePunctuation: true, ExcludeUppercase: true, ExcludeLowercase: true };
    expect(await password({ PasswordLength: 200, ...only })).toMatch(/^[0-9]{200}$/);
    expect((await refusal(password({ PasswordLength: 3 }))).code).toBe('InvalidParameterException');
    const none = { ...only, ExcludeNumbers: true };
    expect((await refusal(password(none))).code).toBe('InvalidParameterException');
  });
});

describe('another account', () => {
  test('[V 6.5] reads, writes, deletes and restores by ARN under a customer key, and lists nothing', async () => {
    const { ARN, Name } = await create({ KmsKeyId: 'alias/shared' });
    const foreign = client('FOREIGN');
    expect((await foreign.send(new GetSecretValueCommand({ SecretId: ARN }))).SecretString).toBe('x');
    await foreign.send(new PutSecretValueCommand({ SecretId: ARN, SecretString: 'y' }));
    await foreign.send(new DeleteSecretCommand({ SecretId: ARN }));
    await foreign.send(new RestoreSecretCommand({ SecretId: ARN }));
    expect((await get(Name)).SecretString).toBe('y');
    expect((await foreign.send(new ListSecretsCommand({}))).SecretList).toEqual([]);
    const byName = foreign.send(new GetSecretValueCommand({ SecretId: Name }));
    expect((await refusal(byName)).code).toBe('ResourceNotFoundException');
  });
});

test('[D 1.8] CancelRotateSecret answers ARN, Name, and VersionId only for a half-made version', async () => {
  const { Name } = await create();
  const RotationRules = { AutomaticallyAfterDays: 1 };
  const ClientRequestToken = token();
  const rotate = { SecretId: Name, RotationLambdaARN: functionArn, RotationRules, ClientRequestToken };
  await client().send(new RotateSecretCommand(rotate));
  const cancel = () => client().send(new CancelRotateSecretCommand({ SecretId: Name }));
  expect((await cancel()).VersionId).toBe(ClientRequestToken);
  await promote(world, Name ?? '', ClientRequestToken).catch(() => null);
  await world.call('UpdateSecretVersionStage', {
    SecretId: Name ?? '',
    VersionStage: 'AWSPENDING',
    RemoveFromVersionId: ClientRequestToken,
  });
  expect(keysOf(await cancel())).toEqual(new Set(['ARN', 'Name']));
});
