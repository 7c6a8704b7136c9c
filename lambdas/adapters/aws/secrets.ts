import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../contract/errors.ts';
import type { SecretDescription, Secrets, VersionSighting } from '../../contract/ports.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import { call } from './errors.ts';

/** Secrets Manager through the AWS SDK: one call a method. */
export function secretsManager(client: SecretsManagerClient): Secrets {
  return {
    describe: async (secretId) => (await describedSecret(client, secretId)).description,

    async read(secretId, versionId) {
      const answer = await call('GetSecretValue', () =>
        client.send(new GetSecretValueCommand({ SecretId: secretId, VersionId: versionId })),
      );
      if (answer.SecretString === undefined) {
        throw new KeyturnError({
          code: 'DocumentInvalid',
          message: `The version ${versionId} must be text; it is binary.`,
        });
      }
      return {
        versionId: answer.VersionId ?? versionId,
        labels: answer.VersionStages ?? [],
        createdAt: answer.CreatedDate ?? new Date(0),
        value: new Sensitive(answer.SecretString),
      };
    },

    versions: (secretId) => allVersions(client, secretId),

    async writePending({ secretId, token, rotationToken, value }) {
      await call('PutSecretValue', () =>
        client.send(
          new PutSecretValueCommand({
            SecretId: secretId,
            // Given explicitly: the SDK would make one up, and that would be another version.
            ClientRequestToken: token,
            ...(rotationToken === undefined ? {} : { RotationToken: rotationToken.reveal() }),
            SecretString: value.reveal(),
            VersionStages: ['AWSPENDING'],
          }),
        ),
      );
    },

    async moveCurrent(secretId, to, from) {
      await call('UpdateSecretVersionStage', () =>
        client.send(
          new UpdateSecretVersionStageCommand({
            SecretId: secretId,
            VersionStage: 'AWSCURRENT',
            MoveToVersionId: to,
            ...(from === null ? {} : { RemoveFromVersionId: from }),
          }),
        ),
      );
    },

    async writeLabelled(secretId, token, label, value) {
      await call('PutSecretValue', () =>
        client.send(
          new PutSecretValueCommand({
            SecretId: secretId,
            ClientRequestToken: token,
            SecretString: value.reveal(),
            VersionStages: [label],
          }),
        ),
      );
    },

    async moveLabel(secretId, label, to, from) {
      await call('UpdateSecretVersionStage', () =>
        client.send(
          new UpdateSecretVersionStageCommand({
            SecretId: secretId,
            VersionStage: label,
            MoveToVersionId: to,
            ...(from === null ? {} : { RemoveFromVersionId: from }),
          }),
        ),
      );
    },

    async removePending(secretId, from) {
      await call('UpdateSecretVersionStage', () =>
        client.send(
          new UpdateSecretVersionStageCommand({
            SecretId: secretId,
            VersionStage: 'AWSPENDING',
            RemoveFromVersionId: from,
          }),
        ),
      );
    },

    async tag(secretId, tags) {
      await call('TagResource', () =>
        client.send(
          new TagResourceCommand({
            SecretId: secretId,
            Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
          }),
        ),
      );
    },
  };
}

/** One DescribeSecret: what the ports know of a secret, and what only operators ask for. */
export async function describedSecret(
  client: SecretsManagerClient,
  secretId: string,
): Promise<{ readonly description: SecretDescription; readonly nextRotationAt: Date | null }> {
  const answer = await call('DescribeSecret', () =>
    client.send(new DescribeSecretCommand({ SecretId: secretId })),
  );
  const description = {
    arn: answer.ARN ?? secretId,
    name: answer.Name ?? secretId,
    rotationEnabled: answer.RotationEnabled ?? false,
    rotationFunctionArn: answer.RotationLambdaARN ?? null,
    labels: new Map(Object.entries(answer.VersionIdsToStages ?? {})),
    tags: new Map((answer.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
    lastRotatedAt: answer.LastRotatedDate ?? null,
    deleted: answer.DeletedDate !== undefined,
  };
  return { description, nextRotationAt: answer.NextRotationDate ?? null };
}

/** Every version with its labels and no value, youngest first: ListSecretVersionIds, page by page. */
export async function allVersions(
  client: SecretsManagerClient,
  secretId: string,
): Promise<readonly VersionSighting[]> {
  const versions: VersionSighting[] = [];
  let next: string | undefined;
  do {
    const answer = await call('ListSecretVersionIds', () =>
      client.send(
        new ListSecretVersionIdsCommand({ SecretId: secretId, IncludeDeprecated: true, NextToken: next }),
      ),
    );
    for (const { VersionId = '', VersionStages = [], CreatedDate = new Date(0) } of answer.Versions ?? []) {
      versions.push({ versionId: VersionId, labels: VersionStages, createdAt: CreatedDate });
    }
    next = answer.NextToken;
  } while (next !== undefined);
  // The API reference does not say in which order they come.
  return versions.sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime());
}
