import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import * as kms from 'aws-cdk-lib/aws-kms';
import { describe, expect, it, vi } from 'vitest';
import { classIds } from '../../lambdas/classes/registry.ts';
import { stages } from '../../lambdas/contract/stages.ts';
import { KeyturnPipeline, RotatedSecret } from '../../lib/index.ts';
import { example, newApp, resolved, templatesOf } from './synth.ts';
import { Synthesised } from './template.ts';

// The resources do not depend on the code; bundling it would take most of this file's time.
vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const [exo, imported] = templatesOf(
  example('exo'),
  resolved({
    name: 'imported',
    platform: 'ocore',
    url: 'https://ocore.example.com',
    secrets: {
      JWT_SECRET: {
        source: { import: { name: 'team/jwt' } },
        schedule: { cron: 'cron(0 2 1 * ? *)', window: '2h' },
        consumers: [],
      },
      HEALTH_CHECK_TOKEN: {
        source: {
          import: { arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/health-AbCdEf' },
        },
        consumers: [],
      },
    },
    consumers: {},
    logRetentionDays: 30,
  }),
);

describe('a created secret', () => {
  const secrets = exo?.all('AWS::SecretsManager::Secret') ?? [];

  it('has a name, the customer key and tags, and nothing from which a value could come', () => {
    expect(secrets.map(({ properties }) => new Set(Object.keys(properties)))).toEqual([
      new Set(['Description', 'KmsKeyId', 'Name', 'Tags']),
      new Set(['Description', 'KmsKeyId', 'Name', 'Tags']),
    ]);
    expect(secrets.map(({ properties }) => properties.KmsKeyId)).toEqual(['<Key>.Arn', '<Key>.Arn']);
  });

  it('outlives its stack and its replacement, and so does its key', () => {
    const kept = [...secrets, ...(exo?.all('AWS::KMS::Key') ?? [])];
    expect(kept).toHaveLength(3);
    for (const { raw } of kept) {
      expect(raw).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    }
    expect(exo?.one('AWS::KMS::Key').properties.EnableKeyRotation).toBe(true);
  });
});

describe('a rotation schedule', () => {
  it('has cron and window, and does not rotate at deploy', () => {
    const schedule = exo?.one(
      'AWS::SecretsManager::RotationSchedule',
      ({ SecretId }) => SecretId === '<Secret exo/jwt>',
    );
    expect(schedule?.properties).toEqual({
      SecretId: '<Secret exo/jwt>',
      RotationLambdaARN: '<Function keyturn-exo-production-signing-key-cutover>.Arn',
      RotateImmediatelyOnUpdate: false,
      RotationRules: { ScheduleExpression: 'cron(0 3 ? * SUN *)', Duration: '2h' },
    });
  });

  it('has no rules for a secret that rotates on demand, and still its function', () => {
    const schedule = exo?.one(
      'AWS::SecretsManager::RotationSchedule',
      ({ SecretId }) => SecretId === '<Secret exo/claude-api-key>',
    );
    expect(schedule?.properties).toEqual({
      SecretId: '<Secret exo/claude-api-key>',
      RotationLambdaARN: '<Function keyturn-exo-production-operator-supplied>.Arn',
      RotateImmediatelyOnUpdate: false,
    });
  });

  it('waits for the permission to invoke', () => {
    const permissions = exo?.all('AWS::Lambda::Permission').map(({ id }) => id);
    for (const { raw } of exo?.all('AWS::SecretsManager::RotationSchedule') ?? []) {
      expect(permissions).toEqual(expect.arrayContaining(raw.DependsOn as string[]));
      expect(raw.DependsOn).toHaveLength(1);
    }
  });

  it('names an imported secret by its name or its ARN, and creates none', () => {
    const ids = imported
      ?.all('AWS::SecretsManager::RotationSchedule')
      .map(({ properties }) => properties.SecretId);
    expect(ids).toEqual([
      'team/jwt',
      'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/health-AbCdEf',
    ]);
    expect(imported?.all('AWS::SecretsManager::Secret')).toEqual([]);
  });
});

describe('a function', () => {
  it('is invoked by Secrets Manager for this account only', () => {
    const permissions = exo
      ?.all('AWS::Lambda::Permission')
      .filter(({ properties }) => properties.Principal === 'secretsmanager.amazonaws.com');
    expect(permissions?.map(({ properties }) => properties)).toEqual([
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: '<Function keyturn-exo-production-signing-key-cutover>.Arn',
        Principal: 'secretsmanager.amazonaws.com',
        SourceAccount: '<AccountId>',
      },
      {
        Action: 'lambda:InvokeFunction',
        FunctionName: '<Function keyturn-exo-production-operator-supplied>.Arn',
        Principal: 'secretsmanager.amazonaws.com',
        SourceAccount: '<AccountId>',
      },
    ]);
  });

  it('runs on arm64 and the newest Node.js, with the time of its stage and no reserved concurrency', () => {
    const functions = exo?.all('AWS::Lambda::Function') ?? [];
    for (const { properties } of functions) {
      expect(properties).toMatchObject({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        Handler: 'index.handler',
        MemorySize: 512,
      });
      expect(properties).not.toHaveProperty('ReservedConcurrentExecutions');
    }
    expect(
      Object.fromEntries(
        functions.map(({ properties }) => [
          String(properties.FunctionName).replace('keyturn-exo-production-', ''),
          properties.Timeout,
        ]),
      ),
    ).toEqual({
      'signing-key-cutover': 60,
      'operator-supplied': 60,
      settle: 60,
      redeploy: 600,
      prove: 120,
      complete: 60,
      'roll-back': 60,
      'rolled-back': 60,
      stall: 60,
      start: 30,
      reconcile: 900,
    });
  });

  it('knows the bus, and only what starts rollouts the state machines', () => {
    for (const { properties } of exo?.all('AWS::Lambda::Function') ?? []) {
      const starter = /-(start|reconcile)$/.test(String(properties.FunctionName));
      expect(properties.Environment).toEqual({
        Variables: {
          KEYTURN_BUS: '<EventBus keyturn-exo-production-events>',
          ...(starter
            ? {
                KEYTURN_STATE_MACHINES:
                  '{"redeploy-and-prove":"<StateMachine keyturn-exo-production-redeploy-and-prove>"}',
              }
            : {}),
        },
      });
    }
  });

  it('logs to a group of its own that is encrypted and kept as long as the deployment says', () => {
    const groups = imported?.all('AWS::Logs::LogGroup') ?? [];
    expect(groups.length).toBe((imported?.all('AWS::Lambda::Function').length ?? 0) + 1);
    for (const { properties } of groups) {
      expect(properties).toMatchObject({ RetentionInDays: 30, KmsKeyId: '<Key>.Arn' });
    }
  });
});

