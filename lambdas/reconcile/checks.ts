/**
 * What can be wrong with a secret, in the order in which it matters. Each check answers with what to do and a
 * sentence for the operator; the first that objects decides.
 */
import type { Check } from './decision.ts';
import {
  consumersStopped,
  holdStopped,
  rolloutLate,
  rolloutMissing,
  rolloutStalled,
} from './rollout-checks.ts';
import {
  rotationOff,
  rotationOverdue,
  rotationStuck,
  rotationUnderWay,
  valueRejected,
} from './rotation-checks.ts';
import { editedByHand, supplyDue } from './value-checks.ts';
import { nothing } from './words.ts';

export const checks = [
  {
    id: 'deleted',
    objects: ({ seen }) =>
      seen.deleted
        ? nothing(`The secret ${seen.name} waits for its deletion; nothing is done about it.`)
        : null,
  },
  { id: 'value-rejected', objects: valueRejected },
  { id: 'rotation-under-way', objects: rotationUnderWay },
  { id: 'rollout-missing', objects: rolloutMissing },
  { id: 'rotation-stuck', objects: rotationStuck },
  { id: 'hold-stopped', objects: holdStopped },
  { id: 'consumers-stopped', objects: consumersStopped },
  { id: 'rollout-stalled', objects: rolloutStalled },
  { id: 'rollout-late', objects: rolloutLate },
  {
    id: 'rollout-under-way',
    objects: ({ rollout, seen }) =>
      rollout?.status === 'RUNNING' ? nothing(`The rollout of ${seen.name} is under way.`) : null,
  },
  { id: 'edited-by-hand', objects: editedByHand },
  { id: 'rotation-off', objects: rotationOff },
  { id: 'rotation-overdue', objects: rotationOverdue },
  { id: 'supply-due', objects: supplyDue },
] as const satisfies readonly Check[];

export type CheckId = (typeof checks)[number]['id'];
