import {
  DescribeSecretCommand,
  type SecretsManagerClient,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager';
import type { SecretTags } from '../../hooks/request-mark.ts';
import { call } from './errors.ts';

/** A secret's tags through the AWS SDK. */
export function secretTags(client: SecretsManagerClient): SecretTags {
  return {
    async tag(secretId, key) {
      const answer = await call('DescribeSecret', () =>
        client.send(new DescribeSecretCommand({ SecretId: secretId })),
      );
      return answer.Tags?.find(({ Key }) => Key === key)?.Value ?? null;
    },

    async setTag(secretId, key, value) {
      await call('TagResource', () =>
        client.send(new TagResourceCommand({ SecretId: secretId, Tags: [{ Key: key, Value: value }] })),
      );
    },
  };
}
