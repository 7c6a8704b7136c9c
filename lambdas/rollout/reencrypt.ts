import { mostSetAside, type SliceReport } from '../contract/reencryption.ts';
import {
  notBegun,
  parseRolloutState,
  type ReencryptionState,
  type RolloutState,
} from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { heldBy, reencryptionsOf, reencryptPorts, ringOf } from './data-keys.ts';
import { secretOf } from './secret-of.ts';

/**
 * Moves stored data to the ring's key, hook after hook, one slice per invocation. The state machine comes back
 * until `finished`; a slice that is lost with its process is done again, and finds what was moved.
 */
export const stage: StageDefinition = {
  id: 'reencrypt',
  secretActions: ['secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  asksClass: true,
  reencrypts: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const hooks = reencryptionsOf(secret, context);
    const before = begun(state);
    const hook = hooks[before.hook];
    if (hook === undefined || state.previousVersionId === null) {
      return { ...state, reencryption: { ...before, finished: true } };
    }
    const ring = await ringOf(state, secret, context);
    const { versionIds } = ring;
    const slice = { ring, cursor: before.cursor, dryRun: false, secretId: state.secretId, versionIds };
    const report = await hook.run(slice, reencryptPorts(context));
    const reencryption = added(before, report, hooks.length);
    context.ports.log({
      message: report.finished ? 'moved the stored data' : 'moved a part of the stored data',
      secret: secret.key,
      stage: 'reencrypt',
      count: report.targets.reduce((sum, { moved }) => sum + moved, 0),
    });
    return { ...state, keys: heldBy(ring), reencryption };
  },
};

/** Where the work stands; a finished round, of the way forward, is begun anew on the way back. */
function begun({ reencryption }: RolloutState): ReencryptionState {
  if (reencryption !== undefined && !reencryption.finished) return reencryption;
  return notBegun;
}

function added(before: ReencryptionState, report: SliceReport, hooks: number): ReencryptionState {
  const targets = new Map(before.targets.map((count) => [count.target, count]));
  for (const count of report.targets) targets.set(count.target, count);
  const known = new Set(before.setAside.map(({ target, row }) => `${target} ${row}`));
  const fresh = report.setAside.filter(({ target, row }) => !known.has(`${target} ${row}`));
  const hook = report.finished ? before.hook + 1 : before.hook;
  return {
    finished: hook >= hooks,
    hook,
    cursor: report.finished ? null : report.cursor,
    slices: before.slices + 1,
    targets: [...targets.values()],
    setAside: [...before.setAside, ...fresh].slice(0, mostSetAside),
  };
}
