/** Every resource type that the rehearsal knows: created, or left out for a reason. Any other is an error. */

import type { Create } from '../template.ts';
import { compute } from './compute.ts';
import { eventResources } from './events.ts';
import { identity } from './identity.ts';
import { network } from './network.ts';
import type { Creator, Plane } from './plane.ts';
import { physicalName } from './plane.ts';
import { secretResources } from './secrets.ts';

export type { Plane } from './plane.ts';

const creators: Readonly<Record<string, Creator>> = {
  ...identity,
  ...compute,
  ...eventResources,
  ...secretResources,
  ...network,
};

/** Types without an effect here, with the reason. */
export const ignoredTypes: Readonly<Record<string, string>> = {
  'AWS::CDK::Metadata': 'tells AWS which constructs were used',
  'AWS::CloudWatch::Alarm': 'the rehearsal has no metrics',
  'AWS::CloudWatch::CompositeAlarm': 'the rehearsal has no metrics',
  'AWS::CloudWatch::Dashboard': 'the rehearsal has no metrics',
  'AWS::EC2::SecurityGroupEgress': 'nothing is filtered between the functions and this machine',
  'AWS::EC2::SecurityGroupIngress': 'nothing is filtered between the functions and this machine',
  'AWS::Logs::MetricFilter': 'the rehearsal has no metrics',
  'AWS::Logs::ResourcePolicy': 'log lines do not pass through CloudWatch Logs here',
  'AWS::Lambda::EventInvokeConfig': 'asynchronous invocations are retried with the defaults',
  'AWS::SecretsManager::ResourcePolicy': 'callers are judged by the policies of their roles alone',
};

/** @throws Error for a type that is neither known nor ignored */
export function resourceCreator(plane: Plane): Create {
  return async (resource) => {
    const { type } = resource;
    const create = creators[type];
    if (create !== undefined) return create(resource, plane);
    if (ignoredTypes[type] !== undefined) return { ref: physicalName(resource, undefined, 255) };
    throw new Error(`the rehearsal does not know resources of type ${type}`);
  };
}
