/** `valueFrom` of a container's secret. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html */

import { isObject, text } from './json-shape.ts';
import type { Caller, Service } from './wire.ts';

const ecsAgent: Caller = { accessKeyId: 'ecs', roleArn: null, functionArn: null };

/**
 * The value of `<secret ARN>:<key>:<stage>:<version id>`; an empty part means the whole value, AWSCURRENT, any version.
 * @throws AwsError as GetSecretValue does, or Error when the value has no such key
 */
export async function taskSecret(secretsManager: Service, valueFrom: string): Promise<string> {
  const parts = valueFrom.split(':');
  const SecretId = parts.slice(0, 7).join(':');
  const [key = '', stage = '', versionId = ''] = parts.slice(7);
  const answer = await secretsManager.handle(
    'GetSecretValue',
    { SecretId, VersionStage: stage || 'AWSCURRENT', ...(versionId === '' ? {} : { VersionId: versionId }) },
    ecsAgent,
  );
  const value = text(answer.SecretString) ?? '';
  if (key === '') return value;
  const member = documentMember(value, key);
  if (member === undefined)
    throw new Error(`retrieved secret from Secrets Manager did not contain json key ${key}`);
  return member;
}

function documentMember(value: string, key: string): string | undefined {
  try {
    const document: unknown = JSON.parse(value);
    return isObject(document) ? text(document[key]) : undefined;
  } catch {
    // The parser's message would quote the secret.
    return undefined;
  }
}
