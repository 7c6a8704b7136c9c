import { describe, expect, it } from 'vitest';
import { Iam } from '../../../lib/rehearsal/endpoint/iam.ts';
import { accessResolvers } from '../../../lib/rehearsal/endpoint/iam-resources.ts';
import { parsePolicy } from '../../../lib/rehearsal/endpoint/policy.ts';
import type { Caller, Json } from '../../../lib/rehearsal/endpoint/wire.ts';

const role = 'arn:aws:iam::111122223333:role/rotation';
const secret = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:app/key-AbCdEf';
const cluster = 'arn:aws:ecs:eu-central-1:111122223333:cluster/main';
const rotationFunction = 'arn:aws:lambda:eu-central-1:111122223333:function:rotation';
const caller: Caller = { accessKeyId: 'ASIA1', roleArn: role, functionArn: rotationFunction };

function iamWith(statement: Json): Iam {
  const iam = new Iam(
    accessResolvers((id) =>
      [secret, secret.slice(0, -7), 'app/key'].includes(id)
        ? { arn: secret, rotationLambdaArn: rotationFunction }
        : null,
    ),
  );
  iam.defineRole(role);
  iam.attach(role, { Statement: statement }, 'test');
  return iam;
}

const allow = (Action: Json, Resource: Json, Condition?: Json): Json =>
  Condition === undefined
    ? { Effect: 'Allow', Action, Resource }
    : { Effect: 'Allow', Action, Resource, Condition };

type Row = [
  sentence: string,
  statement: Json,
  service: string,
  operation: string,
  input: Record<string, Json>,
  ok: boolean,
];
const sm = 'secretsmanager';
const get = 'secretsmanager:GetSecretValue';

