import { describe, expect, it, vi } from 'vitest';
import { example, resolved, templatesOf } from './synth.ts';
import { list, object } from './template.ts';

// What a role may do does not depend on the code; bundling it would take most of this file's time.
vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const imported = resolved({
  name: 'imported',
  platform: 'exo',
  url: 'https://exo.example.com',
  secrets: {
    EXO_JWT_SECRET: {
      source: {
        import: { name: 'team/jwt', kmsKey: 'arn:aws:kms:eu-west-1:111122223333:key/by-name' },
      },
      consumers: ['api', 'worker'],
    },
    BY_ARN: {
      class: 'signing-key-cutover',
      options: { variable: 'BY_ARN', format: { encoding: 'base64', bytes: 48 } },
      source: {
        import: {
          arn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/by-arn-AbCdEf',
          kmsKey: 'arn:aws:kms:eu-west-1:111122223333:key/by-arn',
        },
      },
      consumers: ['api'],
    },
    AWS_KEY: {
      class: 'opaque-token',
      options: { variable: 'AWS_KEY', format: { encoding: 'base64', bytes: 48 } },
      source: { import: { name: 'team/aws-managed-key' } },
      consumers: [],
    },
  },
  consumers: {
    api: { kind: 'ecs', cluster: 'team', service: 'api' },
    worker: { kind: 'ecs', cluster: 'team', service: 'worker' },
  },
});

const [exo, ocore, byImport] = templatesOf(example('exo'), example('ocore'), imported);

const never = {
  Effect: 'Deny',
  Action: [
    'kms:ScheduleKeyDeletion',
    'secretsmanager:DeleteResourcePolicy',
    'secretsmanager:DeleteSecret',
    'secretsmanager:PutResourcePolicy',
  ],
  Resource: '*',
};
const ownLog = (name: string) => ({
  Effect: 'Allow',
  Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
  Resource: `<LogGroup /aws/lambda/${name}>.Arn`,
});
const putsOn = (bus: string) => ({
  Effect: 'Allow',
  Action: 'events:PutEvents',
  Resource: `<EventBus ${bus}>.Arn`,
});
const viaSecretsManager = 'secretsmanager.<Region>.amazonaws.com';

describe('a rotation function may do nothing but', () => {
  const fourSteps = [
    'secretsmanager:DescribeSecret',
    'secretsmanager:GetSecretValue',
    'secretsmanager:PutSecretValue',
    'secretsmanager:UpdateSecretVersionStage',
  ];
  it.each([
    ['exo-production', 'signing-key-cutover', 'exo/jwt', exo],
    ['exo-production', 'operator-supplied', 'exo/claude-api-key', exo],
    ['ocore-production', 'signing-key-cutover', 'ocore/jwt', ocore],
    ['ocore-production', 'opaque-token', 'ocore/health-check-token', ocore],
  ])('the four steps on its own created secret: %s, %s, %s', (deployment, secretClass, secret, template) => {
    const name = `keyturn-${deployment}-${secretClass}`;
    expect(template?.statementsOf(name)).toEqual([
      ownLog(name),
      { Effect: 'Allow', Action: fourSteps, Resource: `<Secret ${secret}>` },
      {
        Effect: 'Allow',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: '<Key>.Arn',
        Condition: {
          StringEquals: {
            'kms:ViaService': viaSecretsManager,
            'kms:EncryptionContext:SecretARN': [`<Secret ${secret}>`],
          },
        },
      },
      putsOn(`keyturn-${deployment}-events`),
      never,
    ]);
  });

  it('the four steps on its own imported secrets, and each key for its own secret', () => {
    const name = 'keyturn-imported-signing-key-cutover';
    const byName = 'arn:<Partition>:secretsmanager:<Region>:<AccountId>:secret:team/jwt-??????';
    const byArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/by-arn-AbCdEf';
    expect(byImport?.statementsOf(name)).toEqual([
      ownLog(name),
      { Effect: 'Allow', Action: fourSteps, Resource: [byArn, byName] },
      {
        Effect: 'Allow',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: 'arn:aws:kms:eu-west-1:111122223333:key/by-name',
        Condition: {
          StringEquals: { 'kms:ViaService': viaSecretsManager },
          StringLike: { 'kms:EncryptionContext:SecretARN': [byName] },
        },
      },
      {
        Effect: 'Allow',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey'],
        Resource: 'arn:aws:kms:eu-west-1:111122223333:key/by-arn',
        Condition: {
          StringEquals: {
            'kms:ViaService': viaSecretsManager,
            'kms:EncryptionContext:SecretARN': [byArn],
          },
        },
      },
      putsOn('keyturn-imported-events'),
      never,
    ]);
  });

  it('the four steps, without any key, where the secret has the key of AWS', () => {
    const name = 'keyturn-imported-opaque-token';
    expect(byImport?.statementsOf(name)).toEqual([
      ownLog(name),
      {
        Effect: 'Allow',
        Action: fourSteps,
        Resource: 'arn:<Partition>:secretsmanager:<Region>:<AccountId>:secret:team/aws-managed-key-??????',
      },
      putsOn('keyturn-imported-events'),
      never,
    ]);
  });
});

