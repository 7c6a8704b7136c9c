/** ARNs of the account that the endpoint pretends to be. */

import { account, region } from './wire.ts';

/** `arn:aws:<service>:<region>:<account>:<resource>`, in the endpoint's Region and account. */
export const arn = (service: string, resource: string): string =>
  `arn:aws:${service}:${region}:${account}:${resource}`;

/** The ARN of a role: IAM has no Region. */
export const roleArn = (name: string): string => `arn:aws:iam::${account}:role/${name}`;

/** The last part of an ARN, after its last `:` or `/`; a plain name is its own last part. */
export const lastPart = (arnOrName: string): string => arnOrName.split(/[:/]/).at(-1) ?? arnOrName;
