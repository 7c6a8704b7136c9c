/** The operations that make secrets and versions. */
import { account, type JsonObject, region } from '../wire.ts';
import { decryptable, usable } from './access.ts';
import { commit } from './commit.ts';
import type { Core, Operation } from './core.ts';
import { textOf, textsOf } from './input.ts';
import { current, holderOf, label, makeCurrent, pending, previous, type Versions } from './labels.ts';
import { nextWindow } from './schedule.ts';
import { keysOf, type Secret, type SecretValue, type Version } from './store.ts';
import { tagsOf } from './tags.ts';
import { nameScheduledForDeletion, nameTaken } from './texts.ts';
import { givenValue, tokenOf, useOf } from './tokens.ts';

/** CreateSecret: without a value there is no version, no VersionId (validated: LocalStack's snapshots). */
export const createSecret: Operation = (core, input, caller) => {
  const name = textOf(input, 'Name') ?? '';
  const token = tokenOf(input);
  const value = givenValue(input);
  const taken = core.store.find(name);
  if (taken !== null) return created(repeatedCreation(taken, token, value), value === null ? null : token);

  const now = core.clock.now();
  const empty: Secret = {
    arn: arnFor(core, name),
    name,
    description: textOf(input, 'Description') ?? '',
    kmsKeyId: textOf(input, 'KmsKeyId') ?? null,
    createdAt: now,
    changedAt: now,
    accessedAt: null,
    rotatedAt: null,
    creationToken: token,
    tags: tagsOf(input),
    rotation: null,
    deletionAt: null,
    versions: new Map(),
  };
  if (value === null) return created(commit(core, null, empty), null);
  const versions = withValue(core, empty, token, value, caller.functionArn);
  return created(commit(core, null, { ...empty, versions: makeCurrent(versions, token) }), token);
};

/** PutSecretValue: without VersionStages the new version becomes the current one. */
export const putSecretValue: Operation = (core, input, caller) => {
  const secret = decryptable(usable(core, input, caller), caller);
  const token = tokenOf(input);
  const value = givenValue(input);
  if (value === null) throw new Error('validate.ts lets no PutSecretValue without a value pass');
  const author = authorOf(core, secret, textOf(input, 'RotationToken'), caller.functionArn);
  const after = write(core, secret, token, value, textsOf(input, 'VersionStages') ?? [current], author);
  return {
    ...identity(after),
    VersionId: token,
    VersionStages: [...(after.versions.get(token)?.labels ?? [])],
  };
};

/** UpdateSecret: with a value it writes a version as PutSecretValue does, without one it answers no VersionId. */
export const updateSecret: Operation = (core, input, caller) => {
  const secret = decryptable(usable(core, input, caller), caller);
  const value = givenValue(input);
  const changed: Secret = {
    ...secret,
    description: textOf(input, 'Description') ?? secret.description,
    kmsKeyId: textOf(input, 'KmsKeyId') ?? secret.kmsKeyId,
  };
  if (value === null) return identity(commit(core, secret, reencrypted(secret, changed)));
  const token = tokenOf(input);
  return { ...identity(write(core, changed, token, value, [current], caller.functionArn)), VersionId: token };
};

/** A repetition by the same token with the same value answers as the first call did. @throws AwsError */
function repeatedCreation(taken: Secret, token: string, value: SecretValue | null): Secret {
  if (taken.deletionAt !== null) throw nameScheduledForDeletion();
  if (value !== null && useOf(token, value, taken.versions, taken.arn).kind === 'repeated') return taken;
  if (value === null && taken.creationToken === token && !taken.versions.has(token)) return taken;
  throw nameTaken(taken.name);
}

function write(
  core: Core,
  secret: Secret,
  token: string,
  value: SecretValue,
  stages: readonly string[],
  author: string | null,
): Secret {
  const before = core.store.get(secret.arn);
  if (useOf(token, value, secret.versions, secret.arn).kind === 'repeated') {
    return before === secret ? secret : commit(core, before, secret);
  }
  const first = core.options.firstVersionBecomesCurrent && holderOf(secret.versions, current) === null;
  const labels = first && !stages.includes(current) ? [...stages, current] : stages;
  const versions = label(withValue(core, secret, token, value, author), token, labels);
  return commit(core, before, {
    ...secret,
    versions,
    rotation: afterManualWrite(core, secret, labels),
  });
}

/**
 * Another key takes in the three versions that AWS labels by itself, and the old one still opens them (AWS user
 * guide, encryption and decryption).
 */
function reencrypted(before: Secret, changed: Secret): Secret {
  if (before.kmsKeyId === changed.kmsKeyId) return changed;
  const versions = new Map(changed.versions);
  for (const version of versions.values()) {
    if (![current, pending, previous].some((name) => version.labels.has(name))) continue;
    const kmsKeyIds = [...new Set([...version.kmsKeyIds, ...keysOf(changed)])];
    versions.set(version.id, { ...version, kmsKeyIds });
  }
  return { ...changed, versions };
}

/** Days and rate() count from the last change of the current value, by whoever (AWS API reference, RotationRulesType). */
function afterManualWrite(core: Core, { rotation }: Secret, labels: readonly string[]) {
  if (!rotation?.enabled || rotation.rules === null || !labels.includes(current)) return rotation;
  const now = core.clock.now();
  return { ...rotation, next: nextWindow(rotation.rules, now, now) };
}

/** A version that a rotation has opened keeps its labels and its age when it gets its value. */
function withValue(
  core: Core,
  secret: Secret,
  id: string,
  value: SecretValue,
  author: string | null,
): Versions {
  const open = secret.versions.get(id);
  const version: Version = {
    id,
    value,
    labels: open?.labels ?? new Set(),
    createdAt: open?.createdAt ?? core.clock.now(),
    accessedAt: null,
    author,
    kmsKeyIds: keysOf(secret),
  };
  return new Map(secret.versions).set(id, version);
}

/**
 * Whom a write is put down to. The RotationToken of a running rotation makes a caller with any role count as the
 * rotation function (AWS user guide, rotation by Lambda function); what AWS does with a token that it never gave
 * out is not known, here it counts for nothing.
 */
function authorOf(core: Core, secret: Secret, rotationToken: string | undefined, functionArn: string | null) {
  const run = core.runs.openOf(secret.arn);
  const known = run?.attempts.some(({ steps }) => steps.some((step) => step.rotationToken === rotationToken));
  return run !== null && known ? run.functionArn : functionArn;
}

/** AWS adds a hyphen and six random letters and digits to the name. */
function arnFor(core: Core, name: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const suffix = [...core.random.bytes(6)].map((byte) => alphabet[byte % alphabet.length]).join('');
  return `arn:aws:secretsmanager:${region}:${account}:secret:${name}-${suffix}`;
}

function created(secret: Secret, versionId: string | null): JsonObject {
  return versionId === null ? identity(secret) : { ...identity(secret), VersionId: versionId };
}

function identity(secret: Secret): JsonObject {
  return { ARN: secret.arn, Name: secret.name };
}
