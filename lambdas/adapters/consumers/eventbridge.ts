import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { KeyturnError } from '../../contract/errors.ts';
import { eventSource } from '../../contract/events.ts';
import { hook, type RedeployRequests, redeployRequested } from '../../hooks/redeploy/eventbridge.ts';
import { call } from '../aws/errors.ts';
import { secretTags } from '../aws/secret-tags.ts';

/** EventBridge and the secret's tags through the AWS SDK. */
export function redeployRequests(bridge: EventBridgeClient, secrets: SecretsManagerClient): RedeployRequests {
  return {
    ...secretTags(secrets),

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
    },
  };
}

/** Read by the generated entry of the redeploy stage. */
export const connected = () =>
  hook.connect(redeployRequests(new EventBridgeClient({}), new SecretsManagerClient({})));
