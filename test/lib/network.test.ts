/** What a deployment's `network` makes of its template. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ECSClient, ListClustersCommand } from '@aws-sdk/client-ecs';
import { DescribeUsersCommand, ElastiCacheClient } from '@aws-sdk/client-elasticache';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { describe, expect, it, vi } from 'vitest';
import type { StageRetry } from '../../lambdas/contract/stage-description.ts';
import { stages } from '../../lambdas/contract/stages.ts';
import { stageDefinitions } from '../../lambdas/rollout/stages.ts';
import { Network } from '../../lib/network.ts';
import { database, deployment, endpoints, inNetwork, network } from './in-network.ts';
import { example, newApp, resolved, templatesOf } from './synth.ts';
import { list, object, type Resource, type Synthesised } from './template.ts';

vi.mock(import('../../lib/bundle.ts'), async (original) => ({
  ...(await original()),
  assetDirectory: (await import('./no-code.ts')).noCode,
}));

const [plain, created, given, nat] = templatesOf(
  resolved({ ...deployment, name: 'plain' }),
  inNetwork(),
  resolved({
    ...deployment,
    name: 'given',
    network: {
      ...network,
      targets: [
        { securityGroupId: database, port: 5432, openIngress: false },
        { cidr: '0.0.0.0/0', port: 443 },
      ],
      endpoints: [{ securityGroupId: endpoints }],
    },
  }),
  resolved({
    ...deployment,
    name: 'nat',
    network: { ...network, targets: [{ cidr: '10.20.0.0/16', port: 3306 }], endpoints: 'nat' },
  }),
) as [Synthesised, Synthesised, Synthesised, Synthesised];

const nameOf = ({ properties }: Resource) => String(properties.FunctionName).replace(/^keyturn-[a-z]+-/, '');
const functionsOf = (template: Synthesised) => template.all('AWS::Lambda::Function');
const insideOf = (template: Synthesised) =>
  functionsOf(template)
    .filter(({ properties }) => properties.VpcConfig !== undefined)
    .map(nameOf);

describe('in the VPC are', () => {
  it('the functions that log in to a server, and no others', () => {
    expect(insideOf(created)).toEqual(['database-credential', 'prove']);
    expect(insideOf(given)).toEqual(insideOf(created));
    expect(functionsOf(created).length).toBeGreaterThan(9);
  });

  it('those that move data in a database, though no password is rotated', () => {
    const { network: _none, ...file } = example('ocore-encryption');
    const [template] = templatesOf({ ...file, network: inNetwork().network });
    expect(insideOf(template as Synthesised)).toEqual([
      'encryption-reencrypt',
      'encryption-sweep-range',
      'encryption-count-left',
      'encryption-hand-over',
    ]);
    expect(template?.all('AWS::EC2::VPCEndpoint')).toHaveLength(1);
  });

  it('none without a network: nothing in the template knows of one', () => {
    expect(insideOf(plain)).toEqual([]);
    expect(JSON.stringify(plain)).not.toMatch(/AWS::EC2|"ec2:|AWS_ENDPOINT/);
  });
});

/** Rules of a kind, inline and of their own: who, whom, ports. */
function rulesOf(template: Synthesised, group: string): string[] {
  const [found] = template
    .all('AWS::EC2::SecurityGroup')
    .filter(({ properties }) => String(properties.GroupDescription).includes(group));
  const inline = list(found?.properties.SecurityGroupEgress).map(object);
  const own = template
    .all('AWS::EC2::SecurityGroupEgress')
    .filter(({ raw }) => JSON.stringify(object(raw.Properties).GroupId).includes(found?.id ?? ''))
    .map(({ properties }) => properties);
  return [...inline, ...own].map(
    (rule) =>
      `${rule.IpProtocol} ${rule.FromPort}-${rule.ToPort} ${rule.CidrIp ?? rule.DestinationSecurityGroupId}`,
  );
}

