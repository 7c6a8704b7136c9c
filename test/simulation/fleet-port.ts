/** The port `Fleet` on the local Secrets Manager, in process: what the SDK adapter does over HTTP. */
import type { Fleet, FleetSecret } from '../../lambdas/contract/fleet.ts';
import type { JsonObject } from '../../lib/rehearsal/endpoint/wire.ts';

type Answer = Record<string, unknown>;

/** @param call one operation of Secrets Manager, under the reconciler's role. */
export function fleetPort(call: (operation: string, input: JsonObject) => Promise<Answer>): Fleet {
  return {
    async list({ key, value }, cursor) {
      const answer = await call('ListSecrets', {
        MaxResults: 100,
        Filters: [
          { Key: 'tag-key', Values: [key] },
          { Key: 'tag-value', Values: [value] },
        ],
        ...(cursor === null ? {} : { NextToken: cursor }),
      });
      const entries = answer.SecretList as Answer[];
      return {
        secrets: entries.map((entry) => fleetSecret(entry, entry.SecretVersionsToStages)),
        next: typeof answer.NextToken === 'string' ? answer.NextToken : null,
      };
    },
    async look(secretId) {
      const answer = await call('DescribeSecret', { SecretId: secretId });
      return fleetSecret(answer, answer.VersionIdsToStages);
    },
    async versions(secretId) {
      const answer = await call('ListSecretVersionIds', { SecretId: secretId, IncludeDeprecated: true });
      const versions = answer.Versions as { VersionId: string; CreatedDate: number }[];
      return new Map(versions.map(({ VersionId, CreatedDate }) => [VersionId, new Date(CreatedDate * 1000)]));
    },
    async tag(secretId, tags) {
      await call('TagResource', {
        SecretId: secretId,
        Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
      });
    },
    async removePending(secretId, from) {
      await call('UpdateSecretVersionStage', {
        SecretId: secretId,
        VersionStage: 'AWSPENDING',
        RemoveFromVersionId: from,
      });
    },
  };
}

function fleetSecret(entry: Answer, labels: unknown): FleetSecret {
  const date = (seconds: unknown) => (typeof seconds === 'number' ? new Date(seconds * 1000) : null);
  const tags = (entry.Tags ?? []) as { Key: string; Value: string }[];
  return {
    arn: String(entry.ARN),
    name: String(entry.Name),
    rotationEnabled: entry.RotationEnabled === true,
    scheduled: entry.RotationRules !== undefined,
    labels: new Map(Object.entries((labels ?? {}) as Record<string, string[]>)),
    tags: new Map(tags.map(({ Key, Value }) => [Key, Value])),
    lastRotatedAt: date(entry.LastRotatedDate),
    nextRotationAt: date(entry.NextRotationDate),
    createdAt: date(entry.CreatedDate) ?? new Date(0),
    deleted: entry.DeletedDate !== undefined,
  };
}
