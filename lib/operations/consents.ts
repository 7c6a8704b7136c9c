/** A person's consent as it stands on a secret: read for people here, checked by the create step there. */

import { consentBaseTag, consentTag } from '../../lambdas/contract/marks.ts';
import type { SecretDescription } from '../../lambdas/contract/ports.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';

export interface Consent {
  readonly until: Date;
  /** Who consented and why, as it was written. */
  readonly text: string;
  readonly is: 'in force' | 'expired' | 'used';
}

/** What the tag holds for an empty secret. */
export const noVersion = 'none';

/** @returns null where there is no consent, or one that does not begin with a time: nothing accepts that. */
export function consentOn(description: SecretDescription, now: Date): Consent | null {
  const tag = description.tags.get(consentTag) ?? '';
  const [first = '', ...rest] = tag.split(' ');
  const until = new Date(first);
  if (Number.isNaN(until.getTime())) return null;
  const base = description.tags.get(consentBaseTag);
  const used = base !== undefined && base !== (holderOf(description, 'AWSCURRENT') ?? noVersion);
  return { until, text: rest.join(' '), is: used ? 'used' : until <= now ? 'expired' : 'in force' };
}