describe('the functions may open connections', () => {
  it('to the declared targets and to the endpoints of the stack', () => {
    expect(rulesOf(created, 'functions')).toEqual([
      `tcp 5432-5432 ${database}`,
      'tcp 443-443 10.20.0.0/16',
      'tcp 443-443 <SecurityGroup>.GroupId',
    ]);
    // What CDK writes where nothing may be opened.
    expect(rulesOf(created, 'way of its functions')).toEqual(['icmp 252-86 255.255.255.255/32']);
  });

  it('to endpoints that are there', () => {
    expect(rulesOf(given, 'functions')).toEqual([
      `tcp 5432-5432 ${database}`,
      'tcp 443-443 0.0.0.0/0',
      `tcp 443-443 ${endpoints}`,
    ]);
    expect(given.all('AWS::EC2::VPCEndpoint')).toEqual([]);
  });

  it('to the internet on port 443, where a NAT gateway is the way to AWS', () => {
    expect(rulesOf(nat, 'functions')).toEqual(['tcp 3306-3306 10.20.0.0/16', 'tcp 443-443 0.0.0.0/0']);
    expect(nat.all('AWS::EC2::VPCEndpoint')).toEqual([]);
  });
});

it('the security groups of servers and endpoints let the functions in, unless they must not be touched', () => {
  const ingress = (template: Synthesised) =>
    template
      .all('AWS::EC2::SecurityGroupIngress')
      .map(({ properties: { GroupId, FromPort, ToPort, IpProtocol, SourceSecurityGroupId } }) => [
        GroupId,
        `${IpProtocol} ${FromPort}-${ToPort}`,
        SourceSecurityGroupId,
      ]);
  const from = '<SecurityGroup>.GroupId';
  expect(ingress(created)).toEqual([
    [database, 'tcp 5432-5432', from],
    // The endpoints' own group; neither it nor that of the functions lets anything else in.
    [from, 'tcp 443-443', from],
  ]);
  expect(
    created.all('AWS::EC2::SecurityGroup').map(({ properties }) => properties.SecurityGroupIngress),
  ).toEqual([undefined, undefined]);
  expect(ingress(given)).toEqual([[endpoints, 'tcp 443-443', from]]);
  expect(ingress(nat)).toEqual([]);
});

const access = {
  region: 'eu-west-1',
  credentials: { accessKeyId: 'function', secretAccessKey: 'function' },
  maxAttempts: 1,
};

