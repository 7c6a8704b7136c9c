/** Each adapter alone: which call it makes, and what it makes of the answer. An unstubbed call is an error. */
import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  SecretsManagerServiceException,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, test } from 'vitest';
import { eventBridge } from '../../../lambdas/adapters/aws/events.ts';
import { stepFunctions } from '../../../lambdas/adapters/aws/rollouts.ts';
import { secretsManager } from '../../../lambdas/adapters/aws/secrets.ts';
import { ecsApi } from '../../../lambdas/adapters/consumers/ecs.ts';
import { Sensitive } from '../../../lambdas/contract/sensitive.ts';

const secrets = mockClient(SecretsManagerClient);
const events = mockClient(EventBridgeClient);
const ecs = mockClient(ECSClient);
const sfn = mockClient(SFNClient);
beforeEach(() => {
  for (const mock of [secrets, events, ecs, sfn]) mock.reset();
  secrets.onAnyCommand().rejects(new Error('unstubbed'));
  events.onAnyCommand().rejects(new Error('unstubbed'));
  ecs.onAnyCommand().rejects(new Error('unstubbed'));
  sfn.onAnyCommand().rejects(new Error('unstubbed'));
});

const id = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/secret-AbCdEf';
const token = '11111111-2222-3333-4444-555555555555';
const port = () => secretsManager(new SecretsManagerClient({ region: 'eu-central-1' }));

describe('Secrets Manager', () => {
  test('describes a secret that was never configured, tagged or filled', async () => {
    secrets.on(DescribeSecretCommand, { SecretId: id }).resolves({ ARN: id, Name: 'shop/secret' });
    expect(await port().describe(id)).toEqual({
      arn: id,
      name: 'shop/secret',
      rotationEnabled: false,
      rotationFunctionArn: null,
      labels: new Map(),
      tags: new Map(),
      lastRotatedAt: null,
      deleted: false,
    });
  });

  test('reads a version by its id alone, and wraps its value', async () => {
    secrets.on(GetSecretValueCommand, { SecretId: id, VersionId: token }).resolves({
      VersionId: token,
      VersionStages: ['AWSPENDING'],
      SecretString: 'LEAKME',
      CreatedDate: new Date(5),
    });
    const version = await port().read(id, token);
    expect(JSON.stringify(version)).not.toContain('LEAKME');
    expect(version.value.reveal()).toBe('LEAKME');
  });

  test('refuses a binary value in a sentence', async () => {
    secrets.on(GetSecretValueCommand).resolves({ VersionId: token, SecretBinary: new Uint8Array([1]) });
    await expect(port().read(id, token)).rejects.toMatchObject({ code: 'DocumentInvalid' });
  });

  test('writes the pending value with the event’s token and RotationToken', async () => {
    secrets.on(PutSecretValueCommand).resolves({});
    await port().writePending({
      secretId: id,
      token,
      rotationToken: new Sensitive('rt'),
      value: new Sensitive('v'),
    });
    expect(secrets.commandCalls(PutSecretValueCommand)[0]?.args[0].input).toEqual({
      SecretId: id,
      ClientRequestToken: token,
      RotationToken: 'rt',
      SecretString: 'v',
      VersionStages: ['AWSPENDING'],
    });
  });

  test.each([
    ['from a version', 'old', { RemoveFromVersionId: 'old' }],
    ['of a secret that has none', null, {}],
  ])('moves AWSCURRENT %s', async (_what, from, removal) => {
    secrets.on(UpdateSecretVersionStageCommand).resolves({});
    await port().moveCurrent(id, token, from);
    expect(secrets.commandCalls(UpdateSecretVersionStageCommand)[0]?.args[0].input).toEqual({
      SecretId: id,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: token,
      ...removal,
    });
  });

  test('tags', async () => {
    secrets.on(TagResourceCommand).resolves({});
    await port().tag(id, new Map([['keyturn:completed', token]]));
    expect(secrets.commandCalls(TagResourceCommand)[0]?.args[0].input.Tags).toEqual([
      { Key: 'keyturn:completed', Value: token },
    ]);
  });

  test.each([
    ['ResourceNotFoundException', 'AwsNotFound', false],
    ['ResourceExistsException', 'AwsTokenInUse', false],
    ['AccessDeniedException', 'AwsDenied', true],
    ['ThrottlingException', 'AwsThrottled', true],
    ['InvalidRequestException', 'AwsRefused', false],
    ['DecryptionFailure', 'AwsRefused', false],
  ])('%s means %s', async (name, code, retryable) => {
    const answer = new SecretsManagerServiceException({
      name,
      message: "Value 'LEAKME' at 'secretString' failed to satisfy constraint",
      $fault: 'client',
      $metadata: { requestId: 'r-1' },
    });
    secrets.on(PutSecretValueCommand).rejects(answer);
    const error = await port()
      .writePending({ secretId: id, token, rotationToken: undefined, value: new Sensitive('LEAKME') })
      .catch((caught) => caught);
    expect(error).toMatchObject({
      code,
      retryable,
      message: `PutSecretValue failed with ${name} (request r-1).`,
    });
  });

  test('a broken connection is not a refusal', async () => {
    secrets.on(DescribeSecretCommand).rejects(Object.assign(new Error('socket'), { code: 'ECONNRESET' }));
    await expect(port().describe(id)).rejects.toMatchObject({
      code: 'AwsUnreachable',
      message: 'DescribeSecret failed with ECONNRESET.',
    });
  });
});

