import { command } from '../contract/commands.ts';
import { KeyturnError } from '../contract/errors.ts';
import type { SetAside, SliceReport, TargetCount } from '../contract/reencryption.ts';
import { acknowledgedRows, rowId } from '../contract/reencryption.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { heldBy, type RingInUse, reencryptionsOf, reencryptPorts, ringOf } from './data-keys.ts';
import { secretOf } from './secret-of.ts';

/** Rows that a message names. */
const mostNamed = 5;

/**
 * The evidence that a key may go: every hook looks at all the data again. What cannot be read counts as left until
 * a person has acknowledged it, row by row.
 */
export const stage: StageDefinition = {
  id: 'count-left',
  secretActions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  asksClass: true,
  reencrypts: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    if (state.previousVersionId === null) return state;
    const secret = secretOf(context, state);
    const { tags } = await context.ports.secrets.describe(state.secretId);
    const acknowledged = acknowledgedRows(tags);
    const ring = await ringOf(state, secret, context);
    const { versionIds } = ring;
    const slice = { ring, cursor: null, dryRun: true, secretId: state.secretId, versionIds };
    const counted: TargetCount[] = [];
    for (const hook of reencryptionsOf(secret, context)) {
      const report = await hook.count(slice, reencryptPorts(context));
      demandNothingLeft(report, acknowledged, secret.key, ring);
      counted.push(...report.targets);
    }
    return { ...state, keys: heldBy(ring, counted) };
  },
};

/** Data that still needs another key, without the rows that a person has acknowledged. */
export function leftIn({ targets, setAside }: SliceReport, acknowledged: ReadonlySet<string>): number {
  return targets.reduce((sum, { target, left, poisoned }) => {
    // An acknowledged row takes the place of one that was counted, and of no other: it is named once, and only poisoned.
    const mine = setAside.filter((one) => one.target === target && acknowledged.has(rowId(target, one.row)));
    const known = new Set(mine.map(({ row }) => row));
    return sum + left - Math.min(known.size, poisoned, left);
  }, 0);
}

function demandNothingLeft(
  report: SliceReport,
  acknowledged: ReadonlySet<string>,
  key: string,
  ring: RingInUse,
): void {
  if (!report.finished) {
    throw new KeyturnError({
      code: 'ReencryptionFailed',
      message: `The data under ${key} could not be counted to the end within one invocation.`,
      hint: `Count it from a machine that has the time: ${command('reencrypt', key)} --verify.`,
      retryable: true,
    });
  }
  const left = leftIn(report, acknowledged);
  if (left <= 0) return;
  const unknown = report.setAside.filter(({ target, row }) => !acknowledged.has(rowId(target, row)));
  throw new KeyturnError({
    code: 'DataLeft',
    message: `${left} data of ${key} still need another key than the one that they are to be under${byKey(report, ring)}${named(unknown)}.`,
    hint:
      unknown.length === 0
        ? `See what still writes under the other key, then go on: ${command('resume', key)}.`
        : `Repair or remove each of them, or acknowledge it (${command('acknowledge', key)}), then go on: ${command('resume', key)}.`,
    retryable: true,
  });
}

/** How much lies under each of the other keys, by their ids; empty where the hook does not tell. */
function byKey({ targets }: SliceReport, ring: RingInUse): string {
  const { rows = {} } = heldBy(ring, targets);
  const found = ring.others.flatMap(({ id }) =>
    (rows[id] ?? 0) === 0 ? [] : [`${rows[id]} under the key ${id}`],
  );
  return found.length === 0 ? '' : ` (${found.join(', ')})`;
}

function named(rows: readonly SetAside[]): string {
  if (rows.length === 0) return '';
  const shown = rows.slice(0, mostNamed).map(({ target, row, poison }) => `${target} ${row} (${poison})`);
  const more = rows.length > shown.length ? ` and ${rows.length - shown.length} more` : '';
  return `; cannot be read: ${shown.join(', ')}${more}`;
}
