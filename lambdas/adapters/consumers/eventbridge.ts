import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../contract/errors.ts';
import { eventSource } from '../../contract/events.ts';
import type { Clock } from '../../contract/ports.ts';
import {
  hook,
  type RedeployRequest,
  type RedeployRequests,
  redeployRequested,
} from '../../hooks/redeploy/eventbridge.ts';
import { call } from '../aws/errors.ts';
import { clock } from '../platform.ts';

/** EventBridge and the secret's tags through the AWS SDK. */
export function redeployRequests(
  bridge: EventBridgeClient,
  secrets: SecretsManagerClient,
  { now }: Pick<Clock, 'now'>,
): RedeployRequests {
  // Of this process only: after a crash the request is put again, and settles again from there.
  const putAt = new Map<string, Date>();
  const keyOf = (bus: string, request: RedeployRequest) => JSON.stringify([bus, request]);
  return {
    async put(bus, request) {
      const entry = {
        EventBusName: bus,
        Source: eventSource,
        DetailType: redeployRequested,
        Detail: JSON.stringify(request),
        Resources: [request.secretId],
      };
      const answer = await call('PutEvents', () => bridge.send(new PutEventsCommand({ Entries: [entry] })));
      const refused = answer.Entries?.find(({ ErrorCode }) => ErrorCode !== undefined);
      if (refused !== undefined) {
        throw new KeyturnError({
          code: 'AwsUnreachable',
          message: `PutEvents took the request and refused the event with ${refused.ErrorCode ?? 'no code'}.`,
          retryable: true,
        });
      }
      putAt.set(keyOf(bus, request), now());
    },

    putAt: (bus, request) => putAt.get(keyOf(bus, request)) ?? null,

    async tag(secretId, key) {
      const answer = await call('DescribeSecret', () =>
        secrets.send(new DescribeSecretCommand({ SecretId: secretId })),
      );
      return answer.Tags?.find(({ Key }) => Key === key)?.Value ?? null;
    },
  };
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () =>
  hook.connect(redeployRequests(new EventBridgeClient({}), new SecretsManagerClient({}), clock));
