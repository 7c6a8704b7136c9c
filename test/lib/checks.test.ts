/** The checks of a synth can fail: what the clean synth of app.test.ts is worth. */
import { type App, CfnResource, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { describe, expect, it, vi } from 'vitest';
import { addChecks } from '../../lib/checks.ts';
import { KeyturnStack } from '../../lib/keyturn-stack.ts';
import { KeyturnPipeline } from '../../lib/pipeline.ts';
import { example, newApp, resolved } from './synth.ts';

vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const inVpc = resolved({
  name: 'in-vpc',
  platform: 'exo',
  secrets: {
    DATABASE_URL: {
      class: 'database-credential',
      options: { dsn: 'DATABASE_URL' },
      source: { import: { name: 'team/database' } },
      consumers: [],
    },
  },
  consumers: {},
  network: {
    vpcId: 'vpc-0123456789abcdef0',
    subnetIds: ['subnet-0123456789abcdef0'],
    targets: [{ securityGroupId: 'sg-0123456789abcdef0', port: 5432 }],
  },
});

const anything = () =>
  new iam.PolicyStatement({
    actions: ['secretsmanager:GetSecretValue'],
    resources: ['arn:aws:secretsmanager:*:*:secret:*'],
  });

describe('a synth fails when', () => {
  it.each<[string, (app: App) => unknown, string[]]>([
    [
      'a role may read anything',
      (app) =>
        new iam.Role(new Stack(app, 'Broken'), 'Role', {
          assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
          inlinePolicies: { All: new iam.PolicyDocument({ statements: [anything()] }) },
        }),
      ['AwsSolutions::AwsSolutions-IAM5[Resource::arn:aws:secretsmanager:*:*:secret:*]'],
    ],
    [
      'nothing rotates a secret',
      (app) => new secretsmanager.CfnSecret(new Stack(app, 'Broken'), 'Secret', { name: 'forgotten' }),
      ['AwsSolutions::AwsSolutions-SMG4'],
    ],
    [
      'a property is not what CloudFormation takes',
      (app) =>
        new CfnResource(new Stack(app, 'Broken'), 'Queue', {
          type: 'AWS::SQS::Queue',
          properties: { VisibilityTimeout: 'soon' },
        }),
      ['CloudFormation-Validate::F3012'],
    ],
    [
      'one of our own roles is given more: an acknowledgement covers one wildcard only',
      (app) => {
        const { pipeline } = new KeyturnStack(app, { deployment: example('exo') });
        pipeline.stageFunctions.get('redeploy')?.role.addToPolicy(anything());
      },
      ['AwsSolutions::AwsSolutions-IAM5[Resource::arn:aws:secretsmanager:*:*:secret:*]'],
    ],
  ])('%s', (_sentence, build, findings) => {
    process.env.CDK_VALIDATION = 'true';
    const app = newApp();
    addChecks(app);
    build(app);

    const report = thrownBy(() => app.synth());

    expect([...report.matchAll(/Acknowledge with '(.*)'/g)].map(([, id]) => id)).toEqual(findings);
  });
});

it('neither a pipeline in a team’s stack of a known account and Region has a finding, nor one in a VPC', () => {
  process.env.CDK_VALIDATION = 'true';
  const app = newApp();
  addChecks(app);
  const stack = new Stack(app, 'Team', { env: { account: '111122223333', region: 'eu-west-1' } });
  new KeyturnPipeline(stack, 'Keyturn', { deployment: example('exo') });
  new KeyturnStack(app, { deployment: inVpc });

  expect(thrownBy(() => app.synth())).toBe('nothing was thrown');
});

it('acknowledges these findings and no others, each with a reason', () => {
  const stack = new KeyturnStack(newApp(), { deployment: example('exo') });
  const acknowledged = stack.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.entries<string>(data))
      .map(([id, reason]) => [
        node.path.replace('keyturn-exo-production/Pipeline/', ''),
        id,
        reason.length > 40,
      ]),
  );
  const prefix = 'Annotation::AwsSolutions';
  expect(acknowledged).toEqual([
    ['Secret-EXO_CLAUDE_API_KEY/Secret', `${prefix}-SMG4`, true],
    ['Stage-redeploy/Default/Role', `${prefix}-IAM5[Resource::*]`, true],
    [
      'Stage-redeploy/Default/Role',
      `${prefix}-IAM5[Resource::arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task/exo/*]`,
      true,
    ],
    ['Rollout-redeploy-and-prove/Role', `${prefix}-IAM5[Resource::*]`, true],
    ['Reconciler/Default/Role', `${prefix}-IAM5[Resource::*]`, true],
  ]);
});

function thrownBy(act: () => unknown): string {
  try {
    act();
  } catch (caught) {
    return caught instanceof Error ? caught.message : String(caught);
  }
  return 'nothing was thrown';
}
