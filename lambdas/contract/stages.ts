/**
 * The stages of rollouts as data: what each does, how long it may take, when it is tried again, and where it
 * leads when it fails for good.
 */
import type { StageDescription } from './stage-description.ts';
import { asleep, lambdaFaults, later, otherRotation } from './stage-retries.ts';

export const stages = {
  settle: {
    does: 'waits until Secrets Manager has closed the rotation',
    timeoutSeconds: 60,
    retry: [
      // Secrets Manager gives no time for the removal of AWSPENDING; seconds are usual.
      { errors: ['NotSettled'], intervalSeconds: 10, maxAttempts: 6, backoffRate: 2, maxDelaySeconds: 300 },
      lambdaFaults,
    ],
  },
  redeploy: {
    does: 'restarts the consumers and waits until what runs is healthy and younger than the version',
    timeoutSeconds: 600,
    // Two secrets of one consumer that finish within this time restart it once: the second finds a restart
    // that is younger than its own version.
    waitSeconds: 20,
    onFailure: 'roll-back',
    retry: [
      {
        errors: ['ConsumersNotHealthy', 'HookUnreachable'],
        intervalSeconds: 30,
        maxAttempts: 3,
        backoffRate: 1,
        maxDelaySeconds: 30,
      },
      lambdaFaults,
    ],
  },
  promote: {
    does: 'publishes the version in which the new value is used and the old one still accepted',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
    onFailure: 'roll-back',
  },
  hold: {
    does: 'waits until nothing that the old value made can be alive any more',
    timeoutSeconds: 60,
    waitAfter: 'holdSeconds',
    retry: [lambdaFaults],
  },
  verify: {
    does: 'looks at every consumer once more: none may be left that does not have the new value in use',
    timeoutSeconds: 120,
    retry: [
      {
        errors: ['ConsumersNotHealthy'],
        intervalSeconds: 30,
        maxAttempts: 5,
        backoffRate: 2,
        maxDelaySeconds: 600,
      },
      lambdaFaults,
    ],
  },
  'list-instances': {
    does: 'asks the platform which instances are deployed and active; takes their ids only',
    timeoutSeconds: 300,
    retry: [
      {
        errors: ['InstancesNotListed', 'ProbeInconclusive'],
        intervalSeconds: 30,
        maxAttempts: 5,
        backoffRate: 2,
        maxDelaySeconds: 300,
      },
      lambdaFaults,
    ],
  },
  quiesce: {
    does: 'stops the consumers and waits until none runs: from here on nothing reads or writes the data',
    timeoutSeconds: 600,
    retry: [later, lambdaFaults],
  },
  reencrypt: {
    does: 'moves the stored data to the key that it is to be under, a slice at a time; sets aside what cannot be read',
    timeoutSeconds: 840,
    repeats: 'reencryption',
    over: 'sweep-range',
    retry: [later, asleep, lambdaFaults],
  },
  'sweep-range': {
    does: 'moves one range of a large table, a slice at a time and beside others; `reencrypt` then looks at everything',
    timeoutSeconds: 840,
    retry: [later, asleep, lambdaFaults],
  },
  'count-left': {
    does: 'looks at all the data again and counts, a slice at a time: goes on only when nothing needs the other key any more',
    timeoutSeconds: 840,
    repeats: 'count',
    retry: [
      // Writers that were cut off write no more by now; what is left after these tries needs a person.
      { errors: ['DataLeft'], intervalSeconds: 30, maxAttempts: 3, backoffRate: 2, maxDelaySeconds: 120 },
      later,
      asleep,
      lambdaFaults,
    ],
  },
  retire: {
    does: 'publishes the version without the old value',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
  },
  'renew-instances': {
    does: 'redeploys each instance that is not confirmed yet, and confirms that it holds a token of the new key',
    timeoutSeconds: 600,
    each: { items: 'instances', concurrency: 20 },
    retry: [
      {
        errors: ['InstanceNotRenewed', 'ProbeInconclusive'],
        intervalSeconds: 20,
        maxAttempts: 4,
        backoffRate: 2,
        maxDelaySeconds: 300,
      },
      lambdaFaults,
    ],
  },
  'count-instances': {
    does: 'reads the list again and counts: goes on only when every active instance is confirmed',
    timeoutSeconds: 300,
    retry: [
      {
        errors: ['InstancesNotListed', 'ProbeInconclusive'],
        intervalSeconds: 30,
        maxAttempts: 5,
        backoffRate: 2,
        maxDelaySeconds: 300,
      },
      lambdaFaults,
    ],
  },
  'mark-sessions': {
    does: 'notes where the sessions at the target stand, if it does not tell when one began: those of the restarted consumers come later',
    timeoutSeconds: 60,
    retry: [later, asleep, lambdaFaults],
    onFailure: 'roll-back',
  },
  drain: {
    does: 'counts what still uses the old value at its target: goes on only when nothing does',
    timeoutSeconds: 120,
    retry: [
      // Pools let go of idle connections in minutes; jobs of a night may take until the morning.
      {
        errors: ['OldValueInUse'],
        intervalSeconds: 30,
        maxAttempts: 12,
        backoffRate: 2,
        maxDelaySeconds: 10_800,
      },
      later,
      asleep,
      lambdaFaults,
    ],
  },
  disable: {
    does: 'takes the old value away at its target: from here on it is refused',
    timeoutSeconds: 120,
    retry: [later, asleep, lambdaFaults],
  },
  prove: {
    does: 'probes that the new value works and that the old one is refused',
    timeoutSeconds: 120,
    retry: [
      // An operator may have to revoke the old value at its provider: about a day and a half, in 12 tries.
      {
        errors: ['OldValueStillAccepted', 'NewValueNotAccepted', 'ProbeInconclusive', 'NotSettled'],
        intervalSeconds: 30,
        maxAttempts: 12,
        backoffRate: 2.5,
        maxDelaySeconds: 21_600,
      },
      asleep,
      lambdaFaults,
    ],
  },
  complete: {
    does: 'records the completion on the secret and reports it',
    timeoutSeconds: 60,
    retry: [lambdaFaults],
  },
  'roll-back': {
    does: 'makes the previous version current again, where the class can restore its target',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
  },
  withdraw: {
    does: 'publishes the version without the new value, once nothing needs it',
    timeoutSeconds: 60,
    retry: [otherRotation, lambdaFaults],
  },
  'hand-over': {
    does: 'a value was made current by hand while the consumers are stopped: counts whether all data is under its key',
    timeoutSeconds: 840,
    retry: [later, asleep, lambdaFaults],
  },
  'rolled-back': {
    does: 'records that the previous version runs again, and reports what happened',
    timeoutSeconds: 60,
    retry: [lambdaFaults],
  },
  stall: {
    does: 'reports what happened, what still works and how to go on; changes nothing',
    timeoutSeconds: 60,
    retry: [lambdaFaults],
  },
} as const satisfies Record<string, StageDescription>;

export type StageId = keyof typeof stages;