describe('events', () => {
  it('start a rollout when a rotation has finished, for a day of tries, and are kept when that fails', () => {
    const rule = exo?.one('AWS::Events::Rule', ({ Targets }) => JSON.stringify(Targets).includes('-start>'));
    expect(rule?.properties).toMatchObject({
      EventBusName: '<EventBus keyturn-exo-production-events>',
      EventPattern: { source: ['keyturn'], 'detail-type': ['Rotation Finished'] },
      Targets: [
        {
          Arn: '<Function keyturn-exo-production-start>.Arn',
          DeadLetterConfig: { Arn: '<Queue>.Arn' },
          RetryPolicy: { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 },
        },
      ],
    });
    expect(
      exo?.one('AWS::Lambda::Function', ({ FunctionName }) => String(FunctionName).endsWith('-start'))
        .properties.DeadLetterConfig,
    ).toEqual({ TargetArn: '<Queue>.Arn' });
    expect(exo?.one('AWS::SQS::Queue').properties).toEqual({
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1_209_600,
    });
  });

  it('tell people of every success and failure, in words that hold names and ids only', () => {
    const rules = exo
      ?.all('AWS::Events::Rule')
      .filter(({ properties }) => JSON.stringify(properties.Targets).includes('<Topic'));
    expect(rules?.map(({ properties }) => properties.EventPattern)).toEqual([
      {
        source: ['keyturn'],
        'detail-type': [
          'Rotation Failed',
          'Rollout Rolled Back',
          'Rollout Stalled',
          'Rollout Late',
          'Rotation Stuck',
          'Rotation Overdue',
          'Supply Due',
          'Secret Edited',
        ],
      },
      { source: ['keyturn'], 'detail-type': ['Rollout Completed', 'Rotation Dropped'] },
    ]);
    const paths = JSON.stringify(rules).match(/\$\.[a-zA-Z.-]+/g) ?? [];
    expect(new Set(paths)).toEqual(
      new Set([
        '$.detail.at',
        '$.detail.code',
        '$.detail.deployment',
        '$.detail.next',
        '$.detail.reason',
        '$.detail.secret',
        '$.detail.versionId',
        '$.detail.works',
        '$.detail-type',
      ]),
    );
    expect(exo?.one('AWS::SNS::Subscription').properties).toMatchObject({
      Protocol: 'email',
      Endpoint: 'platform-team@example.com',
    });
    expect(exo?.one('AWS::SNS::Topic').properties.KmsMasterKeyId).toBe('<Key>.Arn');
  });
});

