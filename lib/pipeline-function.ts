import { type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { KeyturnError } from '../lambdas/contract/errors.ts';
import type { Environment, Settings } from '../lambdas/contract/settings.ts';
import { neverDestroys } from './access.ts';
import { assetDirectory, type Entry } from './bundle.ts';
import type { Network } from './network.ts';

export { nameOf } from './names.ts';

export interface PipelineFunctionProps {
  /** Name in the account and Region, 1–64 characters; its log group is named after it. */
  readonly functionName: string;
  /** What it does, as the Lambda console shows it. */
  readonly description: string;
  readonly entry: Entry;
  /** What it is told of the deployment: only the secrets that it handles. */
  readonly settings: Settings;
  /** Every variable that the function reads; one that is missing is a type error here. */
  readonly environment: Environment;
  /** Longest run of one invocation: 1 s – 15 min, the limit of Lambda. */
  readonly timeout: Duration;
  /** Encrypts the log lines; its policy must let CloudWatch Logs use it for `/aws/lambda/keyturn-*`. */
  readonly encryptionKey: kms.IKey;
  /** How long log lines are kept. */
  readonly logRetention: logs.RetentionDays;
  /** What it may do besides writing its own log. */
  readonly statements: readonly iam.PolicyStatement[];
  /**
   * Gets events that the function failed to handle after all of Lambda's own tries.
   * @default none: the caller waits for the answer and sees the failure.
   */
  readonly undelivered?: sqs.IQueue;
  /**
   * Where it runs, for a function that logs in to a server.
   * @default none: in no VPC of the team's.
   */
  readonly network?: Network | undefined;
}

/**
 * 512 MB: the memory decides the share of a processor, and at 128 MB the import of the SDK alone takes most of
 * a second of each cold start. The four steps run seldom, so the price is not felt.
 */
const memoryMegabytes = 512;

/**
 * A function of the pipeline with a role of its own that may do what it is given, and write its own log.
 *
 * @throws KeyturnError DeploymentInvalid when that is more than a role can hold.
 */
export class PipelineFunction extends Construct {
  readonly function: lambda.Function;
  readonly role: iam.Role;

  constructor(scope: Construct, id: string, props: PipelineFunctionProps) {
    super(scope, id);
    const logGroup = new logs.LogGroup(this, 'Log', {
      logGroupName: `/aws/lambda/${props.functionName}`,
      retention: props.logRetention,
      encryptionKey: props.encryptionKey,
      // It has a fixed name: kept, it would stop the next stack of this deployment from being created.
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const { network } = props;
    const { environment, ...place } = network?.place(props.statements) ?? { environment: {} };
    const inlinePolicies = {
      // AWSLambdaBasicExecutionRole allows every log group of the account.
      Log: statements(
        new iam.PolicyStatement({
          actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          resources: [logGroup.logGroupArn],
        }),
      ),
      ...(props.statements.length > 0 ? { Work: statements(...props.statements) } : {}),
      ...(props.undelivered === undefined
        ? {}
        : {
            Undelivered: statements(
              new iam.PolicyStatement({
                actions: ['sqs:SendMessage'],
                resources: [props.undelivered.queueArn],
              }),
            ),
          }),
      ...(network === undefined ? {} : { Network: statements(...network.statementsFor(props.functionName)) }),
      Never: statements(neverDestroys()),
    };
    refuseTooLong(this, props.functionName, inlinePolicies);
    this.role = new iam.Role(this, 'Role', {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${props.functionName} may do.`,
      inlinePolicies,
    });
    this.function = new lambda.Function(this, 'Function', {
      functionName: props.functionName,
      description: props.description,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: lambda.Code.fromAsset(assetDirectory(props.entry, props.settings)),
      environment: { ...variables(props.environment), ...environment },
      timeout: props.timeout,
      memorySize: memoryMegabytes,
      logGroup,
      // Its statements are above, complete: nothing that CDK would add on its own.
      role: this.role.withoutPolicyUpdates(),
      ...(props.undelivered === undefined ? {} : { deadLetterQueue: props.undelivered }),
      ...place,
    });
    network?.admit(this.role, this.function, props.statements);
  }
}

/** Characters of all inline policies of a role together (IAM user guide, "IAM and AWS STS quotas"). */
const longestPolicies = 10_240;
/** Characters that a reference stands for: an ARN with a name of usual length. */
const usualArn = 100;

/** CloudFormation would refuse the role in the middle of a deploy. */
function refuseTooLong(scope: Construct, name: string, policies: Record<string, iam.PolicyDocument>): void {
  const resolved: unknown = Stack.of(scope).resolve(Object.values(policies));
  const length = JSON.stringify(resolved, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && ('Ref' in value || 'Fn::GetAtt' in value)
      ? 'x'.repeat(usualArn)
      : value,
  ).length;
  if (length <= longestPolicies) return;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `The role of ${name} must have policies of at most ${longestPolicies} characters; the secrets and consumers of this deployment make about ${length}.`,
    hint: 'Divide the deployment file: each one gets functions of its own.',
  });
}

function statements(...list: iam.PolicyStatement[]): iam.PolicyDocument {
  return new iam.PolicyDocument({ statements: list });
}

function variables(environment: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
