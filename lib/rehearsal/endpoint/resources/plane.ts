/** What resources are created in, and how a creator looks. */

import { createHash } from 'node:crypto';
import type { EventBridge } from '../event-bridge.ts';
import type { Functions } from '../functions.ts';
import type { Iam } from '../iam.ts';
import { text } from '../json-shape.ts';
import type { Destinations } from '../messaging.ts';
import type { Statement } from '../policy.ts';
import type { StepFunctions } from '../step-functions.ts';
import type { Created, Resource } from '../template.ts';
import type { Json, Service } from '../wire.ts';

/** The services of one account. */
export interface Plane {
  readonly functions: Functions;
  readonly iam: Iam;
  readonly events: EventBridge;
  readonly states: StepFunctions;
  readonly topics: Destinations;
  readonly queues: Destinations;
  readonly secretsManager: Service;
  /** Key ARN -> its policy. */
  readonly keys: Map<string, readonly Statement[]>;
}

export type Creator = (resource: Resource, plane: Plane) => Created | Promise<Created>;

/** The resource's own name, or one as CloudFormation makes it: stack, logical id and a suffix, at most `limit` characters. */
export function physicalName(resource: Resource, name: Json | undefined, limit: number): string {
  const given = text(name);
  if (given !== undefined) return given;
  const { stackName, logicalId } = resource;
  const suffix = createHash('sha256')
    .update(`${stackName}/${logicalId}`)
    .digest('hex')
    .slice(0, 12)
    .toUpperCase();
  return `${`${stackName}-${logicalId}`.slice(0, limit - suffix.length - 1)}-${suffix}`;
}

/** @throws Error that names the property */
export function required(value: string | undefined, property: string): string {
  if (value === undefined) throw new Error(`${property} is missing`);
  return value;
}
