/** UpdateSecretVersionStage. */
import { usable } from './access.ts';
import { commit } from './commit.ts';
import type { Operation } from './core.ts';
import { textOf } from './input.ts';
import { attach, current, detach, holderOf, makeCurrent, type Versions } from './labels.ts';
import { currentNotRemovable, removeFromMissing, removeFromWrong, versionNotFound } from './texts.ts';

/**
 * UpdateSecretVersionStage: moves one label, and AWSPREVIOUS with AWSCURRENT (AWS API reference; the move without
 * RemoveFromVersionId is refused as validated by moto).
 */
export const updateSecretVersionStage: Operation = (core, input, caller) => {
  const secret = usable(core, input, caller);
  const name = textOf(input, 'VersionStage') ?? '';
  const to = textOf(input, 'MoveToVersionId');
  const from = textOf(input, 'RemoveFromVersionId');
  const holder = holderOf(secret.versions, name);
  // A version that is still without a value cannot be read either, so it counts as unknown here; not established.
  if (to !== undefined && !secret.versions.get(to)?.value) throw versionNotFound(to);
  if (to !== undefined && holder !== null && holder.id !== to && from === undefined) {
    throw removeFromMissing(name, holder.id);
  }
  if (from !== undefined && from !== holder?.id) throw removeFromWrong(name);
  if (to === undefined && name === current) throw currentNotRemovable();
  if (to === undefined && from === undefined) throw removeFromMissing(name, holder?.id ?? 'none');

  const versions = moved(secret.versions, name, to);
  commit(core, secret, { ...secret, versions });
  return { ARN: secret.arn, Name: secret.name };
};

function moved(versions: Versions, name: string, to: string | undefined): Versions {
  if (to === undefined) return detach(versions, name);
  return name === current ? makeCurrent(versions, to) : attach(versions, name, to);
}
