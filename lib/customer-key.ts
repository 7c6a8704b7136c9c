import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { admitTopic } from './notifications.ts';
import { nameOf } from './pipeline-function.ts';

/** One key for a deployment. Its rotation keeps old key material, so nothing has to be encrypted again. */
export function customerKey(scope: Construct, deployment: string): kms.Key {
  const { region } = Stack.of(scope);
  const key = new kms.Key(scope, 'Key', {
    description: `Keyturn, ${deployment}: secrets, logs and notifications.`,
    enableKeyRotation: true,
    // Without it, every secret that it encrypts would be lost with the stack.
    removalPolicy: RemovalPolicy.RETAIN,
  });
  const logGroups = (prefix: string) =>
    Stack.of(scope).formatArn({ service: 'logs', resource: `log-group:${prefix}${nameOf(deployment, '*')}` });
  key.addToResourcePolicy(
    // CloudWatch Logs user guide, "Encrypt log data in CloudWatch Logs using AWS KMS".
    new iam.PolicyStatement({
      sid: 'CloudWatchLogsEncryptsTheLogs',
      principals: [new iam.ServicePrincipal(`logs.${region}.amazonaws.com`)],
      actions: ['kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*'],
      resources: ['*'],
      conditions: {
        ArnLike: {
          'kms:EncryptionContext:aws:logs:arn': [
            logGroups('/aws/lambda/'),
            logGroups('/aws/vendedlogs/states/'),
          ],
        },
      },
    }),
  );
  admitTopic(key, deployment);
  return key;
}
