import { parseDocument, type SecretDocument } from '../contract/document.ts';
import type { RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';
import { demandCurrent } from './still-current.ts';

/** The document that a rollout brings. @throws KeyturnError Superseded when it is not current any more. */
export async function currentDocument(
  state: RolloutState,
  secret: SecretSettings,
  { ports }: StageContext,
): Promise<SecretDocument> {
  const version = await ports.secrets.read(state.secretId, state.versionId);
  demandCurrent(version.labels, state);
  return parseDocument(version.value, `The new value of ${secret.key}`);
}

/**
 * The value that was current before, and those that earlier rollouts were cut off from proving. Versions of the
 * same rotation are left out: they hold the new value.
 */
export async function oldDocuments(
  state: RolloutState,
  current: SecretDocument,
  { ports }: StageContext,
): Promise<SecretDocument[]> {
  const { memory } = current;
  const ids = new Set([state.previousVersionId, memory?.base ?? null, ...(memory?.unproven ?? [])]);
  const documents: SecretDocument[] = [];
  for (const id of ids) {
    if (id === null) continue;
    const version = await ports.secrets.read(state.secretId, id);
    const old = parseDocument(version.value, `The old value (version ${id})`);
    if (memory?.root === undefined || old.memory?.root !== memory.root) documents.push(old);
  }
  return documents;
}