const table: Row[] = [
  ['a secret by its ARN', allow(get, secret), sm, 'GetSecretValue', { SecretId: secret }, true],
  ['a secret by its name', allow(get, secret), sm, 'GetSecretValue', { SecretId: 'app/key' }, true],
  [
    'a secret by its partial ARN',
    allow(get, secret),
    sm,
    'GetSecretValue',
    { SecretId: secret.slice(0, -7) },
    true,
  ],
  [
    'a suffix written as ??????',
    allow(get, `${secret.slice(0, -6)}??????`),
    sm,
    'GetSecretValue',
    { SecretId: 'app/key' },
    true,
  ],
  ['no other secret', allow(get, secret), sm, 'GetSecretValue', { SecretId: 'app/other' }, false],
  ['no other operation', allow(get, secret), sm, 'PutSecretValue', { SecretId: secret }, false],
  [
    'an action by wildcard, in any case',
    allow('SecretsManager:get*', secret),
    sm,
    'GetSecretValue',
    { SecretId: secret },
    true,
  ],
  [
    'a random password only on *',
    allow('secretsmanager:GetRandomPassword', secret),
    sm,
    'GetRandomPassword',
    {},
    false,
  ],
  [
    'nothing that is denied beside',
    [allow('secretsmanager:*', '*'), { Effect: 'Deny', Action: get, Resource: secret }],
    sm,
    'GetSecretValue',
    { SecretId: secret },
    false,
  ],
  [
    'a read that names the label of the condition',
    allow(get, secret, { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': ['AWSCURRENT'] } }),
    sm,
    'GetSecretValue',
    { SecretId: secret, VersionStage: 'AWSCURRENT' },
    true,
  ],
  [
    'no read without the label of the condition',
    allow(get, secret, { 'ForAnyValue:StringEquals': { 'secretsmanager:VersionStage': ['AWSCURRENT'] } }),
    sm,
    'GetSecretValue',
    { SecretId: secret },
    false,
  ],
  [
    'secrets that this function rotates',
    allow(get, '*', { ArnEquals: { 'secretsmanager:resource/AllowRotationLambdaArn': rotationFunction } }),
    sm,
    'GetSecretValue',
    { SecretId: secret },
    true,
  ],
  [
    'nothing under an unknown operator',
    allow(get, '*', { DateLessThan: { 'aws:CurrentTime': '2099-01-01' } }),
    sm,
    'GetSecretValue',
    { SecretId: secret },
    false,
  ],
  [
    'nothing that a deny under an unknown operator may forbid',
    [
      allow(get, '*'),
      {
        Effect: 'Deny',
        Action: get,
        Resource: '*',
        Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
      },
    ],
    sm,
    'GetSecretValue',
    { SecretId: secret },
    false,
  ],
  [
    'no rotation without the right to invoke',
    allow('secretsmanager:RotateSecret', secret),
    sm,
    'RotateSecret',
    { SecretId: secret },
    false,
  ],
  [
    'a rotation with the right to invoke',
    [allow('secretsmanager:RotateSecret', secret), allow('lambda:InvokeFunction', rotationFunction)],
    sm,
    'RotateSecret',
    { SecretId: secret },
    true,
  ],
  [
    'events on its bus',
    allow('events:PutEvents', 'arn:aws:events:eu-central-1:111122223333:event-bus/keyturn'),
    'events',
    'PutEvents',
    { Entries: [{ EventBusName: 'keyturn', Source: 's', DetailType: 'd' }] },
    true,
  ],
  [
    'no events when one entry goes to another bus',
    allow('events:PutEvents', 'arn:aws:events:eu-central-1:111122223333:event-bus/keyturn'),
    'events',
    'PutEvents',
    { Entries: [{ EventBusName: 'keyturn' }, { Source: 's' }] },
    false,
  ],
  [
    'an update of its service',
    allow('ecs:UpdateService', 'arn:aws:ecs:eu-central-1:111122223333:service/main/web'),
    'ecs',
    'UpdateService',
    { cluster: 'main', service: 'web' },
    true,
  ],
  [
    'a list of tasks in the cluster of the condition',
    allow('ecs:ListTasks', '*', { ArnEquals: { 'ecs:cluster': cluster } }),
    'ecs',
    'ListTasks',
    { cluster: 'main', serviceName: 'web' },
    true,
  ],
  [
    'no list of tasks by the ARN of the service',
    allow('ecs:ListTasks', 'arn:aws:ecs:eu-central-1:111122223333:service/main/web'),
    'ecs',
    'ListTasks',
    { cluster: 'main', serviceName: 'web' },
    false,
  ],
  [
    'tasks of its cluster',
    allow('ecs:DescribeTasks', 'arn:aws:ecs:eu-central-1:111122223333:task/main/*'),
    'ecs',
    'DescribeTasks',
    { cluster: cluster, tasks: ['arn:aws:ecs:eu-central-1:111122223333:task/main/0123'] },
    true,
  ],
];

describe('a role is allowed', () => {
  for (const [sentence, statement, service, operation, input, ok] of table) {
    it(sentence, () => {
      const call = () => iamWith(statement).authorise(caller, service, operation, input);
      if (ok) expect(call).not.toThrow();
      else expect(call).toThrow(/is not authorized to perform: /);
    });
  }
});

describe('IAM', () => {
  it('names who, what and on which resource when it refuses', () => {
    const call = () => iamWith([]).authorise(caller, sm, 'GetSecretValue', { SecretId: 'app/key' });
    expect(call).toThrow(
      `User: arn:aws:sts::111122223333:assumed-role/rotation/rotation is not authorized to perform: secretsmanager:GetSecretValue on resource: ${secret} because no identity-based policy allows the secretsmanager:GetSecretValue action`,
    );
  });
  it('lets the operator do everything', () => {
    const operator = { accessKeyId: 'AKIA', roleArn: null, functionArn: null };
    expect(() => iamWith([]).authorise(operator, sm, 'DeleteSecret', { SecretId: secret })).not.toThrow();
  });
  it('refuses a policy that it cannot evaluate, and a managed policy that it does not know', () => {
    expect(() =>
      parsePolicy({ Statement: { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' } }, 'p'),
    ).toThrow('p, statement 0: the rehearsal does not evaluate NotAction');
    expect(() => iamWith([]).attachManaged(role, 'arn:aws:iam::aws:policy/AdministratorAccess')).toThrow(
      /does not know/,
    );
  });
});
