/** Codes and texts of refusals, through the unmodified SDK and raw HTTP: reference sections 0 and 3. */
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  RotateSecretCommand,
  SecretsManagerServiceException,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
  ValidateResourcePolicyCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, test } from 'vitest';
import { functionArn, refusal, servedWorld, token } from './world.ts';

const { world, server, client } = servedWorld();

const gone = {
  code: 'InvalidRequestException',
  message: "You can't perform this operation on the secret because it was marked for deletion.",
  status: 400,
};
const notFound = (what: string) => ({
  code: 'ResourceNotFoundException',
  message: `Secrets Manager can't find the specified secret${what}`,
  status: 400,
});

async function secret(value?: string): Promise<{ SecretId: string; id: string; ARN: string | undefined }> {
  const [SecretId, id] = [world.name(), token()];
  const { ARN } = await client().send(
    new CreateSecretCommand({ Name: SecretId, ClientRequestToken: id, SecretString: value }),
  );
  return { SecretId, id, ARN };
}

async function deletedSecret(): Promise<string> {
  const { SecretId } = await secret('x');
  await client().send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }));
  return SecretId;
}

describe('not found', () => {
  test.each([
    ['GetSecretValue', (SecretId: string) => client().send(new GetSecretValueCommand({ SecretId }))],
    ['DescribeSecret', (SecretId: string) => client().send(new DescribeSecretCommand({ SecretId }))],
    [
      'ListSecretVersionIds',
      (SecretId: string) => client().send(new ListSecretVersionIdsCommand({ SecretId })),
    ],
    [
      'PutSecretValue',
      (SecretId: string) => client().send(new PutSecretValueCommand({ SecretId, SecretString: 'x' })),
    ],
    ['UpdateSecret', (SecretId: string) => client().send(new UpdateSecretCommand({ SecretId }))],
    ['RotateSecret', (SecretId: string) => client().send(new RotateSecretCommand({ SecretId }))],
    ['RestoreSecret', (SecretId: string) => client().send(new RestoreSecretCommand({ SecretId }))],
    ['DeleteSecret', (SecretId: string) => client().send(new DeleteSecretCommand({ SecretId }))],
  ])('[V 3.1] %s of an unknown secret', async (_operation, call) => {
    expect(await refusal(call('nobody'))).toEqual(notFound('.'));
  });

  test('[V 3.1] GetSecretValue of a label that no version has', async () => {
    const { SecretId } = await secret('x');
    const call = client().send(new GetSecretValueCommand({ SecretId, VersionStage: 'AWSPENDING' }));
    expect(await refusal(call)).toEqual(notFound(' value for staging label: AWSPENDING'));
  });

  test('[V 3.1] GetSecretValue of an empty secret', async () => {
    const { SecretId } = await secret();
    const call = client().send(new GetSecretValueCommand({ SecretId }));
    expect(await refusal(call)).toEqual(notFound(' value for staging label: AWSCURRENT'));
  });

  test.each([{}, { VersionStage: 'AWSCURRENT' }])(
    '[V 3.1] GetSecretValue by an unknown VersionId, %j',
    async (stage) => {
      const { SecretId } = await secret('x');
      const VersionId = token();
      const call = client().send(new GetSecretValueCommand({ SecretId, VersionId, ...stage }));
      expect(await refusal(call)).toEqual(notFound(` value for VersionId: ${VersionId}`));
    },
  );

  test('[V 3.1] GetSecretValue, VersionId and VersionStage disagree', async () => {
    const { SecretId, id } = await secret('x');
    const call = client().send(
      new GetSecretValueCommand({ SecretId, VersionId: id, VersionStage: 'AWSPREVIOUS' }),
    );
    expect(await refusal(call)).toEqual({
      code: 'InvalidRequestException',
      message: 'You provided a VersionStage that is not associated to the provided VersionId.',
      status: 400,
    });
  });
});

