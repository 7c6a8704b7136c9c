/** Deployments whose consumers hand values on, or are reached through Run Command: what their stage may do. */
import { describe, expect, it, vi } from 'vitest';
import { resolved, templatesOf } from './synth.ts';

// What a role may do does not depend on the code; bundling it would take most of this file's time.
vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const format = { encoding: 'base64', bytes: 48 };
const workloads = [{ kind: 'Deployment', name: 'web' }];
const inCluster = { kind: 'kubernetes', cluster: 'shop', namespace: 'shop', workloads };

const deployment = resolved({
  name: 'team',
  platform: 'exo',
  url: 'https://exo.example.com',
  secrets: {
    PATCHED: {
      class: 'opaque-token',
      options: { variable: 'PATCHED', format },
      source: {
        import: { name: 'team/patched', kmsKey: 'arn:aws:kms:eu-west-1:111122223333:key/patched' },
      },
      consumers: ['patched', 'refreshed'],
    },
    REFRESHED: {
      class: 'opaque-token',
      options: { variable: 'REFRESHED', format },
      source: {
        import: { name: 'team/refreshed', kmsKey: 'arn:aws:kms:eu-west-1:111122223333:key/refreshed' },
      },
      consumers: ['refreshed', 'hosts', 'fleet'],
    },
  },
  consumers: {
    patched: { ...inCluster, sync: { secret: 'app', keys: { token: 'PATCHED' } } },
    refreshed: { ...inCluster, cluster: 'other', region: 'eu-west-3', sync: { externalSecret: 'app' } },
    hosts: {
      ...{ kind: 'compose', hosts: { instances: ['i-0123456789abcdef0'] }, directory: '/opt/shop' },
      ...{ variables: { TOKEN: 'REFRESHED' }, services: ['web'] },
    },
    fleet: {
      ...{ kind: 'compose', hosts: { tag: { key: 'role', value: 'shop' } }, directory: '/opt/shop' },
      ...{ variables: { TOKEN: 'REFRESHED' }, services: ['web'] },
    },
  },
});
const [team] = templatesOf(deployment);
const here = '<Region>:<AccountId>';

it('the redeploy stage may do exactly what its consumers need, and reads only the secret that it hands on', () => {
  const statements = team?.statementsOf('keyturn-team-redeploy') ?? [];
  const patched = `arn:<Partition>:secretsmanager:${here}:secret:team/patched-??????`;
  expect(statements.slice(1, -1)).toEqual([
    {
      Effect: 'Allow',
      Action: 'eks:DescribeCluster',
      Resource: [
        `arn:<Partition>:eks:${here}:cluster/shop`,
        'arn:<Partition>:eks:eu-west-3:<AccountId>:cluster/other',
      ],
    },
    {
      Effect: 'Allow',
      Action: 'ssm:SendCommand',
      Resource: [
        `arn:<Partition>:ec2:${here}:instance/i-0123456789abcdef0`,
        'arn:<Partition>:ssm:<Region>::document/AWS-RunShellScript',
      ],
    },
    {
      Effect: 'Allow',
      Action: ['ssm:ListCommandInvocations', 'ssm:ListCommands'],
      Resource: '*',
    },
    {
      Effect: 'Allow',
      Action: 'ssm:SendCommand',
      Resource: [`arn:<Partition>:ec2:${here}:instance/*`, `arn:<Partition>:ssm:${here}:managed-instance/*`],
      Condition: { StringEquals: { 'ssm:resourceTag/role': 'shop' } },
    },
    { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: patched },
    {
      Effect: 'Allow',
      Action: 'kms:Decrypt',
      Resource: 'arn:aws:kms:eu-west-1:111122223333:key/patched',
      Condition: {
        StringEquals: { 'kms:ViaService': 'secretsmanager.<Region>.amazonaws.com' },
        StringLike: { 'kms:EncryptionContext:SecretARN': [patched] },
      },
    },
  ]);
});

describe('no other stage', () => {
  it.each(['settle', 'prove', 'complete', 'stall'])('%s has any of it', (stage) => {
    const statements = JSON.stringify(team?.statementsOf(`keyturn-team-${stage}`));
    expect(statements).not.toMatch(/eks:|ssm:/);
  });
});

it('a consumer that breaks a rule of its kind is refused with its name', () => {
  const broken = () =>
    resolved({
      name: 'team',
      platform: 'exo',
      secrets: {},
      consumers: { web: { ...inCluster, namespace: 'No', sync: 'none' } },
    });
  expect(broken).toThrow(
    'consumers.web: namespace must be the name of a Kubernetes namespace; received "No".',
  );
});
