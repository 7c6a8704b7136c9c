import type { Division } from '../contract/ranges.ts';
import {
  acknowledgedRows,
  mostSetAside,
  rowId,
  type SetAside,
  type SliceReport,
} from '../contract/reencryption.ts';
import {
  identityOf,
  notBegun,
  parseRolloutState,
  type RangeItem,
  type ReencryptionState,
  type RolloutState,
} from '../contract/rollout-state.ts';
import { together } from '../contract/slices.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { heldBy, reencryptionsOf, reencryptPorts, ringOf } from './data-keys.ts';
import { swept } from './range-results.ts';
import { secretOf } from './secret-of.ts';

/**
 * Moves stored data to the ring's key, hook after hook, one slice per invocation. The state machine comes back
 * until `finished`; a slice that is lost with its process is done again, and finds what was moved.
 *
 * Where a hook has a large target, the first slice of it only divides that into ranges. They are swept side by side
 * before this stage comes back, goes over everything as if there had been none, and finds little to do: nothing but
 * time depends on them.
 */
export const stage: StageDefinition = {
  id: 'reencrypt',
  secretActions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  asksClass: true,
  reencrypts: true,

  async run(input, context) {
    const { ranges, rangesAtOnce: _spent, ...state } = parseRolloutState(input);
    const secret = secretOf(context, state);
    const hooks = reencryptionsOf(secret, context);
    const before = swept(begun(state), ranges);
    const hook = hooks[before.hook];
    if (hook === undefined || state.previousVersionId === null) {
      return { ...state, reencryption: { ...before, finished: true } };
    }
    const { tags } = await context.ports.secrets.describe(state.secretId);
    const acknowledged = acknowledgedRows(tags);
    const ring = await ringOf(state, secret, context);
    const { secretId } = state;
    const { versionIds } = ring;
    const slice = { ring, cursor: before.cursor, dryRun: false, secretId, versionIds, acknowledged };
    if (before.divided !== before.hook) {
      const division = await hook.divide(slice, reencryptPorts(context));
      if (division !== null) {
        log(context, secret.key, 'divided the stored data into ranges', division.ranges.length);
        return divided(state, before, division);
      }
    }
    for (const { failed, code } of ranges === undefined ? [] : (before.ranges ?? [])) {
      if (failed > 0)
        log(context, secret.key, 'ranges failed for good; what they left is moved now', failed, code);
    }
    const report = await hook.run(slice, reencryptPorts(context));
    const message = report.finished ? 'moved the stored data' : 'moved a part of the stored data';
    log(
      context,
      secret.key,
      message,
      report.targets.reduce((sum, { moved }) => sum + moved, 0),
    );
    const asked = { ...before, divided: before.hook };
    return { ...state, keys: heldBy(ring), reencryption: added(asked, report, hooks.length, acknowledged) };
  },
};

/** Where the work stands; a finished round, of the way forward, is begun anew on the way back. */
function begun({ reencryption }: RolloutState): ReencryptionState {
  if (reencryption !== undefined && !reencryption.finished) return reencryption;
  return notBegun;
}

function divided(state: RolloutState, before: ReencryptionState, { ranges, atOnce }: Division): RolloutState {
  const rollout = identityOf(state);
  const items = ranges.map(
    (range): RangeItem => ({
      finished: false,
      hook: before.hook,
      range,
      cursor: null,
      moved: 0,
      slices: 0,
      rollout,
    }),
  );
  const reencryption = { ...before, divided: before.hook };
  return { ...state, reencryption, ranges: items, rangesAtOnce: atOnce };
}

function added(
  before: ReencryptionState,
  report: SliceReport,
  hooks: number,
  acknowledged: ReadonlySet<string>,
): ReencryptionState {
  const inRanges = new Map((before.ranges ?? []).map(({ target, moved }) => [target, moved]));
  const targets = report.targets.map((count) => ({
    ...count,
    moved: count.moved + (inRanges.get(count.target) ?? 0),
  }));
  const told = together(before, { targets, setAside: report.setAside });
  const hook = report.finished ? before.hook + 1 : before.hook;
  return {
    ...before,
    finished: hook >= hooks,
    hook,
    cursor: report.finished ? null : report.cursor,
    slices: before.slices + 1,
    targets: told.targets,
    setAside: firstOpen(told.setAside, acknowledged),
  };
}

/** Bytes of set-aside rows that a state carries, as JSON; what has no room is in the next attempt's, or in the count. */
const mostBytes = 24 * 1024;

/** The first that nobody has acknowledged: what a person is asked to look at next. */
function firstOpen(rows: readonly SetAside[], acknowledged: ReadonlySet<string>): SetAside[] {
  const open = rows.filter(({ target, row }) => !acknowledged.has(rowId(target, row)));
  let bytes = 0;
  return open.slice(0, mostSetAside).filter((row) => {
    bytes += Buffer.byteLength(JSON.stringify(row));
    return bytes <= mostBytes;
  });
}

function log({ ports }: StageContext, secret: string, message: string, count: number, code?: string): void {
  ports.log({ message, secret, stage: 'reencrypt', count, ...(code === undefined ? {} : { code }) });
}
