/**
 * The events that Secrets Manager puts on the default bus by itself.
 *
 * Shapes: AWS user guide, "Secret Label Updated" event detail reference; CloudTrail log entries for Secrets
 * Manager, with the members of a RotationFailed record captured in 2021.
 */
import { account, type Emit, type JsonObject, region } from '../wire.ts';

export type ServiceEventName =
  | 'RotationStarted'
  | 'RotationSucceeded'
  | 'RotationFailed'
  | 'RotationAbandoned'
  | 'TestRotationStarted'
  | 'TestRotationSucceeded'
  | 'TestRotationFailed'
  | 'SecretVersionDeletion';

export type SecretEvent = Parameters<Emit>[0];

/** Which events go missing and which come twice: delivery is best effort, at least once. Default: neither. */
export interface EventFaults {
  drop?: (event: SecretEvent) => boolean;
  duplicate?: (event: SecretEvent) => boolean;
}

/** An Emit that loses and doubles events. @param faults asked at every event. */
export function faultyEmit(emit: Emit, faults: () => EventFaults): Emit {
  return (event) => {
    const { drop, duplicate } = faults();
    if (drop?.(event)) return;
    emit(event);
    if (duplicate?.(event)) emit(event);
  };
}

export function labelUpdated(arn: string, name: string, label: string, versionId: string): SecretEvent {
  return {
    source: 'aws.secretsmanager',
    'detail-type': 'Secret Label Updated',
    resources: [arn],
    detail: { name, labelUpdated: label, versionId },
  };
}

/**
 * What CloudTrail records of the service's own doings.
 *
 * @param at milliseconds since the epoch.
 * @param errorMessage only for failures.
 */
export function serviceEvent(
  eventName: ServiceEventName,
  arn: string,
  versionId: string,
  at: number,
  errorMessage?: string,
): SecretEvent {
  const detail: JsonObject = {
    eventVersion: '1.08',
    userIdentity: { accountId: account, invokedBy: 'secretsmanager.amazonaws.com' },
    eventTime: `${new Date(at).toISOString().slice(0, 19)}Z`,
    eventSource: 'secretsmanager.amazonaws.com',
    eventName,
    awsRegion: region,
    sourceIPAddress: 'secretsmanager.amazonaws.com',
    userAgent: 'secretsmanager.amazonaws.com',
    requestParameters: null,
    responseElements: null,
    additionalEventData: { SecretId: arn },
    requestID: `Rotation-${arn}-${versionId}`,
    readOnly: false,
    eventType: 'AwsServiceEvent',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
    ...(errorMessage === undefined ? {} : { errorMessage }),
  };
  return {
    source: 'aws.secretsmanager',
    'detail-type': 'AWS Service Event via CloudTrail',
    resources: [],
    detail,
  };
}
