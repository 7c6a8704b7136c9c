/**
 * What a person does to a secret, from the CLI or a rehearsal: the console's own calls, under the operator's
 * credentials. No function uses it.
 */
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import { suppliedLabel } from '../../contract/marks.ts';
import { Sensitive } from '../../contract/sensitive.ts';
import { call } from './errors.ts';

export interface Operator {
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