describe('a stage function may do nothing but', () => {
  const bothSecrets = ['<Secret exo/claude-api-key>', '<Secret exo/jwt>'];
  const restarts = (cluster: string, service: string) => [
    {
      Effect: 'Allow',
      Action: ['ecs:DescribeServices', 'ecs:UpdateService'],
      Resource: `arn:<Partition>:ecs:<Region>:<AccountId>:service/${cluster}/${service}`,
    },
  ];
  const inCluster = (cluster: string) => [
    {
      Effect: 'Allow',
      Action: 'ecs:ListTasks',
      Resource: '*',
      Condition: {
        ArnEquals: { 'ecs:cluster': `arn:<Partition>:ecs:<Region>:<AccountId>:cluster/${cluster}` },
      },
    },
    {
      Effect: 'Allow',
      Action: 'ecs:DescribeTasks',
      Resource: `arn:<Partition>:ecs:<Region>:<AccountId>:task/${cluster}/*`,
    },
  ];

  it.each([
    ['settle', [{ Effect: 'Allow', Action: 'secretsmanager:DescribeSecret', Resource: bothSecrets }]],
    ['redeploy', [...restarts('exo', 'backend'), ...inCluster('exo')]],
    [
      'prove',
      [
        { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: bothSecrets },
        {
          Effect: 'Allow',
          Action: 'kms:Decrypt',
          Resource: '<Key>.Arn',
          Condition: {
            StringEquals: {
              'kms:ViaService': viaSecretsManager,
              'kms:EncryptionContext:SecretARN': ['<Secret exo/jwt>', '<Secret exo/claude-api-key>'],
            },
          },
        },
      ],
    ],
    [
      'complete',
      [
        { Effect: 'Allow', Action: 'secretsmanager:TagResource', Resource: bothSecrets },
        putsOn('keyturn-exo-production-events'),
      ],
    ],
    [
      'roll-back',
      [
        {
          Effect: 'Allow',
          Action: [
            'secretsmanager:DescribeSecret',
            'secretsmanager:TagResource',
            'secretsmanager:UpdateSecretVersionStage',
          ],
          Resource: bothSecrets,
        },
      ],
    ],
    [
      'rolled-back',
      [
        { Effect: 'Allow', Action: 'secretsmanager:TagResource', Resource: bothSecrets },
        putsOn('keyturn-exo-production-events'),
      ],
    ],
    ['stall', [putsOn('keyturn-exo-production-events')]],
  ])('what it declares: %s', (stage, work) => {
    const name = `keyturn-exo-production-${stage}`;
    expect(exo?.statementsOf(name)).toEqual([ownLog(name), ...work, never]);
  });

  it('restart the consumers of all its secrets, each once', () => {
    const statements = JSON.stringify(byImport?.statementsOf('keyturn-imported-redeploy'));
    expect(statements.match(/service\/team\/[a-z]+/g)).toEqual(['service/team/api', 'service/team/worker']);
  });
});

it('the starter may start the state machines of the deployment, and nothing else', () => {
  const name = 'keyturn-exo-production-start';
  expect(exo?.statementsOf(name)).toEqual([
    ownLog(name),
    {
      Effect: 'Allow',
      Action: 'states:StartExecution',
      Resource: '<StateMachine keyturn-exo-production-redeploy-and-prove>',
    },
    { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: '<Queue>.Arn' },
    never,
  ]);
});

