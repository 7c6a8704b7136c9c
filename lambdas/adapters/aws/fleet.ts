import {
  DescribeSecretCommand,
  type DescribeSecretResponse,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  type SecretListEntry,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { Fleet, FleetSecret } from '../../contract/fleet.ts';
import { call } from './errors.ts';
import { secretsManager } from './secrets.ts';

/** Entries of a page: the most that ListSecrets and ListSecretVersionIds give (API reference). */
const pageSize = 100;

/** Secrets Manager as the reconciler sees it: everything but the values. */
export function secretsFleet(client: SecretsManagerClient): Fleet {
  const { tag, removePending } = secretsManager(client);
  return {
    tag,
    removePending,

    async list({ key, value }, cursor) {
      const answer = await call('ListSecrets', () =>
        client.send(
          new ListSecretsCommand({
            MaxResults: pageSize,
            Filters: [
              { Key: 'tag-key', Values: [key] },
              { Key: 'tag-value', Values: [value] },
            ],
            ...(cursor === null ? {} : { NextToken: cursor }),
          }),
        ),
      );
      return {
        secrets: (answer.SecretList ?? []).map((entry) => fleetSecret(entry, entry.SecretVersionsToStages)),
        next: answer.NextToken ?? null,
      };
    },

    async look(secretId) {
      const answer = await call('DescribeSecret', () =>
        client.send(new DescribeSecretCommand({ SecretId: secretId })),
      );
      return fleetSecret(answer, answer.VersionIdsToStages);
    },

    async versions(secretId) {
      const made = new Map<string, Date>();
      let cursor: string | undefined;
      do {
        const page = cursor === undefined ? {} : { NextToken: cursor };
        const answer = await call('ListSecretVersionIds', () =>
          client.send(
            new ListSecretVersionIdsCommand({
              SecretId: secretId,
              MaxResults: pageSize,
              IncludeDeprecated: true,
              ...page,
            }),
          ),
        );
        for (const { VersionId, CreatedDate } of answer.Versions ?? []) {
          if (VersionId !== undefined && CreatedDate !== undefined) made.set(VersionId, CreatedDate);
        }
        cursor = answer.NextToken;
      } while (cursor !== undefined);
      return made;
    },
  };
}

function fleetSecret(
  entry: SecretListEntry | DescribeSecretResponse,
  labels: Record<string, string[]> | undefined,
): FleetSecret {
  return {
    arn: entry.ARN ?? '',
    name: entry.Name ?? '',
    rotationEnabled: entry.RotationEnabled ?? false,
    scheduled:
      entry.RotationRules?.ScheduleExpression !== undefined ||
      entry.RotationRules?.AutomaticallyAfterDays !== undefined,
    labels: new Map(Object.entries(labels ?? {})),
    tags: new Map((entry.Tags ?? []).map((tag) => [tag.Key ?? '', tag.Value ?? ''])),
    lastRotatedAt: entry.LastRotatedDate ?? null,
    nextRotationAt: entry.NextRotationDate ?? null,
    createdAt: entry.CreatedDate ?? new Date(0),
    deleted: entry.DeletedDate !== undefined,
  };
}
