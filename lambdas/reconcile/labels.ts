import type { FleetSecret } from '../contract/fleet.ts';
import { completedTag, rolledBackTag } from '../contract/marks.ts';

/** How a secret's versions stand, as its labels and tags tell it. */
export interface Versions {
  readonly current: string | null;
  readonly previous: string | null;
  /** The version that a rotation works on: AWSPENDING on a version that is not current. */
  readonly pending: string | null;
  /** Whether AWSPENDING is on the current version: a rotation that is being closed, or a label that stayed. */
  readonly currentIsPending: boolean;
  readonly completed: string | null;
  readonly rolledBack: string | null;
}

export function versionsOf({ labels, tags }: FleetSecret): Versions {
  const holder = (label: string) =>
    [...labels].find(([, onVersion]) => onVersion.includes(label))?.[0] ?? null;
  const current = holder('AWSCURRENT');
  const pending = holder('AWSPENDING');
  return {
    current,
    previous: holder('AWSPREVIOUS'),
    pending: pending === current ? null : pending,
    currentIsPending: pending !== null && pending === current,
    completed: tags.get(completedTag) ?? null,
    rolledBack: tags.get(rolledBackTag) ?? null,
  };
}
