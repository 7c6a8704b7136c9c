/** A deployment with each kind of consumer: what it may do, what its function weighs, what is refused. */
import { describe, expect, it, vi } from 'vitest';
import { redeployKinds } from '../../lambdas/hooks/redeploy/kinds.ts';
import { bundleOf } from '../../lib/bundle.ts';
import { resolved, templatesOf } from './synth.ts';

vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const keySecret = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:hooks/signing-AbCdEf';
const keyKey = 'arn:aws:kms:eu-west-1:111122223333:key/hooks';

const deploymentWith = (name: string, consumer: object) => ({
  name,
  platform: 'exo',
  url: 'https://exo.example.com',
  secrets: {
    EXO_JWT_SECRET: { source: { create: { name: 'exo/jwt' } }, consumers: ['worker'] },
    OTHER: {
      class: 'opaque-token',
      options: { variable: 'OTHER', format: { encoding: 'base64', bytes: 48 } },
      source: { import: { name: 'team/other' } },
      consumers: [],
    },
  },
  consumers: { worker: consumer },
});

const here = (service: string, resource: string) =>
  `arn:<Partition>:${service}:<Region>:<AccountId>:${resource}`;
const puts = {
  Effect: 'Allow',
  Action: 'events:PutEvents',
  Resource: here('events', 'event-bus/team'),
  Condition: { StringEquals: { 'events:source': 'keyturn', 'events:detail-type': 'Redeploy Requested' } },
};

const secrets = [here('secretsmanager', 'secret:team/other-??????'), '<Secret exo/jwt>'];
const describes = { Effect: 'Allow', Action: 'secretsmanager:DescribeSecret', Resource: secrets };
const marks = (target: string) => [
  describes,
  {
    Effect: 'Allow',
    Action: 'secretsmanager:TagResource',
    Resource: secrets,
    Condition: { 'ForAllValues:StringEquals': { 'aws:TagKeys': `keyturn:requested:${target}` } },
  },
];

const cases: [name: string, consumer: object, statements: object[]][] = [
  [
    'lambda',
    { kind: 'lambda', function: 'mailer' },
    [
      {
        Effect: 'Allow',
        Action: [
          'lambda:GetFunctionConfiguration',
          'lambda:ListAliases',
          'lambda:UpdateFunctionConfiguration',
        ],
        Resource: here('lambda', 'function:mailer'),
      },
    ],
  ],
  [
    'codebuild',
    { kind: 'codebuild', project: 'helm-upgrade' },
    [
      {
        Effect: 'Allow',
        Action: ['codebuild:BatchGetBuilds', 'codebuild:ListBuildsForProject', 'codebuild:StartBuild'],
        Resource: here('codebuild', 'project/helm-upgrade'),
      },
    ],
  ],
  [
    'eventbridge-tag',
    { kind: 'eventbridge', bus: 'team', confirm: 'tag', tag: 'keyturn:confirmed:worker' },
    [puts, describes],
  ],
  [
    'eventbridge-none',
    { kind: 'eventbridge', bus: 'team', confirm: 'none', settleSeconds: 60 },
    [puts, ...marks('team')],
  ],
  [
    'http',
    { kind: 'http', url: 'https://deploy.example.com/redeploys', key: { secret: keySecret }, final: true },
    [
      { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: keySecret },
      ...marks('deploy.example.com'),
    ],
  ],
  [
    'http-key',
    {
      kind: 'http',
      url: 'https://deploy.example.com/redeploys',
      key: { secret: keySecret, kmsKey: keyKey },
      look: { path: '/redeploys/{versionId}', pointer: '/state', equals: 'done' },
    },
    [
      { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: keySecret },
      {
        Effect: 'Allow',
        Action: 'kms:Decrypt',
        Resource: keyKey,
        Condition: {
          StringEquals: {
            'kms:ViaService': 'secretsmanager.<Region>.amazonaws.com',
            'kms:EncryptionContext:SecretARN': keySecret,
          },
        },
      },
    ],
  ],
];

const templates = templatesOf(...cases.map(([name, consumer]) => resolved(deploymentWith(name, consumer))));

describe('the redeploy function may do nothing but', () => {
  it.each(cases.map(([name, , statements], index) => [name, statements, templates[index]] as const))(
    'what the consumer declares: %s',
    (name, statements, template) => {
      const functionName = `keyturn-${name}-redeploy`;
      const given = template?.statementsOf(functionName) ?? [];
      // The log of its own, and what no function may ever do, are shown in roles.test.ts.
      expect(given.slice(1, -1)).toEqual(statements);
    },
  );
});

describe('a redeploy function with one kind of consumer', () => {
  it.each([...redeployKinds.keys()])('weighs at most 400 KB: %s', (kind) => {
    const { bytes, inputs } = bundleOf({ kind: 'stage', stageId: 'redeploy', consumerKinds: [kind] });
    expect(bytes).toBeLessThanOrEqual(400 * 1024);
    const clients = new Set(Object.keys(inputs).flatMap((file) => file.match(/client-[a-z-]+(?=\/)/) ?? []));
    expect([...clients].sort()).toEqual(clientsOf[kind]);
  });
});

const clientsOf: Readonly<Record<string, readonly string[]>> = {
  codebuild: ['client-codebuild'],
  compose: [],
  ecs: ['client-ecs'],
  eventbridge: ['client-eventbridge', 'client-secrets-manager'],
  http: ['client-secrets-manager'],
  kubernetes: ['client-secrets-manager'],
  lambda: ['client-lambda'],
};

describe('a deployment is refused', () => {
  it.each([
    [
      { kind: 'lambda', function: 'mailer:live' },
      'consumers.worker: function must be the name of a function, without version or alias; received "mailer:live".',
    ],
    [{ kind: 'codebuild' }, 'consumers.worker: project must be a string; received nothing.'],
    [
      { kind: 'eventbridge', bus: 'team', confirm: 'none' },
      'consumers.worker: settleSeconds must be given with confirm "none"; received nothing.',
    ],
    [
      { kind: 'http', url: 'https://0xA9FEA9FE/', key: { secret: keySecret }, final: true },
      'consumers.worker: url must have its IP address in the usual form; received "https://0xA9FEA9FE/".',
    ],
  ])('%j', (consumer, message) => {
    expect(() => resolved(deploymentWith('bad', consumer))).toThrow(
      expect.objectContaining({ code: 'DeploymentInvalid', message }),
    );
  });
});