describe('the reconciler', () => {
  it('sweeps every five minutes, in a role of its own, and what fails is kept', () => {
    const schedule = exo?.one('AWS::Scheduler::Schedule');
    expect(schedule?.properties).toMatchObject({
      Name: 'keyturn-exo-production-reconcile',
      ScheduleExpression: 'rate(5 minutes)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: '<Function keyturn-exo-production-reconcile>.Arn',
        Input: '{"reconcile":"sweep"}',
        DeadLetterConfig: { Arn: '<Queue>.Arn' },
        RetryPolicy: { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 2 },
      },
    });
  });

  it.each([
    [1, 'rate(1 minute)'],
    [60, 'rate(60 minutes)'],
  ])('sweeps every %i minutes where the deployment says so', (reconcileEveryMinutes, expression) => {
    const [template] = templatesOf(
      resolved({
        name: 'often',
        platform: 'exo',
        secrets: {
          TOKEN: {
            class: 'opaque-token',
            options: { variable: 'TOKEN', format: { encoding: 'hex', bytes: 32 } },
            source: { create: { name: 'team/token' } },
            consumers: [],
          },
        },
        consumers: {},
        reconcileEveryMinutes,
      }),
    );
    expect(template?.one('AWS::Scheduler::Schedule').properties.ScheduleExpression).toBe(expression);
  });

  it('hears of rejected values, and of nothing else', () => {
    const rules = exo
      ?.all('AWS::Events::Rule')
      .filter(({ properties }) => JSON.stringify(properties.Targets).includes('-reconcile>'));
    expect(rules?.map(({ properties }) => properties.EventPattern)).toEqual([
      { source: ['keyturn'], 'detail-type': ['Rotation Failed'], detail: { code: ['ValueRejected'] } },
    ]);
  });
});

it('a team’s own stack holds a pipeline, without any feature flag of ours', () => {
  const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'keyturn-test-')) });
  const stack = new Stack(app, 'Team', { env: { account: '111122223333', region: 'eu-west-1' } });
  const pipeline = new KeyturnPipeline(stack, 'Keyturn', { deployment: example('ocore') });
  const template = new Synthesised(app.synth().getStackByName('Team').template);

  expect([...pipeline.secrets.keys()]).toEqual(['JWT_SECRET', 'HEALTH_CHECK_TOKEN', 'SSH_ENCRYPTION_KEY']);
  expect([...pipeline.rotationFunctions.keys()]).toEqual(['signing-key-cutover', 'opaque-token', 'guarded']);
  expect(new Set(pipeline.stageFunctions.keys())).toEqual(
    new Set(['settle', 'redeploy', 'prove', 'complete', 'roll-back', 'rolled-back', 'stall']),
  );
  expect([...pipeline.rolloutMachines.keys()]).toEqual(['redeploy-and-prove']);
  expect(template.all('AWS::SecretsManager::RotationSchedule')).toHaveLength(3);
});

