import { Annotations, ArnFormat, CfnOutput, Fn, Stack, Validations } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Network as Declared } from '../lambdas/contract/network.ts';

export interface NetworkProps {
  /** Name of the deployment, for descriptions. */
  readonly deployment: string;
  /** The deployment file's member. */
  readonly network: Declared;
}

/** What a function gets that runs in the VPC. */
export interface Place {
  readonly vpc: ec2.IVpc;
  readonly vpcSubnets: ec2.SubnetSelection;
  readonly securityGroups: ec2.ISecurityGroup[];
  /** Where its AWS SDK finds the services that it calls; empty where their usual names lead there. */
  readonly environment: Readonly<Record<string, string>>;
}

interface AwsService {
  readonly endpoint: ec2.InterfaceVpcEndpointAwsService;
  /** The AWS SDKs' variable for it (SDKs and Tools reference guide, "Service-specific endpoints"). */
  readonly variable: string;
}

/** By the prefix of its actions: the services that these functions may have to call. */
const services: Readonly<Record<string, AwsService>> = {
  secretsmanager: {
    endpoint: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    variable: 'AWS_ENDPOINT_URL_SECRETS_MANAGER',
  },
  events: {
    endpoint: ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE,
    variable: 'AWS_ENDPOINT_URL_EVENTBRIDGE',
  },
  lambda: { endpoint: ec2.InterfaceVpcEndpointAwsService.LAMBDA, variable: 'AWS_ENDPOINT_URL_LAMBDA' },
  ecs: { endpoint: ec2.InterfaceVpcEndpointAwsService.ECS, variable: 'AWS_ENDPOINT_URL_ECS' },
  elasticache: {
    endpoint: ec2.InterfaceVpcEndpointAwsService.ELASTICACHE,
    variable: 'AWS_ENDPOINT_URL_ELASTICACHE',
  },
};

/** Secrets Manager itself calls KMS, as the caller; iam:PassRole is a permission and no call. */
const neverCalled = new Set(['kms', 'iam']);

/** What Lambda does with the role of a function in a VPC (Lambda developer guide, "Required IAM permissions"). */
const interfaceActions = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

/**
 * The place of the functions that log in to servers: a security group that may open connections to the declared
 * targets and to AWS, and to nothing else. Names are resolved by the VPC's own resolver, which no security group
 * can keep out (VPC user guide, "Security groups"); to DNS servers of the team's own no port is opened.
 */
export class Network extends Construct {
  /** Of the functions: what a server's own security group has to let in. */
  readonly securityGroup: ec2.SecurityGroup;
  /** By the prefix of their actions: the endpoints of this stack, as far as functions call these services. */
  readonly endpoints = new Map<string, ec2.InterfaceVpcEndpoint>();
  readonly #props: NetworkProps;
  readonly #vpc: ec2.IVpc;
  readonly #subnets: ec2.SubnetSelection;
  #endpointsGroup: ec2.SecurityGroup | null = null;

