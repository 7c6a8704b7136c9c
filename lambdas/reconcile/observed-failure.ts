import * as z from 'zod/mini';
import { command } from '../contract/commands.ts';
import { keyturnEvent } from '../contract/events.ts';
import { secretOfArn } from '../contract/settings.ts';
import type { ReconcileContext } from './context.ts';
import { none } from './words.ts';

/** Where CloudTrail names the secret of a rotation; for secrets of RDS the second was seen (captures of both). */
const Named = z.union([
  z.object({ additionalEventData: z.object({ SecretId: z.string() }) }),
  z.object({ serviceEventDetails: z.object({ secretId: z.string() }) }),
]);

/**
 * Secrets Manager's own `RotationFailed` (user guide, "Log AWS Secrets Manager events with AWS CloudTrail"). Its
 * words are left aside: they are of a service that is not ours.
 */
export const ObservedFailure = z.object({
  source: z.literal('aws.secretsmanager'),
  'detail-type': z.literal('AWS Service Event via CloudTrail'),
  detail: z.intersection(z.object({ eventName: z.literal('RotationFailed') }), Named),
});
export type ObservedFailure = z.infer<typeof ObservedFailure>;

/**
 * Tells people of a rotation that failed at the service that makes it. Best effort: an overdue secret is found anyway.
 *
 * It is counted first: the alarm is what is left when the event is lost.
 */
export async function reportObservedFailure(
  { detail }: ObservedFailure,
  { settings, self, ports }: ReconcileContext,
): Promise<void> {
  const secretId =
    'additionalEventData' in detail
      ? detail.additionalEventData.SecretId
      : detail.serviceEventDetails.secretId;
  const secret = secretOfArn(settings, secretId, self);
  if (secret?.observed !== true) return;
  const of = { Deployment: settings.deployment, Secret: secret.key };
  ports.metrics.put({ metric: 'RotationFailed', value: 1, of });
  await ports.events.put(
    keyturnEvent('Rotation Failed', {
      schema: 1,
      deployment: settings.deployment,
      platform: settings.platform,
      secret: secret.key,
      secretId,
      versionId: none,
      previousVersionId: null,
      class: secret.class,
      plan: secret.plan,
      publishedAt: null,
      at: 'the service that manages it',
      code: 'RotationFailedElsewhere',
      reason: `The service that manages ${secret.key} could not rotate it.`,
      works: 'The value that is current works as before.',
      next: command('status', secret.key),
    }),
  );
}
