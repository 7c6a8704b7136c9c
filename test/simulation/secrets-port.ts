/** The port `Secrets` on the local Secrets Manager, in process: what the SDK adapter does over HTTP. */
import { type ErrorCode, KeyturnError } from '../../lambdas/contract/errors.ts';
import type { Secrets } from '../../lambdas/contract/ports.ts';
import { Sensitive } from '../../lambdas/contract/sensitive.ts';
import type { SecretsManager } from '../../lib/rehearsal/endpoint/secrets-manager/index.ts';
import { AwsError, type Caller, type JsonObject } from '../../lib/rehearsal/endpoint/wire.ts';
import type { Gate, Process } from './gate.ts';

const codes: ReadonlyMap<string, ErrorCode> = new Map([
  ['ResourceNotFoundException', 'AwsNotFound'],
  ['ResourceExistsException', 'AwsTokenInUse'],
]);

export function secretsPort(service: SecretsManager, caller: Caller, gate: Gate, process: Process): Secrets {
  const call = (operation: string, input: JsonObject): Promise<Record<string, unknown>> =>
    gate.call(operation, process, async () => {
      try {
        return { ...(await service.handle(operation, input, caller)) };
      } catch (caught) {
        if (!(caught instanceof AwsError)) throw caught;
        throw new KeyturnError({
          code: codes.get(caught.code) ?? 'AwsRefused',
          message: `${operation}: ${caught.code}`,
        });
      }
    });

  return {
    async describe(secretId) {
      const answer = await call('DescribeSecret', { SecretId: secretId });
      const tags = (answer.Tags ?? []) as { Key: string; Value: string }[];
      return {
        arn: String(answer.ARN),
        name: String(answer.Name),
        rotationEnabled: answer.RotationEnabled === true,
        rotationFunctionArn: typeof answer.RotationLambdaARN === 'string' ? answer.RotationLambdaARN : null,
        labels: new Map(Object.entries((answer.VersionIdsToStages ?? {}) as Record<string, string[]>)),
        tags: new Map(tags.map(({ Key, Value }) => [Key, Value])),
        lastRotatedAt:
          typeof answer.LastRotatedDate === 'number' ? new Date(answer.LastRotatedDate * 1000) : null,
        deleted: answer.DeletedDate !== undefined,
      };
    },
    async read(secretId, versionId) {
      const answer = await call('GetSecretValue', { SecretId: secretId, VersionId: versionId });
      return {
        versionId: String(answer.VersionId),
        labels: answer.VersionStages as string[],
        createdAt: new Date(Number(answer.CreatedDate) * 1000),
        value: new Sensitive(String(answer.SecretString)),
      };
    },
    async versions(secretId) {
      const answer = await call('ListSecretVersionIds', { SecretId: secretId, IncludeDeprecated: true });
      const listed = (answer.Versions ?? []) as {
        VersionId: string;
        VersionStages?: string[];
        CreatedDate: number;
      }[];
      return listed
        .map(({ VersionId, VersionStages = [], CreatedDate }) => ({
          versionId: VersionId,
          labels: VersionStages,
          createdAt: new Date(CreatedDate * 1000),
        }))
        .sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime());
    },
    async writePending({ secretId, token, rotationToken, value }) {
      await call('PutSecretValue', {
        SecretId: secretId,
        ClientRequestToken: token,
        ...(rotationToken === undefined ? {} : { RotationToken: rotationToken.reveal() }),
        SecretString: value.reveal(),
        VersionStages: ['AWSPENDING'],
      });
    },
    async moveCurrent(secretId, to, from) {
      await call('UpdateSecretVersionStage', {
        SecretId: secretId,
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: to,
        ...(from === null ? {} : { RemoveFromVersionId: from }),
      });
    },
    async writeLabelled(secretId, token, label, value) {
      await call('PutSecretValue', {
        SecretId: secretId,
        ClientRequestToken: token,
        SecretString: value.reveal(),
        VersionStages: [label],
      });
    },
    async moveLabel(secretId, label, to, from) {
      await call('UpdateSecretVersionStage', {
        SecretId: secretId,
        VersionStage: label,
        MoveToVersionId: to,
        ...(from === null ? {} : { RemoveFromVersionId: from }),
      });
    },
    async removePending(secretId, from) {
      await call('UpdateSecretVersionStage', {
        SecretId: secretId,
        VersionStage: 'AWSPENDING',
        RemoveFromVersionId: from,
      });
    },
    async tag(secretId, tags) {
      await call('TagResource', {
        SecretId: secretId,
        Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
      });
    },
  };
}
