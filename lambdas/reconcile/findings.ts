import type { DetailType } from '../contract/events.ts';
import { toldTag } from '../contract/marks.ts';

interface FindingDescription {
  /** How the bus is told. */
  readonly type: DetailType;
  /** Hours after which a finding that lasts is told again; null: told once for a version. */
  readonly repeatHours: number | null;
  /** What still works while it lasts, in a sentence. */
  readonly works: string;
}

/** What the reconciler can find that a person has to know. */
export const findings = {
  'rotation-stuck': {
    type: 'Rotation Stuck',
    repeatHours: 24,
    works: 'AWSCURRENT stays where it is, and every version with a label is kept.',
  },
  'rollout-stalled': {
    type: 'Rollout Stalled',
    repeatHours: 24,
    works: 'Consumers that have not restarted run on with what they started with; both versions are kept.',
  },
  'consumers-stopped': {
    type: 'Rollout Stalled',
    repeatHours: 24,
    works: 'Nothing that uses the data runs, so nothing is lost; every version with a label is kept.',
  },
  'rollout-late': {
    type: 'Rollout Late',
    repeatHours: 24,
    works: 'The rollout goes on, and both versions are kept.',
  },
  'rotation-overdue': {
    type: 'Rotation Overdue',
    repeatHours: 24,
    works: 'The current value works as before.',
  },
  'rotation-off': {
    type: 'Rotation Overdue',
    repeatHours: null,
    works: 'The current value works as before.',
  },
  'supply-due': {
    type: 'Supply Due',
    repeatHours: 7 * 24,
    works: 'The current value works until its provider ends it.',
  },
  'edited-by-hand': {
    type: 'Secret Edited',
    repeatHours: null,
    works: 'Every version with a label is kept.',
  },
} as const satisfies Record<string, FindingDescription>;

export type FindingId = keyof typeof findings;

/** What a secret's tag says was told last. */
export interface Told {
  readonly finding: FindingId;
  readonly versionId: string;
  readonly at: Date;
}

/** Null: nothing was told, or the tag holds something else. */
export function toldOf(tags: ReadonlyMap<string, string>): Told | null {
  const [finding = '', versionId = '', time = ''] = (tags.get(toldTag) ?? '').split(' ');
  const at = new Date(time);
  return isFinding(finding) && !Number.isNaN(at.getTime()) ? { finding, versionId, at } : null;
}

export function toldValue({ finding, versionId, at }: Told): string {
  return `${finding} ${versionId} ${at.toISOString()}`;
}

/** Whether a finding about this version was told so lately that saying it again would be noise. */
export function isFresh(told: Told | null, finding: FindingId, versionId: string, now: Date): boolean {
  if (told === null || told.finding !== finding || told.versionId !== versionId) return false;
  const { repeatHours }: FindingDescription = findings[finding];
  return repeatHours === null || now.getTime() - told.at.getTime() < repeatHours * 3_600_000;
}

function isFinding(text: string): text is FindingId {
  return Object.hasOwn(findings, text);
}
