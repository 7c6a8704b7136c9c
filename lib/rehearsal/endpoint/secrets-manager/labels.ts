/**
 * How staging labels move. A label is on at most one version of a secret (AWS user guide, what's in a secret).
 * Every function answers with new versions and leaves its argument alone.
 */
import type { Version } from './store.ts';

export type Versions = ReadonlyMap<string, Version>;

export const current = 'AWSCURRENT';
export const pending = 'AWSPENDING';
export const previous = 'AWSPREVIOUS';

export function holderOf(versions: Versions, label: string): Version | null {
  for (const version of versions.values()) if (version.labels.has(label)) return version;
  return null;
}

/** Puts a label on a version and takes it from whichever had it; nothing else moves. */
export function attach(versions: Versions, label: string, versionId: string): Versions {
  const moved = new Map(detach(versions, label));
  const target = moved.get(versionId);
  if (target !== undefined) moved.set(versionId, { ...target, labels: new Set([...target.labels, label]) });
  return moved;
}

export function detach(versions: Versions, label: string): Versions {
  const holder = holderOf(versions, label);
  if (holder === null) return versions;
  const labels = new Set(holder.labels);
  labels.delete(label);
  return new Map(versions).set(holder.id, { ...holder, labels });
}

/** Takes a label from one version; when another has it, nothing happens. */
export function detachFrom(versions: Versions, label: string, versionId: string): Versions {
  return holderOf(versions, label)?.id === versionId ? detach(versions, label) : versions;
}

/**
 * Makes a version the current one. The version that was current becomes the previous one and keeps its other
 * labels; the version that was previous loses that label (validated: LocalStack's snapshots
 * test_deprecated_secret_version_stage and test_update_secret_version_stages_*).
 */
export function makeCurrent(versions: Versions, versionId: string): Versions {
  const before = holderOf(versions, current);
  if (before?.id === versionId) return versions;
  const moved = attach(versions, current, versionId);
  return before === null ? moved : attach(moved, previous, before.id);
}

/**
 * The labels of PutSecretValue: each is taken from whichever version has it, without asking (validated:
 * LocalStack's snapshots test_non_versioning_version_stages_*). A write over a version that is both current
 * and pending leaves that version only AWSPREVIOUS (the same snapshots, `current_pending`).
 */
export function label(versions: Versions, versionId: string, labels: readonly string[]): Versions {
  let moved = versions;
  if (labels.includes(current)) {
    const before = holderOf(versions, current);
    if (before !== null && before.id !== versionId && before.labels.has(pending))
      moved = detach(moved, pending);
    moved = makeCurrent(moved, versionId);
  }
  for (const name of labels) if (name !== current) moved = attach(moved, name, versionId);
  return moved;
}

/** True while AWSPENDING is on a version that is not current: the mark of an unfinished rotation (AWS API reference, RotateSecret). */
export function isUnfinished(versions: Versions): boolean {
  const holder = holderOf(versions, pending);
  return holder !== null && !holder.labels.has(current);
}
