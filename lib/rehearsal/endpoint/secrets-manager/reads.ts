/** GetSecretValue, DescribeSecret and ListSecretVersionIds. */
import type { Caller, JsonObject } from '../wire.ts';
import { decryptable, existing, existingLagging, notDeleted } from './access.ts';
import type { Core, Operation } from './core.ts';
import { countOf, flagOf, textOf } from './input.ts';
import { current, holderOf } from './labels.ts';
import { page } from './pages.ts';
import type { Secret, SecretValue, Version } from './store.ts';
import { labelNotFound, labelNotOnVersion, versionNotFound } from './texts.ts';

type Filled = Version & { readonly value: SecretValue };

/** GetSecretValue: by VersionId, by VersionStage, by both, or the current version. */
export const getSecretValue: Operation = (core, input, caller) => valueAnswer(core, input, caller);

export function valueAnswer(core: Core, input: JsonObject, caller: Caller): JsonObject {
  const secret = decryptable(notDeleted(existingLagging(core, input, caller)), caller);
  const version = wanted(secret, textOf(input, 'VersionId'), textOf(input, 'VersionStage'));
  markAccessed(core, secret.arn, version.id);
  return {
    ARN: secret.arn,
    Name: secret.name,
    VersionId: version.id,
    ...(version.value.kind === 'string'
      ? { SecretString: version.value.text }
      : { SecretBinary: version.value.base64 }),
    ...(version.labels.size > 0 ? { VersionStages: [...version.labels] } : {}),
    CreatedDate: seconds(version.createdAt),
  };
}

/** DescribeSecret: only members that have a value, and only versions that have a label. */
export const describeSecret: Operation = (core, input, caller) => {
  const secret = existingLagging(core, input, caller);
  return { ...summary(secret), ...labelled('VersionIdsToStages', secret) };
};

/**
 * ListSecretVersionIds, newest first. The empty version of a rotation is not among them (AWS PCS guide, rotating a
 * cluster secret: the list can omit it; moto's aws_verified rotation test).
 */
export const listSecretVersionIds: Operation = (core, input, caller) => {
  const secret = existing(core, input, caller);
  const withDeprecated = flagOf(input, 'IncludeDeprecated') ?? false;
  const versions = [...secret.versions.values()]
    .filter((version) => version.value !== null && (withDeprecated || version.labels.size > 0))
    .reverse();
  const { items, rest } = page(versions, countOf(input, 'MaxResults') ?? 100, textOf(input, 'NextToken'));
  return { ARN: secret.arn, Name: secret.name, Versions: items.map(listed), ...rest };
};

/** What DescribeSecret and ListSecrets have in common. */
export function summary(secret: Secret): JsonObject {
  const { rotation } = secret;
  return {
    ARN: secret.arn,
    Name: secret.name,
    ...(secret.description === '' ? {} : { Description: secret.description }),
    ...(secret.kmsKeyId === null ? {} : { KmsKeyId: secret.kmsKeyId }),
    ...(rotation === null
      ? {}
      : { RotationEnabled: rotation.enabled, RotationLambdaARN: rotation.functionArn }),
    ...(rotation?.rules ? { RotationRules: { ...rotation.rules } } : {}),
    ...(secret.rotatedAt === null ? {} : { LastRotatedDate: seconds(secret.rotatedAt) }),
    LastChangedDate: seconds(secret.changedAt),
    ...(secret.accessedAt === null ? {} : { LastAccessedDate: seconds(secret.accessedAt) }),
    ...(secret.deletionAt === null ? {} : { DeletedDate: seconds(secret.deletionAt) }),
    // The window's last second: "on or before this date" (AWS API reference, DescribeSecret).
    ...(rotation?.enabled && rotation.next ? { NextRotationDate: seconds(rotation.next.end - 1000) } : {}),
    ...(secret.tags === null ? {} : { Tags: secret.tags.map((tag) => ({ ...tag })) }),
    CreatedDate: seconds(secret.createdAt),
  };
}

/** The labelled versions under the member's name, or nothing when there are none. */
export function labelled(
  member: 'VersionIdsToStages' | 'SecretVersionsToStages',
  secret: Secret,
): JsonObject {
  const stages: [string, string[]][] = [];
  for (const version of secret.versions.values()) {
    if (version.labels.size > 0) stages.push([version.id, [...version.labels]]);
  }
  return stages.length === 0 ? {} : { [member]: Object.fromEntries(stages) };
}

function listed(version: Version): JsonObject {
  return {
    VersionId: version.id,
    ...(version.labels.size > 0 ? { VersionStages: [...version.labels] } : {}),
    ...(version.accessedAt === null ? {} : { LastAccessedDate: seconds(version.accessedAt) }),
    CreatedDate: seconds(version.createdAt),
    KmsKeyIds: [...version.kmsKeyIds],
  };
}

/** @throws AwsError as validated by LocalStack's test_get_secret_value_errors and test_secret_version_not_found. */
function wanted(secret: Secret, id: string | undefined, stage: string | undefined): Filled {
  const version = id === undefined ? holderOf(secret.versions, stage ?? current) : secret.versions.get(id);
  if (id !== undefined && !version) throw versionNotFound(id);
  if (version && stage !== undefined && !version.labels.has(stage)) throw labelNotOnVersion();
  if (version && isFilled(version)) return version;
  throw id !== undefined && stage === undefined ? versionNotFound(id) : labelNotFound(stage ?? current);
}

function isFilled(version: Version): version is Filled {
  return version.value !== null;
}

/** Reads leave the day, not the time (AWS API reference, LastAccessedDate), and do not count as a change. */
function markAccessed(core: Core, arn: string, versionId: string): void {
  const secret = core.store.get(arn);
  const version = secret?.versions.get(versionId);
  const today = Math.floor(core.clock.now() / 86_400_000) * 86_400_000;
  if (!secret || !version || (secret.accessedAt === today && version.accessedAt === today)) return;
  const versions = new Map(secret.versions).set(versionId, { ...version, accessedAt: today });
  core.store.put({ ...secret, accessedAt: today, versions });
}

/** Seconds since the epoch with three decimals at most. */
export function seconds(milliseconds: number): number {
  return Math.round(milliseconds) / 1000;
}
