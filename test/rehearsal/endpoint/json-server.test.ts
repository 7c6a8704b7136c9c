/** The HTTP door: hooks, faults, keep-alive, REST, and one rotation whose function is an SDK client itself. */
import { Agent, request } from 'node:http';
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { afterEach, expect, test } from 'vitest';
import { type Interception, parseCredential } from '../../../lib/rehearsal/endpoint/json-server.ts';
import { AwsError, type JsonObject, type Service } from '../../../lib/rehearsal/endpoint/wire.ts';
import { functionArn, type RotationEvent, refusal, servedWorld, token } from './world.ts';

let interception: Interception = 'pass';
let refusedFor: string | null = null;
const seen: string[] = [];
const defects: unknown[] = [];

const { world, server, client } = servedWorld({
  onRequest: (body, service, operation, caller) =>
    void seen.push(`> ${service} ${operation} ${caller.accessKeyId} ${body}`),
  onResponse: (body, _service, operation) => void seen.push(`< ${operation} ${body.slice(0, 8)}`),
  intercept: async () => interception,
  authorise: ({ accessKeyId, roleArn }, service, operation) => {
    if (accessKeyId !== refusedFor) return;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${roleArn} is not authorized to perform: ${service}:${operation}`,
    );
  },
  fallback: ({ method, url }, response, body) => void response.end(`${method} ${url} ${body}`),
  onDefect: (error) => void defects.push(error),
});

afterEach(() => {
  interception = 'pass';
  refusedFor = null;
  seen.length = 0;
  defects.length = 0;
});

async function secret(): Promise<string> {
  const Name = world.name();
  await client().send(new CreateSecretCommand({ Name, SecretString: 'x' }));
  seen.length = 0;
  return Name;
}

test('hooks see the bodies, the operation and the caller', async () => {
  const SecretId = await secret();
  await client('FUNCTION').send(new GetSecretValueCommand({ SecretId }));
  expect(seen).toEqual([
    `> secretsmanager GetSecretValue FUNCTION {"SecretId":"${SecretId}"}`,
    '< GetSecretValue {"ARN":"',
  ]);
});

test('authorise refuses a caller', async () => {
  const SecretId = await secret();
  refusedFor = 'FUNCTION';
  expect(await refusal(client('FUNCTION').send(new GetSecretValueCommand({ SecretId })))).toEqual({
    code: 'AccessDeniedException',
    message:
      'User: arn:aws:iam::111122223333:role/rotate is not authorized to perform: secretsmanager:GetSecretValue',
    status: 400,
  });
});

test('failBefore answers an error and does nothing', async () => {
  const SecretId = await secret();
  interception = { failBefore: new AwsError('InternalServiceError', 'try again', 500) };
  const put = client().send(new PutSecretValueCommand({ SecretId, SecretString: 'y' }));
  expect(await refusal(put)).toMatchObject({ code: 'InternalServiceError', status: 500 });
  expect(world.secrets.snapshot(SecretId)).toHaveLength(1);
});

test('failBefore reset cuts the connection and does nothing', async () => {
  const SecretId = await secret();
  interception = { failBefore: 'reset' };
  await expect(client().send(new PutSecretValueCommand({ SecretId, SecretString: 'y' }))).rejects.toThrow(
    /hang up|ECONNRESET/,
  );
  expect(world.secrets.snapshot(SecretId)).toHaveLength(1);
});

test('loseAnswer does the work and cuts the connection; the repetition finds it done', async () => {
  const SecretId = await secret();
  const put = new PutSecretValueCommand({ SecretId, SecretString: 'y', ClientRequestToken: token() });
  interception = { loseAnswer: true };
  await expect(client().send(put)).rejects.toThrow(/hang up|ECONNRESET/);
  expect(world.secrets.snapshot(SecretId)).toHaveLength(2);
  await expect(client().send(new DescribeSecretCommand({ SecretId: 'nobody' }))).rejects.toThrow(
    /hang up|ECONNRESET/,
  );
  interception = 'pass';
  expect((await client().send(put)).VersionStages).toEqual(['AWSCURRENT']);
});

test('requests without a target go to the fallback', async () => {
  const answer = await fetch(`${server().url}/2015-03-31/functions`, { method: 'PUT', body: 'abc' });
  expect(await answer.text()).toBe('PUT /2015-03-31/functions abc');
});

test('services are found by their signing name; a defect is a 500 and is reported', async () => {
  const broken: Service = {
    signingName: 'events',
    handle: async (operation, input): Promise<JsonObject> => {
      if (operation === 'Echo') return { input };
      throw new TypeError('broken');
    },
  };
  server().register(broken);
  const call = (operation: string) =>
    fetch(server().url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/x-amz-json-1.0',
        'X-Amz-Target': `AWSEvents.${operation}`,
        Authorization: 'AWS4-HMAC-SHA256 Credential=OPERATOR/20260101/eu-central-1/events/aws4_request',
      },
      body: '{"a":1}',
    });
  const echo = await call('Echo');
  expect(echo.headers.get('content-type')).toBe('application/x-amz-json-1.0');
  expect(await echo.json()).toEqual({ input: { a: 1 } });
  const failure = await call('Break');
  expect(failure.status).toBe(500);
  expect(defects).toEqual([new TypeError('broken')]);
});

test('one connection serves many calls', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const reused: boolean[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    await new Promise<void>((resolve, reject) => {
      const sent = request(`${server().url}/path`, { agent }, (answer) => {
        reused.push(sent.reusedSocket);
        answer.on('end', resolve).resume();
      });
      sent.on('error', reject).end();
    });
  }
  expect(reused).toEqual([false, true, true]);
  agent.destroy();
});

test.each([
  [
    'AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/states/aws4_request, SignedHeaders=host, Signature=0',
    { accessKeyId: 'AKIA', date: '20260101', region: 'eu-central-1', signingName: 'states' },
  ],
  ['AWS4-HMAC-SHA256 Credential=AKIA/20260101/aws4_request', null],
  ['Basic abc', null],
  [undefined, null],
])('credential scope of %s', (header, credential) => {
  expect(parseCredential(header)).toEqual(credential);
});

test('[V 1.3-1.7] a rotation by a function that uses the SDK over HTTP', async () => {
  const SecretId = await secret();
  world.handler = sdkFunction(client('FUNCTION'));
  const { VersionId, ...answer } = await client().send(
    new RotateSecretCommand({ SecretId, RotationLambdaARN: functionArn }),
  );
  expect(answer.Name).toBe(SecretId);
  await world.clock.advance(0);
  const stages = async () => {
    const described = await client().send(new DescribeSecretCommand({ SecretId }));
    return described.LastRotatedDate && described.VersionIdsToStages?.[VersionId ?? ''];
  };
  await expect.poll(stages).toEqual(['AWSCURRENT']);
  const read = await client().send(new GetSecretValueCommand({ SecretId }));
  expect(read).toMatchObject({ VersionId, SecretString: 'made by the function' });
});

function sdkFunction(sdk: SecretsManagerClient) {
  return async ({ Step, SecretId, ClientRequestToken, RotationToken }: RotationEvent) => {
    const { RotationEnabled, VersionIdsToStages = {} } = await sdk.send(
      new DescribeSecretCommand({ SecretId }),
    );
    expect(RotationEnabled).toBe(true);
    expect(VersionIdsToStages[ClientRequestToken]).toContain('AWSPENDING');
    const pending = { SecretId, VersionId: ClientRequestToken, VersionStage: 'AWSPENDING' };
    if (Step === 'createSecret') {
      expect((await refusal(sdk.send(new GetSecretValueCommand(pending)))).code).toBe(
        'ResourceNotFoundException',
      );
      await sdk.send(
        new PutSecretValueCommand({
          SecretId,
          ClientRequestToken,
          RotationToken,
          SecretString: 'made by the function',
          VersionStages: ['AWSPENDING'],
        }),
      );
    } else await sdk.send(new GetSecretValueCommand(pending));
    if (Step === 'finishSecret') {
      const current = Object.entries(VersionIdsToStages).find(([, labels]) => labels.includes('AWSCURRENT'));
      await sdk.send(
        new UpdateSecretVersionStageCommand({
          SecretId,
          VersionStage: 'AWSCURRENT',
          MoveToVersionId: ClientRequestToken,
          RemoveFromVersionId: current?.[0],
        }),
      );
    }
    return null;
  };
}
