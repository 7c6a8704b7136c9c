/**
 * What a person does to a secret, from the CLI or a rehearsal: the console's own calls, under the operator's
 * credentials. No function uses it.
 */
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { suppliedLabel } from '../../contract/marks.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import { call } from './errors.ts';

export interface Operator {
  /** A secret as somebody made it before Keyturn came. @returns its ARN. */
  create(name: string, value: Sensitive): Promise<string>;
  /** Takes AWSPENDING from the version that has it: clears a rotation that cannot go on. */
  clearPending(secretId: string): Promise<void>;
  /** "Rotate secret immediately" of the console. @returns the new version's id, which is the token. */
  rotate(secretId: string): Promise<string>;
  /** Writes a value as the console's "Edit" does: it becomes current at once. @returns the version's id. */
  edit(secretId: string, value: Sensitive): Promise<string>;
  /** Leaves a value under the label from which the next rotation copies it. @returns the version's id. */
  supply(secretId: string, value: Sensitive): Promise<string>;
  /** The version under a label. */
  read(secretId: string, label: string): Promise<{ readonly versionId: string; readonly value: Sensitive }>;
  /** A version by its id, labelled or not. */
  readVersion(secretId: string, versionId: string): Promise<Sensitive>;
  labels(secretId: string): Promise<ReadonlyMap<string, readonly string[]>>;
  tag(secretId: string, key: string, value: string): Promise<void>;
}

export interface OperatorAccess {
  /** Default: the SDK's own resolution. */
  readonly region?: string;
  /** Default: AWS. */
  readonly endpoint?: string;
  /** Default: the SDK's own chain. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export function operator(access: OperatorAccess): Operator {
  const client = new SecretsManagerClient(access);

  async function put(secretId: string, value: Sensitive, stages: string[] | undefined): Promise<string> {
    const answer = await call('PutSecretValue', () =>
      client.send(
        new PutSecretValueCommand({
          SecretId: secretId,
          SecretString: value.reveal(),
          ...(stages === undefined ? {} : { VersionStages: stages }),
        }),
      ),
    );
    return answer.VersionId ?? '';
  }

  return {
    async create(name, value) {
      const answer = await call('CreateSecret', () =>
        client.send(new CreateSecretCommand({ Name: name, SecretString: value.reveal() })),
      );
      return answer.ARN ?? name;
    },
    async clearPending(secretId) {
      const answer = await call('DescribeSecret', () =>
        client.send(new DescribeSecretCommand({ SecretId: secretId })),
      );
      const pending = Object.entries(answer.VersionIdsToStages ?? {}).find(
        ([, labels]) => labels.includes('AWSPENDING') && !labels.includes('AWSCURRENT'),
      );
      if (pending === undefined) return;
      await call('UpdateSecretVersionStage', () =>
        client.send(
          new UpdateSecretVersionStageCommand({
            SecretId: secretId,
            VersionStage: 'AWSPENDING',
            RemoveFromVersionId: pending[0],
          }),
        ),
      );
    },
    async rotate(secretId) {
      const answer = await call('RotateSecret', () =>
        client.send(new RotateSecretCommand({ SecretId: secretId })),
      );
      return answer.VersionId ?? '';
    },
    edit: (secretId, value) => put(secretId, value, undefined),
    supply: (secretId, value) => put(secretId, value, [suppliedLabel]),
    async read(secretId, label) {
      const answer = await call('GetSecretValue', () =>
        client.send(new GetSecretValueCommand({ SecretId: secretId, VersionStage: label })),
      );
      return { versionId: answer.VersionId ?? '', value: new Sensitive(answer.SecretString ?? '') };
    },
    async readVersion(secretId, versionId) {
      const answer = await call('GetSecretValue', () =>
        client.send(new GetSecretValueCommand({ SecretId: secretId, VersionId: versionId })),
      );
      return new Sensitive(answer.SecretString ?? '');
    },
    async labels(secretId) {
      const answer = await call('DescribeSecret', () =>
        client.send(new DescribeSecretCommand({ SecretId: secretId })),
      );
      return new Map(Object.entries(answer.VersionIdsToStages ?? {}));
    },
    async tag(secretId, key, value) {
      await call('TagResource', () =>
        client.send(new TagResourceCommand({ SecretId: secretId, Tags: [{ Key: key, Value: value }] })),
      );
    },
  };
}
