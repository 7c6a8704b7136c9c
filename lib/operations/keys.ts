/** The data keys of a secret, as its rollout has told of them: ids and counts, no value is read. */
import type { Phase } from '../../lambdas/contract/document.ts';
import type { TargetCount } from '../../lambdas/contract/reencryption.ts';
import { type KeysHeld, RolloutState } from '../../lambdas/contract/rollout-state.ts';
import type { Sighting } from './look.ts';
import { phaseOf } from './phase.ts';
import { stateOf, type Walked } from './rollout-standing.ts';

export interface KeysSeen {
  readonly phase: Phase | null;
  /** Null: no stage has read the current version's keys yet, or its execution is gone. */
  readonly keys: KeysHeld | null;
  /** How far each table or store is moved, as the rollout's last slice told; empty: none has. */
  readonly targets: readonly TargetCount[];
}

/** @returns null where no stored data is under keys of this class. */
export function keysSeen(sighting: Sighting): KeysSeen | null {
  const { subject, walked, currentId } = sighting;
  const { class: secretClass, settings } = subject.secret;
  if ((secretClass.bind(settings.options).phases?.data ?? null) === null) return null;
  const state = walked === null ? null : youngestState(walked);
  // A state tells of the version that it names, and of no other.
  const told = state?.versionId === currentId ? state : null;
  return {
    phase: phaseOf(sighting),
    keys: told?.keys ?? null,
    targets: told?.reencryption?.targets ?? [],
  };
}

/** What it ended with tells of the last stage too. An output that is none of ours is no reason to fail. */
function youngestState(walked: Walked): RolloutState {
  const { output } = walked.execution;
  const ended = output === null ? null : RolloutState.safeParse(JSON.parse(output));
  return ended?.success === true ? ended.data : stateOf(walked);
}

/** What a person is told of them, in a sentence without its subject. */
export function keysSentence({ phase, keys, targets }: KeysSeen): string {
  const told = phase === null ? '' : `${phase}; `;
  if (keys === null) return `${told}the ids of its keys are not known before a stage has read them.`;
  const { write, others, rows } = keys;
  const rowsOf = (id: string) => (rows?.[id] === undefined ? '' : ` (${rows[id]} rows under it)`);
  const accepted =
    others.length === 0
      ? 'no other key is accepted'
      : `still accepted: ${others.map((id) => `${id}${rowsOf(id)}`).join(', ')}`;
  const left = rows === undefined ? leftIn(targets) : '';
  return `${told}key ${write} is in use${rowsOf(write)}, ${accepted}${left}.`;
}

function leftIn(targets: readonly TargetCount[]): string {
  if (targets.length === 0) return '';
  const sum = targets.reduce((total, { left }) => total + left, 0);
  return `; ${sum} rows left to move`;
}
