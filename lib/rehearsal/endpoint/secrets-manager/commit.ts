/** The one way a secret changes: rules that hold whichever operation wrote. */
import type { Core } from './core.ts';
import { labelUpdated, serviceEvent } from './events.ts';
import { current, detachFrom, holderOf, pending, previous, type Versions } from './labels.ts';
import type { Secret, Version } from './store.ts';
import { limitExceeded } from './texts.ts';

/** AWS user guide, quotas: staging labels attached across all versions of a secret. */
const mostLabels = 20;
/** AWS user guide, quotas: versions per secret; and what's in a secret: none younger than a day is removed. */
const mostVersions = 100;
const youngest = 86_400_000;

/**
 * Stores what an operation made of a secret. Takes back an unfinished rotation that the change has overtaken,
 * drops versions that have had their day, plans the schedule and puts the label events.
 *
 * @throws AwsError LimitExceededException, and then nothing is stored.
 */
export function commit(core: Core, before: Secret | null, changed: Secret): Secret {
  const abandoned = overtaken(core, before, changed);
  const versions = abandoned ? detachFrom(changed.versions, pending, abandoned.token) : changed.versions;
  const { kept, removed } = tidy(versions, core.clock.now());
  checkQuotas(kept);

  const after: Secret = { ...changed, versions: kept, changedAt: core.clock.now() };
  core.store.put(after);
  core.calendar.follow(after);
  if (abandoned) core.runs.close(abandoned, 'abandoned');

  for (const [label, versionId] of arrivals(before, after)) {
    core.emit(labelUpdated(after.arn, after.name, label, versionId));
  }
  for (const id of removed) core.emit(serviceEvent('SecretVersionDeletion', after.arn, id, core.clock.now()));
  if (abandoned) core.emit(serviceEvent('RotationAbandoned', after.arn, abandoned.token, core.clock.now()));
  return after;
}

/**
 * The rotation that ends because AWSCURRENT went to a version that is not its own (AWS user guide, CloudTrail
 * entries: RotationAbandoned).
 */
function overtaken(core: Core, before: Secret | null, after: Secret) {
  const run = core.runs.openOf(after.arn);
  if (run === null || run.kind === 'test' || before === null) return null;
  const now = holderOf(after.versions, current);
  const moved = now !== null && now.id !== holderOf(before.versions, current)?.id;
  return moved && now.id !== run.token ? run : null;
}

/**
 * Unlabelled versions go when there are more than a hundred, oldest first, and only after a day. A version that
 * never got a value has nothing to keep once its label is gone.
 */
function tidy(versions: Versions, now: number): { kept: Versions; removed: string[] } {
  const kept = new Map(versions);
  for (const version of versions.values()) {
    if (version.value === null && version.labels.size === 0) kept.delete(version.id);
  }
  const removed: string[] = [];
  for (const version of byAge(kept)) {
    if (kept.size <= mostVersions) break;
    if (version.labels.size > 0 || version.createdAt > now - youngest) continue;
    kept.delete(version.id);
    removed.push(version.id);
  }
  return { kept, removed };
}

function checkQuotas(versions: Versions): void {
  let labels = 0;
  for (const version of versions.values()) labels += version.labels.size;
  if (labels > mostLabels) {
    throw limitExceeded(
      `A secret can have at most ${mostLabels} staging labels across its versions, received ${labels}.`,
    );
  }
  if (versions.size > mostVersions) {
    throw limitExceeded(
      `A secret can have at most ${mostVersions} versions younger than 24 hours or labelled, received ${versions.size}.`,
    );
  }
}

/**
 * Labels that moved to a version, except the two that the event leaves out (AWS user guide, "Secret Label
 * Updated": not for AWSPENDING and AWSPREVIOUS).
 */
function arrivals(before: Secret | null, after: Secret): [string, string][] {
  const found: [string, string][] = [];
  for (const version of after.versions.values()) {
    const had = before?.versions.get(version.id)?.labels;
    for (const label of version.labels) {
      if (label !== pending && label !== previous && !had?.has(label)) found.push([label, version.id]);
    }
  }
  return found;
}

function byAge(versions: Versions): Version[] {
  return [...versions.values()].sort((a, b) => a.createdAt - b.createdAt);
}