describe('the reconciler', () => {
  it('may look at its secrets, tag them, drop AWSPENDING and start rollouts; it reads no value', () => {
    const name = 'keyturn-exo-production-reconcile';
    expect(exo?.statementsOf(name)).toEqual([
      ownLog(name),
      { Effect: 'Allow', Action: 'secretsmanager:ListSecrets', Resource: '*' },
      {
        Effect: 'Allow',
        Action: [
          'secretsmanager:DescribeSecret',
          'secretsmanager:ListSecretVersionIds',
          'secretsmanager:TagResource',
          'secretsmanager:UpdateSecretVersionStage',
        ],
        Resource: ['<Secret exo/claude-api-key>', '<Secret exo/jwt>'],
      },
      {
        Effect: 'Deny',
        Action: 'secretsmanager:UpdateSecretVersionStage',
        Resource: '*',
        Condition: { StringNotEquals: { 'secretsmanager:VersionStage': 'AWSPENDING' } },
      },
      {
        Effect: 'Allow',
        Action: ['states:ListExecutions', 'states:StartExecution'],
        Resource: '<StateMachine keyturn-exo-production-redeploy-and-prove>',
      },
      putsOn('keyturn-exo-production-events'),
      { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: '<Queue>.Arn' },
      never,
    ]);
  });

  it('is invoked by its schedule in a role that may do that alone', () => {
    const role = exo?.one('AWS::IAM::Role', ({ AssumeRolePolicyDocument }) =>
      JSON.stringify(AssumeRolePolicyDocument).includes('scheduler.amazonaws.com'),
    );
    expect(role?.properties).toMatchObject({
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Action: 'sts:AssumeRole',
            Effect: 'Allow',
            Principal: { Service: 'scheduler.amazonaws.com' },
            Condition: { StringEquals: { 'aws:SourceAccount': '<AccountId>' } },
          },
        ],
      },
      Policies: [
        {
          PolicyDocument: {
            Statement: [
              {
                Effect: 'Allow',
                Action: 'lambda:InvokeFunction',
                Resource: '<Function keyturn-exo-production-reconcile>.Arn',
              },
              { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: '<Queue>.Arn' },
            ],
          },
        },
      ],
    });
  });
});

it('the key lets CloudWatch Logs, EventBridge and alarms use it for this deployment’s logs and topic only', () => {
  const policy = exo?.one('AWS::KMS::Key').properties.KeyPolicy;
  const logGroups = 'arn:<Partition>:logs:<Region>:<AccountId>:log-group:';
  expect(policy).toMatchObject({
    Statement: [
      {
        Action: 'kms:*',
        Effect: 'Allow',
        Principal: { AWS: 'arn:<Partition>:iam::<AccountId>:root' },
        Resource: '*',
      },
      {
        Action: ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
        Condition: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': [
              `${logGroups}/aws/lambda/keyturn-exo-production-*`,
              `${logGroups}/aws/vendedlogs/states/keyturn-exo-production-*`,
            ],
          },
        },
        Effect: 'Allow',
        Principal: { Service: 'logs.<Region>.amazonaws.com' },
      },
      {
        Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        Condition: {
          StringEquals: {
            'kms:EncryptionContext:aws:sns:topicArn':
              'arn:<Partition>:sns:<Region>:<AccountId>:keyturn-exo-production-notifications',
          },
        },
        Effect: 'Allow',
        Principal: { Service: ['cloudwatch.amazonaws.com', 'events.amazonaws.com'] },
      },
    ],
  });
});

it('the topic lets in the rules of the deployment, its alarms, and nothing without TLS', () => {
  const { Statement } = object(exo?.one('AWS::SNS::TopicPolicy').properties.PolicyDocument);
  const topic = '<Topic keyturn-exo-production-notifications>';
  expect(Statement).toContainEqual({
    Sid: 'AlarmsArePublished',
    Effect: 'Allow',
    Principal: { Service: 'cloudwatch.amazonaws.com' },
    Action: 'sns:Publish',
    Resource: topic,
    Condition: {
      ArnLike: {
        'aws:SourceArn': 'arn:<Partition>:cloudwatch:<Region>:<AccountId>:alarm:keyturn-exo-production-*',
      },
      StringEquals: { 'aws:SourceAccount': '<AccountId>' },
    },
  });
  const services = list(Statement).map((statement) => object(statement).Principal);
  expect(services).toEqual(
    expect.arrayContaining([{ Service: 'events.amazonaws.com' }, { Service: 'cloudwatch.amazonaws.com' }]),
  );
  expect(list(Statement).filter((statement) => object(statement).Effect === 'Deny')).toHaveLength(1);
});
