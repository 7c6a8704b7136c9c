/**
 * Which resources and condition keys a call has: the Service Authorization Reference as code.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/
 */

import { arn, lastPart } from './arn.ts';
import type { Access, AccessResolver } from './iam.ts';
import { objects, text, texts } from './json-shape.ts';
import type { JsonObject } from './wire.ts';
import { region } from './wire.ts';

export interface SecretFacts {
  readonly arn: string;
  readonly rotationLambdaArn?: string;
  /** The customer's key; undefined: the key of Secrets Manager, which needs no permission. */
  readonly kmsKeyArn?: string;
}

/**
 * The resolvers of every service of the endpoint.
 * @param findSecret a secret by name, full or partial ARN; null when there is none
 */
export function accessResolvers(
  findSecret: (secretId: string) => SecretFacts | null,
): Record<string, AccessResolver> {
  return {
    secretsmanager: (operation, input) => secretsManager(operation, input, findSecret),
    events: (operation, input) => events(operation, input),
    states: (operation, input) => states(operation, input),
    ecs: (operation, input) => ecs(operation, input),
  };
}

const withoutResource = new Set(['GetRandomPassword', 'ListSecrets', 'BatchGetSecretValue']);

function secretsManager(
  operation: string,
  input: JsonObject,
  findSecret: (secretId: string) => SecretFacts | null,
): Access[] {
  if (withoutResource.has(operation)) return [{ resource: '*' }];
  const id = text(input.SecretId) ?? text(input.Name) ?? '';
  const secret = findSecret(id);
  // AWS decides before it looks the secret up: an unknown name is asked about as an ARN without its suffix.
  const resource = secret?.arn ?? (id.startsWith('arn:') ? id : arn('secretsmanager', `secret:${id}`));
  const context: Record<string, string[]> = { 'secretsmanager:SecretId': [id] };
  const stages = [text(input.VersionStage), ...texts(input.VersionStages)].filter(
    (stage) => stage !== undefined,
  );
  if (stages.length > 0) context['secretsmanager:VersionStage'] = stages;
  const version = text(input.VersionId);
  if (version !== undefined) context['secretsmanager:VersionId'] = [version];
  if (secret?.rotationLambdaArn !== undefined) {
    context['secretsmanager:resource/AllowRotationLambdaArn'] = [secret.rotationLambdaArn];
  }
  const own: Access = { resource, context };
  const lambda =
    operation === 'RotateSecret' ? (text(input.RotationLambdaARN) ?? secret?.rotationLambdaArn) : undefined;
  // RotateSecret needs the right to invoke the function as well (API reference, RotateSecret).
  if (lambda !== undefined) return [own, { action: 'lambda:InvokeFunction', resource: lambda }];
  return secret === null ? [own] : [own, ...keyAccess(operation, secret)];
}

/**
 * Secrets Manager uses the customer's key as the caller.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
 */
function keyAccess(operation: string, { arn: secretArn, kmsKeyArn }: SecretFacts): Access[] {
  const actions: Record<string, string[]> = {
    GetSecretValue: ['kms:Decrypt'],
    PutSecretValue: ['kms:GenerateDataKey', 'kms:Decrypt'],
    UpdateSecret: ['kms:GenerateDataKey', 'kms:Decrypt'],
  };
  if (kmsKeyArn === undefined) return [];
  return (actions[operation] ?? []).map((action) => ({
    action,
    resource: kmsKeyArn,
    context: {
      'kms:ViaService': [`secretsmanager.${region}.amazonaws.com`],
      'kms:EncryptionContext:SecretARN': [secretArn],
    },
    refusal: 'Access to KMS is not allowed',
  }));
}

function events(operation: string, input: JsonObject): Access[] {
  if (operation !== 'PutEvents') return [{ resource: '*' }];
  return objects(input.Entries).map((entry) => ({
    resource: busArn(text(entry.EventBusName) ?? 'default'),
    context: {
      'events:source': [text(entry.Source) ?? ''],
      'events:detail-type': [text(entry.DetailType) ?? ''],
    },
  }));
}

/** An event bus by name or ARN, as its ARN. */
export const busArn = (nameOrArn: string): string =>
  nameOrArn.startsWith('arn:') ? nameOrArn : arn('events', `event-bus/${nameOrArn}`);

function states(_: string, input: JsonObject): Access[] {
  return [{ resource: text(input.executionArn) ?? text(input.stateMachineArn) ?? '*' }];
}

function ecs(operation: string, input: JsonObject): Access[] {
  const cluster = lastPart(text(input.cluster) ?? 'default');
  const context = { 'ecs:cluster': [arn('ecs', `cluster/${cluster}`)] };
  const named = (kind: string, name: string): Access => ({
    resource: name.startsWith('arn:') ? name : arn('ecs', `${kind}/${cluster}/${name}`),
    context,
  });
  if (operation === 'TagResource' || operation === 'UntagResource') {
    return [{ resource: text(input.resourceArn) ?? '*' }];
  }
  if (operation === 'UpdateService') return [named('service', text(input.service) ?? '')];
  if (operation === 'DescribeServices') return texts(input.services).map((name) => named('service', name));
  if (operation === 'DescribeTasks') return texts(input.tasks).map((name) => named('task', name));
  // ListTasks knows container instances only: without one AWS asks about `*`, and ecs:cluster narrows it.
  return [{ resource: '*', context }];
}
