import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { KeyturnError } from '../../contract/errors.ts';
import { eventSource } from '../../contract/events.ts';
import type { Events } from '../../contract/ports.ts';
import { call } from './errors.ts';

/** The keyturn bus. PutEvents may take a request and refuse the entry in it, so the answer is looked at. */
export function eventBridge(client: EventBridgeClient, bus: string): Events {
  return {
    async put({ type, detail }) {
      const entry = {
        EventBusName: bus,
        Source: eventSource,
        DetailType: type,
        Detail: JSON.stringify(detail),
        Resources: [detail.secretId],
      };
      const answer = await call('PutEvents', () => client.send(new PutEventsCommand({ Entries: [entry] })));
      const refused = answer.Entries?.find((result) => result.ErrorCode !== undefined);
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
