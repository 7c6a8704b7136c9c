/** A person's consent as it stands on a secret: read for people here, checked by the create step there. */

import { consentBaseTag, consentTag } from '../../lambdas/contract/marks.ts';
import type { SecretDescription } from '../../lambdas/contract/ports.ts';
import { needsConsent } from '../../lambdas/rotation/consent.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import type { Subject } from './subject.ts';

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

/** Why a rotation now needs a person's consent, as a clause; null: it needs none. As the create step asks. */
export function consentNeed({ secret }: Subject, now: Date): string | null {
  return needsConsent(secret.class.bind(secret.settings.options), secret.settings, now);
}

/** Whether a consent on this secret could ever matter: it is guarded, or has a maintenance window to keep. */
export function takesConsent({ secret }: Subject): boolean {
  return secret.class.admission === 'guarded' || secret.settings.window !== null;
}
