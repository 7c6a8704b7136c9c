import type { DetailType } from '../contract/events.ts';
import { toldTag } from '../contract/marks.ts';

interface FindingDescription {
  /** How the bus is told. */
  readonly type: DetailType;
  /** Hours after which a finding that lasts is told again; null: told once for a version. */
  readonly repeatHours: number | null;
}

/** What the reconciler can find that a person has to know. */
export const findings = {
  'rotation-stuck': { type: 'Rotation Stuck', repeatHours: 24 },
  'rollout-stalled': { type: 'Rollout Stalled', repeatHours: 24 },
  'rollout-late': { type: 'Rollout Late', repeatHours: 24 },
  'rotation-overdue': { type: 'Rotation Overdue', repeatHours: 24 },
  'rotation-off': { type: 'Rotation Overdue', repeatHours: null },
  'supply-due': { type: 'Supply Due', repeatHours: 7 * 24 },
  'edited-by-hand': { type: 'Secret Edited', repeatHours: null },
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
