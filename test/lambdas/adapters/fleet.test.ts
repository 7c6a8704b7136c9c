/** The reconciler's adapters alone: which call each makes, and what it makes of the answer. */
import {
  DescribeSecretCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, expect, test } from 'vitest';
import { stepFunctionsExecutions } from '../../../lambdas/adapters/aws/executions.ts';
import { secretsFleet } from '../../../lambdas/adapters/aws/fleet.ts';

const secrets = mockClient(SecretsManagerClient);
const sfn = mockClient(SFNClient);
beforeEach(() => {
  for (const mock of [secrets, sfn]) mock.reset();
  secrets.onAnyCommand().rejects(new Error('unstubbed'));
  sfn.onAnyCommand().rejects(new Error('unstubbed'));
});

const arn = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop/secret-AbCdEf';
const fleet = () => secretsFleet(new SecretsManagerClient({ region: 'eu-central-1' }));
const [made, rotated, next] = [1, 2, 3].map((day) => new Date(Date.UTC(2026, 0, day)));
const bare = {
  arn,
  name: 'shop/secret',
  rotationEnabled: false,
  scheduled: false,
  labels: new Map(),
  tags: new Map(),
  lastRotatedAt: null,
  nextRotationAt: null,
  createdAt: made,
  deleted: false,
};

test('lists a page of a deployment’s secrets by their tag, and says where the next begins', async () => {
  secrets
    .on(ListSecretsCommand, {
      MaxResults: 100,
      Filters: [
        { Key: 'tag-key', Values: ['keyturn:deployment'] },
        { Key: 'tag-value', Values: ['shop'] },
      ],
      NextToken: 'second page',
    })
    .resolves({
      NextToken: 'third page',
      SecretList: [
        {
          ARN: arn,
          Name: 'shop/secret',
          CreatedDate: made,
          RotationEnabled: true,
          RotationRules: { ScheduleExpression: 'cron(0 3 1 * ? *)' },
          LastRotatedDate: rotated,
          NextRotationDate: next,
          SecretVersionsToStages: { one: ['AWSCURRENT'] },
          Tags: [{ Key: 'keyturn:completed', Value: 'one' }],
        },
      ],
    });
  expect(await fleet().list({ key: 'keyturn:deployment', value: 'shop' }, 'second page')).toEqual({
    next: 'third page',
    secrets: [
      {
        ...bare,
        rotationEnabled: true,
        scheduled: true,
        labels: new Map([['one', ['AWSCURRENT']]]),
        tags: new Map([['keyturn:completed', 'one']]),
        lastRotatedAt: rotated,
        nextRotationAt: next,
      },
    ],
  });
});

test('describes a secret that was never configured, tagged or filled', async () => {
  secrets
    .on(DescribeSecretCommand, { SecretId: arn })
    .resolves({ ARN: arn, Name: 'shop/secret', CreatedDate: made });
  expect(await fleet().look(arn)).toEqual(bare);
});

test('dates every version, labelled or not, on every page', async () => {
  const asked = { SecretId: arn, MaxResults: 100, IncludeDeprecated: true };
  secrets
    .on(ListSecretVersionIdsCommand, asked)
    .resolves({ Versions: [{ VersionId: 'one', CreatedDate: made }], NextToken: 'second page' })
    .on(ListSecretVersionIdsCommand, { ...asked, NextToken: 'second page' })
    .resolves({ Versions: [{ VersionId: 'two', CreatedDate: rotated }] });
  expect(await fleet().versions(arn)).toEqual(
    new Map([
      ['one', made],
      ['two', rotated],
    ]),
  );
});

test('lists the executions of one status', async () => {
  const stateMachineArn = 'arn:aws:states:eu-central-1:111122223333:stateMachine:rollout';
  sfn.on(ListExecutionsCommand, { stateMachineArn, statusFilter: 'TIMED_OUT', maxResults: 1_000 }).resolves({
    executions: [
      { name: 'late', startDate: made, executionArn: 'arn', stateMachineArn, status: 'TIMED_OUT' },
    ],
  });
  const port = stepFunctionsExecutions(new SFNClient({ region: 'eu-central-1' }));
  expect(await port.list(stateMachineArn, 'TIMED_OUT', null)).toEqual({
    executions: [{ name: 'late', startedAt: made }],
    next: null,
  });
});
