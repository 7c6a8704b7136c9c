/** The keys and hooks with which a stage moves or counts stored data. */
import type { KeyRing, StoredKey } from '../contract/ciphers.ts';
import { parseDocument, type SecretDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import type {
  BoundReencryption,
  ReencryptPorts,
  SliceReport,
  TargetCount,
} from '../contract/reencryption.ts';
import type { KeysHeld, RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';
import { dataKeysOf, phasesOf } from './class-of.ts';
import { demandCurrent } from './still-current.ts';

/** A ring, and the id of the key that the consumers use: before promote the data may be moved to another one. */
export interface RingInUse extends KeyRing {
  readonly inUse: string;
  /** The versions that its keys were read from, the one with `write` first. */
  readonly versionIds: readonly string[];
}

/**
 * The ring of the current version. A rollout that went back adds the keys of the version that it gave up: data
 * may be under them, and the version that is current again may not know them.
 */
export async function ringOf(
  state: RolloutState,
  secret: SecretSettings,
  { ports }: StageContext,
): Promise<RingInUse> {
  const data = dataKeysOf(secret, ports);
  const back = state.rolledBackFrom !== undefined;
  const version = await ports.secrets.read(state.secretId, state.versionId);
  demandCurrent(version.labels, state);
  const document = parseDocument(version.value, `The current value of ${secret.key}`);
  const ring = data.ring(document, back);
  const { id: inUse } = data.ring(document, true).write;
  if (state.rolledBackFrom === undefined) return { ...ring, inUse, versionIds: [state.versionId] };
  const given = await documentOf(state, state.rolledBackFrom, ports.secrets);
  const versionIds = [state.versionId, state.rolledBackFrom];
  return { ...joined(ring, data.ring(given, back)), inUse, versionIds };
}

/** @param counted what a hook told last; where none tells by key, no rows are named */
export function heldBy(ring: Omit<RingInUse, 'versionIds'>, counted: readonly TargetCount[] = []): KeysHeld {
  const rows: Record<string, number> = {};
  for (const [id, count] of counted.flatMap(({ under }) => Object.entries(under ?? {}))) {
    rows[id] = (rows[id] ?? 0) + count;
  }
  const told = counted.some(({ under }) => under !== undefined);
  const ids = [ring.write, ...ring.others].map(({ id }) => id);
  const others = ids.filter((id) => id !== ring.inUse);
  return { write: ring.inUse, others, ...(told ? { rows } : {}) };
}

/** The keys of a document that a stage has read or written; null: no data is under keys of this class. */
export function heldIn(
  document: SecretDocument,
  secret: SecretSettings,
  ports: StageContext['ports'],
): KeysHeld | null {
  const ring = phasesOf(secret, ports).data?.ring(document, true);
  return ring === undefined ? null : heldBy({ ...ring, inUse: ring.write.id });
}

export async function documentOf(
  state: RolloutState,
  versionId: string,
  secrets: StageContext['ports']['secrets'],
): Promise<SecretDocument> {
  const version = await secrets.read(state.secretId, versionId);
  return parseDocument(version.value, `The value that was given up (version ${versionId})`);
}

/** The first ring, with every further key of the second. */
export function joined(ring: KeyRing, given: KeyRing): KeyRing {
  const others = new Map<string, StoredKey>();
  for (const key of [...ring.others, given.write, ...given.others]) others.set(key.id, key);
  others.delete(ring.write.id);
  return { write: ring.write, others: [...others.values()] };
}

/** The re-encryption hooks of a secret, in order. @throws KeyturnError SettingsInvalid */
export function reencryptionsOf(secret: SecretSettings, { ports }: StageContext): BoundReencryption[] {
  return (secret.reencrypt ?? []).map((hook) => {
    const bound = ports.reencryption.get(hook.kind)?.bind(hook);
    if (bound?.ok) return bound.hook;
    throw new KeyturnError({
      code: 'SettingsInvalid',
      message: `A re-encryption of ${secret.key} must be of a known kind with its members; it is of kind ${hook.kind}.`,
      hint: 'Deploy the stack again: the function and its settings are made together.',
    });
  });
}

/** Milliseconds of an invocation that are kept for its answer. */
const margin = 15_000;

export function reencryptPorts(
  { ports, remaining }: StageContext,
  progress: (report: SliceReport) => void = () => {},
): ReencryptPorts {
  const { clock, log, credential } = ports;
  return { clock, log, credential, remaining: () => Math.max(0, remaining() - margin), progress };
}