  constructor(scope: Construct, id: string, props: NetworkProps) {
    super(scope, id);
    this.#props = props;
    const { vpcId, subnetIds } = props.network;
    // Nothing is looked up: the zones are asked for by CDK, and used nowhere.
    this.#vpc = ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      availabilityZones: [Fn.select(0, Fn.getAzs())],
    });
    this.#subnets = { subnets: subnetIds.map((subnetId) => this.#subnet(subnetId)) };
    this.securityGroup = this.#group('Functions', 'functions that log in to servers');
    this.#openTargets();
    new CfnOutput(this, 'FunctionsSecurityGroup', {
      value: this.securityGroup.securityGroupId,
      description: 'The security group of the functions that log in to servers.',
    });
  }

  /**
   * A place for a function.
   *
   * @param statements what it may do: from them follows what it calls.
   * @throws Error for a service that no endpoint is known for.
   */
  place(statements: readonly iam.PolicyStatement[]): Place {
    const called = this.#props.network.endpoints === 'create' ? servicesOf(statements) : [];
    return {
      vpc: this.#vpc,
      vpcSubnets: this.#subnets,
      securityGroups: [this.securityGroup],
      environment: Object.fromEntries(
        called.map((prefix) => [knownService(prefix).variable, this.#addressOf(prefix)]),
      ),
    };
  }

  /** Lambda's own work with the role, kept from the function's code. */
  statementsFor(functionName: string): iam.PolicyStatement[] {
    const functionArn = Stack.of(this).formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: functionName,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    return [
      new iam.PolicyStatement({ actions: interfaceActions, resources: ['*'] }),
      // The key is there only in calls of the code itself (Lambda developer guide, "Security best practices" of VPCs).
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        actions: [...interfaceActions, 'ec2:DetachNetworkInterface'],
        resources: ['*'],
        conditions: { ArnEquals: { 'lambda:SourceFunctionArn': functionArn } },
      }),
    ];
  }

  /** Lets a role use the endpoints of this stack, for these actions; and its function wait until the way is there. */
  admit(role: iam.Role, made: lambda.Function, statements: readonly iam.PolicyStatement[]): void {
    for (const [prefix, endpoint] of this.endpoints) {
      const actions = actionsOf(statements).filter((action) => prefixOf(action) === prefix);
      if (actions.length === 0) continue;
      endpoint.addToPolicy(
        new iam.PolicyStatement({
          principals: [new iam.StarPrincipal()],
          actions: [...new Set(actions)].sort(),
          // The role says which: here a deployment of many secrets would pass the 20,480 characters of a policy.
          resources: ['*'],
          conditions: { ArnEquals: { 'aws:PrincipalArn': role.roleArn } },
        }),
      );
    }
    // Secrets Manager runs testSecret as soon as a schedule is saved: not before the server can be reached.
    made.node.addDependency(this);
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'Lambda asks for these actions on all resources to attach a function to a VPC; the function’s code is denied them (Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC").',
    });
  }

  #subnet(subnetId: string): ec2.ISubnet {
    const subnet = ec2.Subnet.fromSubnetId(this, subnetId, subnetId);
    Annotations.of(subnet).acknowledgeWarning(
      '@aws-cdk/aws-ec2:noSubnetRouteTableId',
      'Its routes are the team’s: none is made or read here.',
    );
    return subnet;
  }

  #openTargets(): void {
    const { targets, endpoints } = this.#props.network;
    const doors = Array.isArray(endpoints) ? endpoints.map((door) => ({ ...door, port: 443 })) : [];
    const anywhere = endpoints === 'nat' ? [{ cidr: '0.0.0.0/0', port: 443 }] : [];
    const rules = new Map(
      [...targets, ...doors, ...anywhere].map((target) => [
        `${'cidr' in target ? target.cidr : target.securityGroupId}:${target.port}`,
        target,
      ]),
    );
    for (const target of rules.values()) {
      const port = ec2.Port.tcp(target.port);
      if ('cidr' in target) {
        this.securityGroup.addEgressRule(ec2.Peer.ipv4(target.cidr), port, 'declared in the deployment file');
        continue;
      }
      const { securityGroupId, openIngress } = target;
      this.securityGroup.addEgressRule(
        ec2.Peer.securityGroupId(securityGroupId),
        port,
        'declared in the deployment file',
      );
      if (openIngress) this.#openIngress(securityGroupId, target.port);
    }
  }

  #openIngress(groupId: string, port: number): void {
    new ec2.CfnSecurityGroupIngress(this, `Into-${groupId}-${port}`, {
      groupId,
      sourceSecurityGroupId: this.securityGroup.securityGroupId,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      description: `Keyturn, ${this.#props.deployment}`,
    });
  }

  /**
   * Without private DNS. With it, the usual name of the service would lead everything in the VPC to this endpoint,
   * whose security group and policy let in these functions only; and a VPC has room for one such endpoint.
   */
  #addressOf(prefix: string): string {
    const made =
      this.endpoints.get(prefix) ??
      new ec2.InterfaceVpcEndpoint(this, `Endpoint-${prefix}`, {
        vpc: this.#vpc,
        subnets: this.#subnets,
        service: knownService(prefix).endpoint,
        privateDnsEnabled: false,
        open: false,
        securityGroups: [this.#groupOfEndpoints()],
      });
    this.endpoints.set(prefix, made);
    // The first entry is the regional name, as `<hosted zone>:<name>` (CloudFormation, AWS::EC2::VPCEndpoint).
    const name = Fn.select(1, Fn.split(':', Fn.select(0, made.vpcEndpointDnsEntries)));
    return Fn.join('', ['https://', name]);
  }

  #groupOfEndpoints(): ec2.SecurityGroup {
    if (this.#endpointsGroup === null) {
      this.#endpointsGroup = this.#group('Endpoints', 'the way of its functions to AWS');
      this.securityGroup.connections.allowTo(this.#endpointsGroup, ec2.Port.tcp(443), 'to AWS');
    }
    return this.#endpointsGroup;
  }

  #group(id: string, what: string): ec2.SecurityGroup {
    return new ec2.SecurityGroup(this, id, {
      vpc: this.#vpc,
      description: `Keyturn, ${this.#props.deployment}: ${what}.`,
      allowAllOutbound: false,
    });
  }
}

/** The prefixes of the services that a function with these statements calls. */
function servicesOf(statements: readonly iam.PolicyStatement[]): string[] {
  return [...new Set(actionsOf(statements).map(prefixOf))].filter((prefix) => !neverCalled.has(prefix));
}

function actionsOf(statements: readonly iam.PolicyStatement[]): string[] {
  return statements.flatMap(({ actions }) => actions);
}

function prefixOf(action: string): string {
  return action.split(':')[0] ?? '';
}

function knownService(prefix: string): AwsService {
  const known = services[prefix];
  // Found out here, and not by a function that waits for a service that it cannot reach.
  if (known === undefined)
    throw new Error(`A function in a VPC calls ${prefix}, for which no endpoint is known.`);
  return known;
}
