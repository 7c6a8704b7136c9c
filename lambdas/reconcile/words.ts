/** The answers and the words that several checks share. */
import { command } from '../contract/commands.ts';
import type { Objection } from './decision.ts';
import type { Observed } from './observed.ts';

const hour = 3_600_000;
export const day = 24 * hour;

/** What an event says of a secret that has no current version. */
export const none = 'none';

export function nothing(sentence: string): Objection {
  return { is: 'nothing', sentence };
}

export function stuck({ secret }: Observed, versionId: string, sentence: string): Objection {
  return {
    is: 'tell',
    finding: 'rotation-stuck',
    versionId,
    sentence,
    // What is pending at a secret of another service is not ours to drop.
    next: command(secret.observed === true ? 'status' : 'discard', secret.key),
  };
}

export function stalled({ secret }: Observed, versionId: string, sentence: string): Objection {
  return {
    is: 'tell',
    finding: 'rollout-stalled',
    versionId,
    sentence,
    next: command('resume', secret.key),
  };
}

export function ageOf(since: Date, now: Date): number {
  return now.getTime() - since.getTime();
}

/** `7 hours`, `3 days`: whole ones, as a person says it. */
export function lasted(milliseconds: number): string {
  const [unit, name] = milliseconds >= 2 * day ? [day, 'days'] : [hour, 'hours'];
  return `${Math.floor(milliseconds / unit)} ${name}`;
}