describe('names', () => {
  const bad = {
    code: 'ValidationException',
    message:
      'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
    status: 400,
  };
  const SecretString = 'x';
  test.each([
    ['CreateSecret', (Name: string) => client().send(new CreateSecretCommand({ Name, SecretString }))],
    ['DeleteSecret', (SecretId: string) => client().send(new DeleteSecretCommand({ SecretId }))],
    ['DescribeSecret', (SecretId: string) => client().send(new DescribeSecretCommand({ SecretId }))],
    ['GetSecretValue', (SecretId: string) => client().send(new GetSecretValueCommand({ SecretId }))],
    [
      'ListSecretVersionIds',
      (SecretId: string) => client().send(new ListSecretVersionIdsCommand({ SecretId })),
    ],
    [
      'PutSecretValue',
      (SecretId: string) => client().send(new PutSecretValueCommand({ SecretId, SecretString })),
    ],
    ['TagResource', (SecretId: string) => client().send(new TagResourceCommand({ SecretId, Tags: [] }))],
    [
      'UntagResource',
      (SecretId: string) => client().send(new UntagResourceCommand({ SecretId, TagKeys: [] })),
    ],
    [
      'UpdateSecret',
      (SecretId: string) => client().send(new UpdateSecretCommand({ SecretId, SecretString })),
    ],
    [
      'ValidateResourcePolicy',
      (SecretId: string) =>
        client().send(new ValidateResourcePolicyCommand({ SecretId, ResourcePolicy: '{}' })),
    ],
  ])('[V 3.1] %s with a bad name', async (_operation, call) => {
    for (const name of ['a name', ' name', 'name*?', 'na]me\\'])
      expect(await refusal(call(name))).toEqual(bad);
  });

  test('[V 0] unmodelled errors reach the SDK as its base class, by their name', async () => {
    const error = await client()
      .send(new DescribeSecretCommand({ SecretId: 'a name' }))
      .catch((thrown: unknown) => thrown);
    expect(Object.getPrototypeOf(error)).toBe(SecretsManagerServiceException.prototype);
  });

  test('[V 3.1] CreateSecret of a name that is taken', async () => {
    const { SecretId } = await secret('x');
    expect(await refusal(client().send(new CreateSecretCommand({ Name: SecretId, SecretString })))).toEqual({
      code: 'ResourceExistsException',
      message: `The operation failed because the secret ${SecretId} already exists.`,
      status: 400,
    });
  });

  test('[V 3.1] CreateSecret of a name that is scheduled for deletion', async () => {
    const Name = await deletedSecret();
    expect(await refusal(client().send(new CreateSecretCommand({ Name, SecretString })))).toEqual({
      code: 'InvalidRequestException',
      message:
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
      status: 400,
    });
  });
});

describe('raw HTTP', () => {
  const raw = async (operation: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(server().url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-amz-json-1.1',
        'X-Amz-Target': `secretsmanager.${operation}`,
        Authorization:
          'AWS4-HMAC-SHA256 Credential=OPERATOR/20260101/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0',
        ...headers,
      },
      body: JSON.stringify(body),
    });
    return { status: answer.status, type: answer.headers.get('content-type'), body: await answer.text() };
  };

  test.each([
    ['CreateSecret', { Name: 'raw', SecretString: 'x' }, 'InvalidRequestException'],
    ['UpdateSecret', { SecretId: 'nobody', SecretString: 'x' }, 'InvalidRequestException'],
    ['PutSecretValue', { SecretId: 'nobody', SecretString: 'x' }, 'InvalidRequestException'],
    ['RotateSecret', { SecretId: 'nobody' }, 'InvalidParameterException'],
  ])(
    '[V 3.1] %s without ClientRequestToken, reported before a missing secret',
    async (operation, body, code) => {
      expect(await raw(operation, body)).toEqual({
        status: 400,
        type: 'application/x-amz-json-1.1',
        body: `{"__type":"${code}","Message":"You must provide a ClientRequestToken value. We recommend a UUID-type value."}`,
      });
    },
  );

  test('[V 0] the body of a success is the plain JSON object', async () => {
    const { SecretId, ARN } = await secret();
    const answer = await raw('DescribeSecret', { SecretId });
    const created = world.clock.now() / 1000;
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({
      ARN,
      Name: SecretId,
      LastChangedDate: created,
      CreatedDate: created,
    });
  });

  test.each([
    ['no signature', { Authorization: '' }, 'MissingAuthenticationTokenException'],
    [
      'an unknown access key',
      { Authorization: 'AWS4-HMAC-SHA256 Credential=X/20260101/eu-central-1/secretsmanager/aws4_request' },
      'UnrecognizedClientException',
    ],
    [
      'a service that is not here',
      { Authorization: 'AWS4-HMAC-SHA256 Credential=OPERATOR/20260101/eu-central-1/sqs/aws4_request' },
      'UnknownOperationException',
    ],
    ['an unknown operation', { 'X-Amz-Target': 'secretsmanager.Nothing' }, 'UnknownOperationException'],
    ['a member of another type', { 'X-Amz-Target': 'secretsmanager.DeleteSecret' }, 'SerializationException'],
  ])('refuses %s', async (_what, headers, code) => {
    const answer = await raw('DescribeSecret', { SecretId: 7 }, headers);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toHaveProperty('__type', code);
  });

  test('a body that is not JSON is refused without being repeated', async () => {
    const answer = await fetch(server().url, {
      method: 'POST',
      headers: {
        'X-Amz-Target': 'secretsmanager.PutSecretValue',
        Authorization:
          'AWS4-HMAC-SHA256 Credential=OPERATOR/20260101/eu-central-1/secretsmanager/aws4_request',
      },
      body: '{"SecretString": "hunter2',
    });
    expect(await answer.text()).toBe(
      '{"__type":"SerializationException","Message":"The body is not a JSON object."}',
    );
  });
});