describe('EventBridge', () => {
  const detail = {
    schema: 1 as const,
    deployment: 'shop',
    platform: 'shop',
    secret: 'TOKEN',
    secretId: id,
    versionId: token,
    previousVersionId: null,
    class: 'opaque-token',
    plan: 'redeploy-and-prove',
    publishedAt: null,
    at: 'finish',
  };

  test('puts one entry on the bus', async () => {
    events.on(PutEventsCommand).resolves({ FailedEntryCount: 0, Entries: [{ EventId: 'e' }] });
    await eventBridge(new EventBridgeClient({ region: 'eu-central-1' }), 'bus').put({
      type: 'Rotation Finished',
      detail,
    });
    expect(events.commandCalls(PutEventsCommand)[0]?.args[0].input).toEqual({
      Entries: [
        {
          EventBusName: 'bus',
          Source: 'keyturn',
          DetailType: 'Rotation Finished',
          Detail: JSON.stringify(detail),
          Resources: [id],
        },
      ],
    });
  });

  test('an entry that is refused inside a taken request is an error', async () => {
    events
      .on(PutEventsCommand)
      .resolves({ FailedEntryCount: 1, Entries: [{ ErrorCode: 'InternalFailure' }] });
    await expect(
      eventBridge(new EventBridgeClient({ region: 'eu-central-1' }), 'bus').put({
        type: 'Rotation Finished',
        detail,
      }),
    ).rejects.toMatchObject({ code: 'AwsUnreachable', retryable: true });
  });
});

describe('Step Functions', () => {
  const rollouts = () => stepFunctions(new SFNClient({ region: 'eu-central-1' }));

  test('starts under the given name', async () => {
    sfn.on(StartExecutionCommand, { stateMachineArn: 'm', name: 'n', input: '{}' }).resolves({});
    expect(await rollouts().start('m', 'n', '{}')).toBe(true);
  });

  test('a name that ran before starts nothing', async () => {
    sfn.on(StartExecutionCommand).rejects(new ExecutionAlreadyExists({ message: 'exists', $metadata: {} }));
    expect(await rollouts().start('m', 'n', '{}')).toBe(false);
  });
});

describe('ECS', () => {
  const api = () => ecsApi(new ECSClient({ region: 'eu-central-1' }));

  test('reads the deployment that should win', async () => {
    ecs.on(DescribeServicesCommand, { cluster: 'shop', services: ['web'] }).resolves({
      services: [
        {
          status: 'ACTIVE',
          desiredCount: 3,
          deployments: [
            { status: 'ACTIVE', createdAt: new Date(1), runningCount: 3, rolloutState: 'COMPLETED' },
            { status: 'PRIMARY', createdAt: new Date(2), runningCount: 1, rolloutState: 'IN_PROGRESS' },
          ],
        },
      ],
    });
    expect(await api().state('shop', 'web')).toEqual({
      arn: '',
      parked: null,
      desired: 3,
      primary: { createdAt: new Date(2), running: 1, rollout: 'in-progress' },
      deployments: 2,
    });
  });

  test('a service that is gone is named', async () => {
    ecs.on(DescribeServicesCommand).resolves({ services: [{ status: 'INACTIVE' }] });
    await expect(api().state('shop', 'web')).rejects.toMatchObject({
      message: 'The ECS service web must be active in the cluster shop; it is INACTIVE.',
    });
  });

  test('reads every page of tasks', async () => {
    ecs
      .on(ListTasksCommand, { cluster: 'shop', serviceName: 'web' })
      .resolves({ taskArns: ['a'], nextToken: 'n' });
    ecs
      .on(ListTasksCommand, { cluster: 'shop', serviceName: 'web', nextToken: 'n' })
      .resolves({ taskArns: ['b'] });
    ecs.on(DescribeTasksCommand, { cluster: 'shop', tasks: ['a', 'b'] }).resolves({
      tasks: [
        { createdAt: new Date(1), lastStatus: 'RUNNING', healthStatus: 'HEALTHY' },
        { createdAt: new Date(2), lastStatus: 'PENDING', healthStatus: 'UNKNOWN' },
      ],
    });
    expect(await api().tasks('shop', 'web')).toEqual([
      { createdAt: new Date(1), running: true, healthy: true },
      { createdAt: new Date(2), running: false, healthy: null },
    ]);
  });

  test('forces a deployment', async () => {
    ecs.on(UpdateServiceCommand, { cluster: 'shop', service: 'web', forceNewDeployment: true }).resolves({});
    await expect(api().forceDeployment('shop', 'web')).resolves.toBeUndefined();
  });
});
