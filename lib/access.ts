import { ArnFormat, Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { IConstruct } from 'constructs';
import { type IamStatement, secretsPlaceholder } from '../lambdas/contract/hooks.ts';

/** How secrets are reached: the secret itself and the key that its values are encrypted with. */
export interface SecretAccess {
  /** Full ARN, or an ARN with `?` for the six characters that Secrets Manager adds to a name. */
  readonly arn: string;
  /** Null: the account's own key `aws/secretsmanager`, which needs no permission. */
  readonly keyArn: string | null;
}

/** A secret by its full ARN or its name; the six characters that Secrets Manager adds to a name are not known here. */
export function secretArnOf(scope: IConstruct, id: string): string {
  return id.startsWith('arn:')
    ? id
    : Stack.of(scope).formatArn({
        service: 'secretsmanager',
        resource: 'secret',
        resourceName: `${id}-??????`,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
}

/** Allows actions on exactly these secrets. */
export function onSecrets(actions: readonly string[], secrets: readonly SecretAccess[]): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: [...actions].sort(),
    resources: secrets.map(({ arn }) => arn),
  });
}

/**
 * Allows use of the secrets' keys, only through Secrets Manager and only for these secrets: it calls KMS as
 * the caller, with the secret's ARN as encryption context (Secrets Manager user guide, "Secret encryption
 * and decryption").
 */
export function onKeys(
  scope: IConstruct,
  actions: readonly `kms:${string}`[],
  secrets: readonly SecretAccess[],
): iam.PolicyStatement[] {
  const byKey = new Map<string, string[]>();
  for (const { arn, keyArn } of secrets) {
    if (keyArn !== null) byKey.set(keyArn, [...(byKey.get(keyArn) ?? []), arn]);
  }
  return [...byKey].map(([keyArn, arns]) => {
    // The `?` of a secret that is imported by its name is a pattern; a full ARN is compared as it is.
    const operator = arns.some((arn) => arn.endsWith('?')) ? 'StringLike' : 'StringEquals';
    const viaService = `secretsmanager.${Stack.of(scope).region}.amazonaws.com`;
    const context = { 'kms:EncryptionContext:SecretARN': arns };
    return new iam.PolicyStatement({
      actions: [...actions],
      resources: [keyArn],
      conditions:
        operator === 'StringEquals'
          ? { StringEquals: { 'kms:ViaService': viaService, ...context } }
          : { StringEquals: { 'kms:ViaService': viaService }, StringLike: context },
    });
  });
}

/** What no function of ours may ever do, whatever else a team attaches to its role. */
export function neverDestroys(): iam.PolicyStatement {
  return new iam.PolicyStatement({
    effect: iam.Effect.DENY,
    actions: [
      'secretsmanager:DeleteSecret',
      'secretsmanager:PutResourcePolicy',
      'secretsmanager:DeleteResourcePolicy',
      'kms:ScheduleKeyDeletion',
    ],
    resources: ['*'],
  });
}

/** A statement that a hook declares, in this stack's partition, Region and account, for these secrets. */
export function declared(
  scope: IConstruct,
  statement: IamStatement,
  secrets: readonly SecretAccess[] = [],
): iam.PolicyStatement {
  const here = (text: string) => placed(scope, text, (token) => token);
  return new iam.PolicyStatement({
    actions: [...statement.actions],
    resources: statement.resources.flatMap((resource) =>
      resource === secretsPlaceholder ? secrets.map(({ arn }) => arn) : [here(resource)],
    ),
    conditions: Object.fromEntries(
      Object.entries(statement.conditions ?? {}).map(([operator, keys]) => [
        operator,
        Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, here(value)])),
      ]),
    ),
  });
}

/** Acknowledges cdk-nag's finding on exactly these wildcards, each with the reason that was declared with it. */
export function acknowledgeWildcards(role: IConstruct, statements: readonly IamStatement[]): void {
  for (const { resources, wildcardReason } of statements) {
    if (wildcardReason === undefined) continue;
    for (const resource of resources.filter((text) => text.includes('*'))) {
      // cdk-nag writes a reference as its name in angle brackets, and a known value as it is.
      const shown = placed(role, resource, (token) => {
        const resolved: unknown = Stack.of(role).resolve(token);
        return typeof resolved === 'object' && resolved !== null && 'Ref' in resolved
          ? `<${String(resolved.Ref)}>`
          : String(resolved);
      });
      Validations.of(role).acknowledge({
        id: `AwsSolutions-IAM5[Resource::${shown}]`,
        reason: wildcardReason,
      });
    }
  }
}

function placed(scope: IConstruct, text: string, show: (token: string) => string): string {
  const { partition, region, account } = Stack.of(scope);
  return text
    .replaceAll('{partition}', show(partition))
    .replaceAll('{region}', show(region))
    .replaceAll('{account}', show(account));
}