it.each([
  ['us-east-1', '111122223333', 'Region us-east-1; received eu-west-1.'],
  ['eu-west-1', '444455556666', 'account 444455556666; received 111122223333.'],
])('an imported ARN of another place than %s %s is refused', (region, account, ending) => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/jwt-AbCdEf';
  const stack = new Stack(newApp(), 'Team', { env: { region, account } });
  const encryptionKey = new kms.Key(stack, 'Key');
  expect(
    () =>
      new RotatedSecret(stack, 'Secret', { key: 'JWT_SECRET', source: { import: { arn } }, encryptionKey }),
  ).toThrow(`secrets.JWT_SECRET.source.import.arn must be of the stack's ${ending}`);
});

it('a deployment of more secrets than a role can hold is refused before it is deployed', () => {
  const secretsOf = (count: number) =>
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `TOKEN_${index}`,
        {
          class: 'opaque-token',
          options: { variable: `TOKEN_${index}`, format: { encoding: 'hex', bytes: 32 } },
          source: { create: { name: `team/token-number-${index}` } },
          consumers: [],
        },
      ]),
    );
  const many = (count: number) =>
    resolved({ name: 'many', platform: 'exo', secrets: secretsOf(count), consumers: {} });

  expect(() => templatesOf(many(40))).not.toThrow();
  expect(() => templatesOf(many(60))).toThrow(
    /^The role of keyturn-many-opaque-token must have policies of at most 10240 characters; the secrets and consumers of this deployment make about [0-9]+\.$/,
  );
});

it('every name of a function fits into 64 characters, and no two are the same', () => {
  const parts = [...classIds, ...Object.keys(stages), 'start', 'reconcile'];
  expect(new Set(parts).size).toBe(parts.length);
  const longestDeployment = 'a'.repeat(31);
  expect(parts.filter((part) => `keyturn-${longestDeployment}-${part}`.length > 64)).toEqual([]);
});

describe('a secret that another service rotates', () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-4f2a-AbCdEf';
  const deployment = (secret: object) => ({
    name: 'observing',
    platform: 'ocore',
    secrets: { MASTER: { class: 'observed', consumers: ['web'], ...secret } },
    consumers: { web: { kind: 'ecs', cluster: 'shop', service: 'web' } },
  });
  const [observing] = templatesOf(resolved(deployment({ source: { import: { arn } } })));

  it('gets no rotation function and no schedule: nothing of ours can write it', () => {
    expect(observing?.all('AWS::SecretsManager::RotationSchedule')).toEqual([]);
    const functions = observing?.all('AWS::Lambda::Function') ?? [];
    const names = functions.map(({ properties }) => String(properties.FunctionName));
    expect(names).toContain('keyturn-observing-redeploy');
    expect(names).not.toContain('keyturn-observing-observed');
    const policies = JSON.stringify(observing?.all('AWS::IAM::Role').map(({ properties }) => properties));
    expect(policies).not.toContain('secretsmanager:PutSecretValue');
  });

  it('its rotations and their failures come to the reconciler from the default bus', () => {
    const rules = (observing?.all('AWS::Events::Rule') ?? []).filter(({ properties }) =>
      JSON.stringify(properties).includes('CloudTrail'),
    );
    expect(rules.map(({ properties }) => properties.EventBusName)).toEqual([undefined, undefined]);
    expect(rules.map(({ properties }) => properties.EventPattern)).toEqual(
      ['RotationSucceeded', 'RotationFailed'].map((eventName) => ({
        source: ['aws.secretsmanager'],
        'detail-type': ['AWS Service Event via CloudTrail'],
        detail: {
          eventName: [eventName],
          $or: [{ additionalEventData: { SecretId: [arn] } }, { serviceEventDetails: { secretId: [arn] } }],
        },
      })),
    );
    expect(JSON.stringify(rules[0]?.properties.Targets)).toContain('sweep');
  });

  it.each([
    [
      { source: { create: { name: 'shop/master' } } },
      'secrets.MASTER.source must be import: the class observed is of secrets that another service makes and rotates.',
    ],
    [
      { source: { import: { arn } }, schedule: { cron: 'cron(0 2 1 * ? *)', window: '2h' } },
      'secrets.MASTER.schedule must be left out: the service that manages a secret of class observed has its schedule.',
    ],
  ])('refuses what is not its own to say', (secret, sentence) => {
    expect(() => resolved(deployment(secret))).toThrow(sentence);
  });
});
