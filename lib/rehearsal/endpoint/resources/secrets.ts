/** Secrets and their schedules, created by the calls that CloudFormation makes. */

import { randomUUID } from 'node:crypto';
import { isObject, object, text } from '../json-shape.ts';
import type { Caller, JsonObject, Service } from '../wire.ts';
import type { Creator } from './plane.ts';
import { physicalName, required } from './plane.ts';

const cloudFormation: Caller = { accessKeyId: 'cloudformation', roleArn: null, functionArn: null };

export const secretResources: Readonly<Record<string, Creator>> = {
  'AWS::SecretsManager::Secret': async (resource, { secretsManager }) => {
    const { Name, Description, KmsKeyId, Tags, SecretString, GenerateSecretString } = resource.properties;
    const value = isObject(GenerateSecretString)
      ? await generated(GenerateSecretString, secretsManager)
      : SecretString;
    const answer = await secretsManager.handle(
      'CreateSecret',
      withoutUndefined({
        ClientRequestToken: randomUUID(),
        Name: physicalName(resource, Name, 255),
        Description,
        KmsKeyId,
        Tags,
        SecretString: value,
      }),
      cloudFormation,
    );
    const arn = required(text(answer.ARN), 'ARN');
    return { ref: arn, attributes: { Id: arn } };
  },

  // Saving a schedule calls RotateSecret, which rotates at once unless told otherwise.
  // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
  'AWS::SecretsManager::RotationSchedule': async ({ properties }, { secretsManager }) => {
    const { SecretId, RotationLambdaARN, RotationRules, RotateImmediatelyOnUpdate, HostedRotationLambda } =
      properties;
    if (HostedRotationLambda !== undefined) throw new Error('the rehearsal has no hosted rotation functions');
    const answer = await secretsManager.handle(
      'RotateSecret',
      withoutUndefined({
        ClientRequestToken: randomUUID(),
        SecretId,
        RotationLambdaARN,
        RotationRules,
        RotateImmediately: RotateImmediatelyOnUpdate ?? true,
      }),
      cloudFormation,
    );
    return { ref: required(text(answer.ARN), 'ARN') };
  },
};

/** GenerateSecretString: a password, alone or as one member of a template. */
async function generated(rules: JsonObject, secretsManager: Service): Promise<string> {
  const { SecretStringTemplate, GenerateStringKey, ...password } = rules;
  const answer = await secretsManager.handle('GetRandomPassword', password, cloudFormation);
  const value = required(text(answer.RandomPassword), 'RandomPassword');
  const template = text(SecretStringTemplate);
  if (template === undefined) return value;
  return JSON.stringify({
    ...object(JSON.parse(template)),
    [required(text(GenerateStringKey), 'GenerateStringKey')]: value,
  });
}

const withoutUndefined = (input: Record<string, JsonObject[string] | undefined>): JsonObject =>
  Object.fromEntries(
    Object.entries(input).filter((entry): entry is [string, JsonObject[string]] => entry[1] !== undefined),
  );
