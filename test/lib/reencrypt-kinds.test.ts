/** A deployment with each kind of re-encryption: what it may do, what its function weighs, what is refused. */
import { describe, expect, it, vi } from 'vitest';
import { reencryptKinds } from '../../lambdas/hooks/reencrypt/kinds.ts';
import { bundleOf } from '../../lib/bundle.ts';
import { resolved, templatesOf } from './synth.ts';
import { object } from './template.ts';

vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const kmsKey = 'arn:aws:kms:eu-west-1:111122223333:key/admin';
const adminArn = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/admin-AbCdEf';

const deploymentWith = (name: string, reencrypt: readonly object[]) => ({
  name,
  platform: 'exo',
  secrets: {
    CREDENTIAL_ENCRYPTION_KEY: {
      class: 'encryption-keyring',
      options: {
        variable: 'CREDENTIAL_ENCRYPTION_KEY',
        accepted: 'CREDENTIAL_ENCRYPTION_KEY_PREVIOUS',
        format: { encoding: 'fernet' },
      },
      source: { import: { name: 'team/key' } },
      reencrypt,
      consumers: ['worker'],
    },
    ADMIN: {
      class: 'opaque-token',
      options: { variable: 'ADMIN', format: { encoding: 'base64', bytes: 48 } },
      source: { import: { name: 'team/admin', kmsKey } },
      consumers: [],
    },
  },
  consumers: { worker: { kind: 'ecs', cluster: 'main', service: 'worker' } },
});

const complete = [{ pointer: '/failures', equals: 0 }];
const http = (credential: object) => ({
  kind: 'http',
  url: 'https://app.example.com/api/v1/admin/rotate-credentials',
  auth: { credential },
  complete,
});
const task = {
  kind: 'ecs-task',
  cluster: 'main',
  taskDefinition: 'rewrap:7',
  container: 'app',
  network: { subnets: ['subnet-0123456789abcdef0'] },
  count: 'elsewhere',
};

const here = (service: string, resource: string) =>
  `arn:<Partition>:${service}:<Region>:<AccountId>:${resource}`;
const decrypts = (operators: object) => ({
  Effect: 'Allow',
  Action: 'kms:Decrypt',
  Resource: kmsKey,
  Condition: operators,
});
const via = { 'kms:ViaService': 'secretsmanager.<Region>.amazonaws.com' };
const invokes = {
  Effect: 'Allow',
  Action: 'lambda:InvokeFunction',
  Resource: here('lambda', 'function:mover'),
};

const ownKey = here('secretsmanager', 'secret:team/key-??????');
const ownAdmin = here('secretsmanager', 'secret:team/admin-??????');

/** With the secrets that they may read, beside statements about anything else. */
const cases: [name: string, reencrypt: object[], readable: string[], statements: object[]][] = [
  [
    'http-own',
    [http({ secret: 'ADMIN', member: 'ADMIN' })],
    [ownAdmin, ownKey],
    [
      decrypts({
        StringEquals: via,
        StringLike: { 'kms:EncryptionContext:SecretARN': [ownAdmin] },
      }),
    ],
  ],
  [
    'http-other',
    [http({ secret: adminArn, member: 'TOKEN', kmsKey })],
    [ownKey, adminArn],
    [decrypts({ StringEquals: via })],
  ],
  ['lambda', [{ kind: 'lambda', function: 'mover' }], [ownKey], [invokes]],
  [
    'ecs-task',
    [task, { kind: 'lambda', function: 'mover' }],
    [ownKey],
    [
      {
        Effect: 'Allow',
        Action: 'ecs:RunTask',
        Resource: here('ecs', 'task-definition/rewrap:7'),
        Condition: { ArnEquals: { 'ecs:cluster': here('ecs', 'cluster/main') } },
      },
      { Effect: 'Allow', Action: 'ecs:DescribeTasks', Resource: here('ecs', 'task/main/*') },
      invokes,
    ],
  ],
];

const templates = templatesOf(...cases.map(([name, reencrypt]) => resolved(deploymentWith(name, reencrypt))));

const aboutSecrets = (statement: unknown) =>
  JSON.stringify(statement).includes('secretsmanager:GetSecretValue');

describe('the functions that move and count data may do nothing but', () => {
  it.each(
    cases.map(
      ([name, , readable, statements], index) => [name, readable, statements, templates[index]] as const,
    ),
  )('what the hooks declare: %s', (name, readable, statements, template) => {
    for (const stage of ['reencrypt', 'count-left']) {
      // The log of its own, and what no function may ever do, are shown in roles.test.ts.
      const given = (template?.statementsOf(`keyturn-${name}-${stage}`) ?? []).slice(1, -1);
      expect(given.filter((statement) => !aboutSecrets(statement))).toEqual(statements);
      const resources = given.filter(aboutSecrets).flatMap((statement) => object(statement).Resource ?? []);
      expect(resources.map(String).sort()).toEqual([...readable].sort());
    }
    const retire = (template?.statementsOf(`keyturn-${name}-retire`) ?? []).slice(1, -1);
    for (const statement of statements) expect(retire).not.toContainEqual(statement);
  });
});

describe('a function with one kind of re-encryption', () => {
  it.each([...reencryptKinds.keys()])('has the clients of this kind only: %s', (kind) => {
    const { inputs } = bundleOf({
      kind: 'stage',
      stageId: 'reencrypt',
      consumerKinds: [],
      reencryptKinds: [kind],
    });
    const clients = new Set(Object.keys(inputs).flatMap((file) => file.match(/client-[a-z-]+(?=\/)/) ?? []));
    expect([...clients].sort()).toEqual(clientsOf[kind]);
  });
});

const clientsOf: Readonly<Record<string, readonly string[]>> = {
  'ecs-task': ['client-ecs', 'client-secrets-manager'],
  http: ['client-secrets-manager'],
  lambda: ['client-lambda', 'client-secrets-manager'],
  postgres: ['client-secrets-manager'],
};

describe('a deployment is refused', () => {
  const at = 'secrets.CREDENTIAL_ENCRYPTION_KEY.reencrypt';
  it.each([
    [[{ kind: 'ftp' }], `${at}.0.kind must be one of ecs-task, http, lambda, postgres; received "ftp".`],
    [
      [{ kind: 'lambda', function: 'mover' }, http({ secret: 'no secret', member: 'X' })],
      `${at}.1: auth.credential.secret must be a key of secrets, or the ARN or name of a secret; received "no secret".`,
    ],
    [
      [task],
      `${at} must have a hook that counts what is left: without a count, no key can be retired; none of them counts.`,
    ],
    [
      [{ ...http({ secret: 'ADMIN', member: 'X' }), url: 'http://app.example.com/' }],
      `${at}.0: url must be https (http only on a loopback address); received "http://app.example.com/".`,
    ],
  ])('%j', (reencrypt, message) => {
    expect(() => resolved(deploymentWith('bad', reencrypt))).toThrow(
      expect.objectContaining({ code: 'DeploymentInvalid', message }),
    );
  });
});

it('a key of secrets stands for the name in credentials only, and the text of a body stays as it is', () => {
  const hook = { ...http({ secret: 'ADMIN', member: 'ADMIN' }), body: { secret: 'ADMIN' } };
  const { secrets } = resolved(deploymentWith('ids', [hook]));
  const [moved] = secrets.find(({ key }) => key === 'CREDENTIAL_ENCRYPTION_KEY')?.settings.reencrypt ?? [];
  expect(moved).toMatchObject({
    auth: { credential: { secret: 'team/admin', member: 'ADMIN' } },
    body: { secret: 'ADMIN' },
  });
});