describe('the endpoints of the stack', () => {
  const made = created.all('AWS::EC2::VPCEndpoint');
  it('are for the services that these functions call, and leave the names of the VPC alone', () => {
    expect(
      made.map(({ properties: { ServiceName, PrivateDnsEnabled, SubnetIds, VpcEndpointType } }) => [
        ServiceName,
        PrivateDnsEnabled,
        VpcEndpointType,
        SubnetIds,
      ]),
    ).toEqual([
      ['com.amazonaws.<Region>.secretsmanager', false, 'Interface', network.subnetIds],
      ['com.amazonaws.<Region>.events', false, 'Interface', network.subnetIds],
    ]);
  });

  it('let in these functions alone, for what they do', () => {
    const policies = made.map(({ properties }) => list(object(properties.PolicyDocument).Statement));
    const [secrets, events] = policies;
    const only = { ArnEquals: { 'aws:PrincipalArn': '<Role>.Arn' } };
    const allowed = { Effect: 'Allow', Principal: '*', Resource: '*', Condition: only };
    expect(events).toEqual([{ ...allowed, Action: 'events:PutEvents' }]);
    expect(secrets).toEqual([
      {
        ...allowed,
        Action: [
          'secretsmanager:DescribeSecret',
          'secretsmanager:GetSecretValue',
          'secretsmanager:ListSecretVersionIds',
          'secretsmanager:PutSecretValue',
          'secretsmanager:UpdateSecretVersionStage',
        ],
      },
      { ...allowed, Action: 'secretsmanager:GetSecretValue' },
    ]);
  });

  it('are named in the environment of the functions that use them, and of no others', () => {
    const told = functionsOf(created).map((one) => [
      nameOf(one),
      Object.keys(object(object(one.properties.Environment).Variables)).filter((name) =>
        name.startsWith('AWS_'),
      ),
    ]);
    expect(Object.fromEntries(told.filter(([, names]) => names?.length !== 0))).toEqual({
      'database-credential': ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'AWS_ENDPOINT_URL_EVENTBRIDGE'],
      prove: ['AWS_ENDPOINT_URL_SECRETS_MANAGER'],
    });
    const rotation = created.one('AWS::Lambda::Function', ({ FunctionName }) =>
      String(FunctionName).endsWith('database-credential'),
    );
    const written = JSON.stringify(object(object(rotation.raw.Properties).Environment));
    expect(written).toMatch(
      /"https:\/\/",\{"Fn::Select":\[1,\{"Fn::Split":\[":",\{"Fn::Select":\[0,\{"Fn::GetAtt":\["\w+","DnsEntries"/,
    );
  });

  it.each([
    ['SECRETS_MANAGER', () => new SecretsManagerClient(access).send(new ListSecretsCommand({}))],
    ['EVENTBRIDGE', () => new EventBridgeClient(access).send(new PutEventsCommand({ Entries: [] }))],
    ['LAMBDA', () => new LambdaClient(access).send(new ListFunctionsCommand({}))],
    // Its answers are XML: that this one is none is no matter here.
    ['ELASTICACHE', () => new ElastiCacheClient(access).send(new DescribeUsersCommand({})).catch(() => null)],
    ['ECS', () => new ECSClient(access).send(new ListClustersCommand({}))],
  ])('are where the SDK sends its calls to: %s', async (service, send) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(String(request.headers.authorization));
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:9');
    vi.stubEnv(`AWS_ENDPOINT_URL_${service}`, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    try {
      await send();
    } finally {
      vi.unstubAllEnvs();
      server.closeAllConnections();
      server.close();
    }
    expect(asked).toHaveLength(1);
    // The signature is for the Region, whatever the name of the endpoint is.
    expect(asked[0]).toContain('/eu-west-1/');
  });
});

it('Lambda may attach the function to the VPC, and the function’s code may not', () => {
  const own = created.statementsOf('keyturn-team-database-credential').map(object);
  const actions = [
    'ec2:AssignPrivateIpAddresses',
    'ec2:CreateNetworkInterface',
    'ec2:DeleteNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:UnassignPrivateIpAddresses',
  ];
  expect(own.filter(({ Action }) => JSON.stringify(Action).includes('ec2:'))).toEqual([
    { Effect: 'Allow', Action: actions, Resource: '*' },
    {
      Effect: 'Deny',
      Action: expect.arrayContaining([...actions, 'ec2:DetachNetworkInterface']),
      Resource: '*',
      Condition: {
        ArnEquals: {
          'lambda:SourceFunctionArn':
            'arn:<Partition>:lambda:<Region>:<AccountId>:function:keyturn-team-database-credential',
        },
      },
    },
  ]);
  expect(JSON.stringify(created.statementsOf('keyturn-team-redeploy'))).not.toContain('ec2:');
});

it('a function waits for its way: a schedule that is saved tests the login at once', () => {
  const rotation = created.one('AWS::Lambda::Function', ({ FunctionName }) =>
    String(FunctionName).endsWith('database-credential'),
  );
  const needed = [
    'AWS::EC2::SecurityGroup',
    'AWS::EC2::SecurityGroupIngress',
    'AWS::EC2::SecurityGroupEgress',
    'AWS::EC2::VPCEndpoint',
  ].flatMap((type) => created.all(type).map(({ id }) => id));
  expect(needed.length).toBe(7);
  expect(list(rotation.raw.DependsOn)).toEqual(expect.arrayContaining(needed));
});

it('a stage that runs in a VPC is tried again until its function, asleep for weeks, is back there', () => {
  const inside = Object.values(stageDefinitions).filter(
    ({ usesTarget, reencrypts }) => usesTarget === true || reencrypts === true,
  );
  expect(inside.length).toBeGreaterThan(5);
  for (const { id } of inside) {
    const retries = stages[id].retry as readonly StageRetry[];
    const found = retries.find(({ errors }) => errors.includes('Lambda.ResourceNotReadyException'));
    expect({ id, attempts: found?.maxAttempts }).toEqual({ id, attempts: 8 });
  }
});

it('a service without an endpoint is found out at synth', () => {
  const placed = new Network(new Stack(newApp(), 'S'), 'Network', {
    deployment: 'team',
    network: inNetwork().network ?? expect.fail(),
  });
  const statement = new iam.PolicyStatement({ actions: ['ssm:SendCommand'], resources: ['*'] });
  expect(() => placed.place([statement])).toThrow('calls ssm, for which no endpoint is known');
});
