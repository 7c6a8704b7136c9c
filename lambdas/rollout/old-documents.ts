import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';
import type { Moment } from '../contract/target.ts';
import { demandCurrent } from './still-current.ts';

/** When the value that a rollout brings became current. */
export function publication({ publishedAt, sessionMark = null }: RolloutState): Moment {
  return { at: new Date(publishedAt), mark: sessionMark };
}

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
 * Asks the target. Where it does not let the current value in, a person may have given it another one meanwhile.
 *
 * @throws KeyturnError Superseded when the version is not current any more.
 */
export async function askedWhileCurrent<T>(
  state: RolloutState,
  { ports }: StageContext,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (caught) {
    if (!(caught instanceof KeyturnError && caught.code === 'CredentialRejected')) throw caught;
    demandCurrent((await ports.secrets.read(state.secretId, state.versionId)).labels, state);
    throw caught;
  }
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
