/**
 * The inputs of the operations: types, lengths, ranges and patterns, as in the API model (AWS API reference of
 * each operation). Members that are not listed are ignored, as AWS does.
 */

export type Shape =
  | {
      readonly kind: 'text';
      readonly min?: number;
      readonly max?: number;
      readonly pattern?: RegExp;
      /** Never repeated in an error. */
      readonly sensitive?: true;
      /** Count bytes of UTF-8 or of the decoded base64, not characters. */
      readonly counts?: 'bytes' | 'base64';
      readonly required?: true;
    }
  | { readonly kind: 'flag' }
  | { readonly kind: 'count'; readonly min?: number; readonly max?: number }
  | {
      readonly kind: 'list';
      readonly min?: number;
      readonly max?: number;
      readonly of: Shape;
      readonly required?: true;
    }
  | { readonly kind: 'object'; readonly members: Members };

export type Members = { readonly [name: string]: Shape };

export interface OperationShape {
  readonly members: Members;
  /** The member whose characters are checked as a secret's name (validated: LocalStack test_invalid_secret_name). */
  readonly nameIn?: 'Name' | 'SecretId';
  /** The code of the refusal when ClientRequestToken is missing (validated: LocalStack test_no_client_request_token). */
  readonly withoutToken?: 'InvalidRequestException' | 'InvalidParameterException';
}

const text = (min: number, max: number) => ({ kind: 'text', min, max }) as const;
const required = <T extends Shape>(shape: T) => ({ ...shape, required: true }) as const;
const flag = { kind: 'flag' } as const;
const count = (min: number, max: number) => ({ kind: 'count', min, max }) as const;
const list = (of: Shape, min: number, max: number) => ({ kind: 'list', of, min, max }) as const;

/** 65,536 bytes (AWS user guide, quotas). */
const largest = 65_536;

const secretId = required(text(1, 2048));
const versionId = text(32, 64);
const label = text(1, 256);
const token = { kind: 'text' } as const;
const value = {
  SecretString: { kind: 'text', min: 1, max: largest, counts: 'bytes', sensitive: true },
  SecretBinary: { kind: 'text', min: 1, max: largest, counts: 'base64', sensitive: true },
} as const;
const tags = {
  kind: 'list',
  of: { kind: 'object', members: { Key: text(1, 128), Value: text(0, 256) } },
} as const;
const filters = list(
  {
    kind: 'object',
    members: {
      Key: {
        kind: 'text',
        pattern: /^(description|name|tag-key|tag-value|primary-region|owning-service|all)$/,
      },
      Values: list({ kind: 'text', max: 512, pattern: /^!?[a-zA-Z0-9 :_@/+=.\-!]*$/ }, 1, 10),
    },
  },
  0,
  10,
);
const nextToken = text(1, 4096);

export const shapes = {
  CreateSecret: {
    nameIn: 'Name',
    withoutToken: 'InvalidRequestException',
    members: {
      Name: required(text(1, 512)),
      ClientRequestToken: token,
      Description: text(0, 2048),
      KmsKeyId: text(0, 2048),
      ...value,
      Tags: tags,
    },
  },
  PutSecretValue: {
    nameIn: 'SecretId',
    withoutToken: 'InvalidRequestException',
    members: {
      SecretId: secretId,
      ClientRequestToken: token,
      ...value,
      VersionStages: list(label, 1, 20),
      RotationToken: { kind: 'text', min: 36, max: 256, pattern: /^[a-zA-Z0-9-]+$/, sensitive: true },
    },
  },
  UpdateSecret: {
    nameIn: 'SecretId',
    withoutToken: 'InvalidRequestException',
    members: {
      SecretId: secretId,
      ClientRequestToken: token,
      Description: text(0, 2048),
      KmsKeyId: text(0, 2048),
      ...value,
    },
  },
  UpdateSecretVersionStage: {
    members: {
      SecretId: secretId,
      VersionStage: required(label),
      RemoveFromVersionId: versionId,
      MoveToVersionId: versionId,
    },
  },
  GetSecretValue: {
    nameIn: 'SecretId',
    members: { SecretId: secretId, VersionId: versionId, VersionStage: label },
  },
  BatchGetSecretValue: {
    members: {
      SecretIdList: list(text(1, 2048), 1, 20),
      Filters: filters,
      MaxResults: count(1, 20),
      NextToken: nextToken,
    },
  },
  DescribeSecret: { nameIn: 'SecretId', members: { SecretId: secretId } },
  ListSecrets: {
    members: {
      IncludePlannedDeletion: flag,
      MaxResults: count(1, 100),
      NextToken: nextToken,
      Filters: filters,
      SortOrder: { kind: 'text', pattern: /^(asc|desc)$/ },
    },
  },
  ListSecretVersionIds: {
    nameIn: 'SecretId',
    members: {
      SecretId: secretId,
      MaxResults: count(1, 100),
      NextToken: nextToken,
      IncludeDeprecated: flag,
    },
  },
  RotateSecret: {
    withoutToken: 'InvalidParameterException',
    members: {
      SecretId: secretId,
      ClientRequestToken: token,
      RotationLambdaARN: text(0, 2048),
      RotationRules: {
        kind: 'object',
        members: {
          AutomaticallyAfterDays: count(1, 1000),
          Duration: { kind: 'text', min: 2, max: 3, pattern: /^[0-9]+h$/ },
          ScheduleExpression: { kind: 'text', min: 1, max: 256, pattern: /^[0-9A-Za-z()#?*\-/, ]+$/ },
        },
      },
      RotateImmediately: flag,
    },
  },
  CancelRotateSecret: { members: { SecretId: secretId } },
  GetRandomPassword: {
    members: {
      PasswordLength: count(1, 4096),
      ExcludeCharacters: text(0, 4096),
      ExcludeNumbers: flag,
      ExcludePunctuation: flag,
      ExcludeUppercase: flag,
      ExcludeLowercase: flag,
      IncludeSpace: flag,
      RequireEachIncludedType: flag,
    },
  },
  TagResource: { nameIn: 'SecretId', members: { SecretId: secretId, Tags: required(tags) } },
  UntagResource: {
    nameIn: 'SecretId',
    members: { SecretId: secretId, TagKeys: required({ kind: 'list', of: text(1, 128) }) },
  },
  DeleteSecret: {
    nameIn: 'SecretId',
    members: {
      SecretId: secretId,
      RecoveryWindowInDays: { kind: 'count' },
      ForceDeleteWithoutRecovery: flag,
    },
  },
  RestoreSecret: { members: { SecretId: secretId } },
  ValidateResourcePolicy: {
    nameIn: 'SecretId',
    members: { SecretId: text(1, 2048), ResourcePolicy: required(text(1, 20_480)) },
  },
} as const satisfies Record<string, OperationShape>;

export type OperationName = keyof typeof shapes;