describe('RotateSecret', () => {
  const rotate = (input: object, SecretId: string) =>
    refusal(client().send(new RotateSecretCommand({ SecretId, ...input })));

  test('[V 3.1] no function is known', async () => {
    const { SecretId } = await secret('x');
    expect(await rotate({}, SecretId)).toEqual({
      code: 'InvalidRequestException',
      message: 'No Lambda rotation function ARN is associated with this secret.',
      status: 400,
    });
  });

  test('[V 3.1, 1.2] a function that is missing or not permitted, and then nothing is stored', async () => {
    const { SecretId, id } = await secret('x');
    const RotationLambdaARN = `${functionArn}-that-is-not-there`;
    const RotationRules = { AutomaticallyAfterDays: 1 };
    expect(await rotate({ RotationLambdaARN, RotationRules }, SecretId)).toEqual({
      code: 'AccessDeniedException',
      message:
        'Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.',
      status: 400,
    });
    const described = await client().send(new DescribeSecretCommand({ SecretId }));
    for (const key of ['RotationEnabled', 'RotationRules', 'RotationLambdaARN', 'NextRotationDate']) {
      expect(described).not.toHaveProperty(key);
    }
    expect(described.VersionIdsToStages).toEqual({ [id]: ['AWSCURRENT'] });
  });

  test('[O 3.2] both kinds of rules', async () => {
    const { SecretId } = await secret('x');
    const RotationRules = { AutomaticallyAfterDays: 1, ScheduleExpression: 'rate(1 day)' };
    expect(await rotate({ RotationLambdaARN: functionArn, RotationRules }, SecretId)).toEqual({
      code: 'InvalidParameterException',
      message: 'You cannot specify both rotation frequency and schedule expression together.',
      status: 400,
    });
  });

  test('[O 3.2] while a rotation is pending', async () => {
    const { SecretId } = await secret('x');
    await client().send(new RotateSecretCommand({ SecretId, RotationLambdaARN: functionArn }));
    expect(await rotate({}, SecretId)).toEqual({
      code: 'InvalidRequestException',
      message: "A previous rotation isn't complete. That rotation will be reattempted.",
      status: 400,
    });
  });

  test.each([
    ['ClientRequestToken', { ClientRequestToken: 'short' }, 'InvalidParameterException'],
    ['AutomaticallyAfterDays', { RotationRules: { AutomaticallyAfterDays: 1001 } }, 'ValidationException'],
    ['Duration', { RotationRules: { AutomaticallyAfterDays: 1, Duration: '3d' } }, 'ValidationException'],
    ['ScheduleExpression', { RotationRules: { ScheduleExpression: 'at(2026!)' } }, 'ValidationException'],
  ])('[D 1.1] %s out of the model', async (_what, input, code) => {
    const { SecretId } = await secret('x');
    expect(await rotate({ RotationLambdaARN: functionArn, ...input }, SecretId)).toMatchObject({
      code,
      status: 400,
    });
  });
});

describe('a secret that is being deleted', () => {
  test.each([
    [
      '[V 3.1] TagResource',
      (SecretId: string) =>
        client().send(new TagResourceCommand({ SecretId, Tags: [{ Key: 'a', Value: 'b' }] })),
    ],
    [
      '[V 3.1] UntagResource',
      (SecretId: string) => client().send(new UntagResourceCommand({ SecretId, TagKeys: ['a'] })),
    ],
    ['[O 3.2] GetSecretValue', (SecretId: string) => client().send(new GetSecretValueCommand({ SecretId }))],
    [
      '[O 3.2] PutSecretValue',
      (SecretId: string) => client().send(new PutSecretValueCommand({ SecretId, SecretString: 'y' })),
    ],
    [
      '[O 3.2] UpdateSecret',
      (SecretId: string) => client().send(new UpdateSecretCommand({ SecretId, Description: 'y' })),
    ],
    [
      '[O 3.2] UpdateSecretVersionStage',
      (SecretId: string) =>
        client().send(
          new UpdateSecretVersionStageCommand({ SecretId, VersionStage: 'a', MoveToVersionId: token() }),
        ),
    ],
    ['RotateSecret', (SecretId: string) => client().send(new RotateSecretCommand({ SecretId }))],
  ])('%s', async (_operation, call) => {
    expect(await refusal(call(await deletedSecret()))).toEqual(gone);
  });
});

describe('another account', () => {
  const denied = {
    code: 'InvalidRequestException',
    message:
      "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
    status: 400,
  };
  test.each([
    [
      'GetSecretValue',
      (SecretId?: string) => client('FOREIGN').send(new GetSecretValueCommand({ SecretId })),
    ],
    [
      'PutSecretValue',
      (SecretId?: string) =>
        client('FOREIGN').send(new PutSecretValueCommand({ SecretId, SecretString: 'y' })),
    ],
  ])('[V 3.1] %s on the default key', async (_operation, call) => {
    expect(await refusal(call((await secret('x')).ARN))).toEqual(denied);
  });
});

test('a member out of its bounds is named with the rule and the value', async () => {
  expect(await refusal(client().send(new GetRandomPasswordCommand({ PasswordLength: 4097 })))).toEqual({
    code: 'ValidationException',
    message:
      "1 validation error detected: Value '4097' at 'passwordLength' failed to satisfy constraint: Member must have value less than or equal to 4096",
    status: 400,
  });
});
