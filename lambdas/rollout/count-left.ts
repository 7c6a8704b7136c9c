import { command } from '../contract/commands.ts';
import { KeyturnError } from '../contract/errors.ts';
import { acknowledgedRows, rowId, type SliceReport } from '../contract/reencryption.ts';
import { type CountState, parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import { isFurther, together } from '../contract/slices.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { heldBy, type RingInUse, reencryptionsOf, reencryptPorts, ringOf } from './data-keys.ts';
import { secretOf } from './secret-of.ts';

/** Rows that a message names. */
const mostNamed = 5;

/** Milliseconds that another hook's count should have at least; with less it is begun in the next slice. */
const leastTime = 60_000;

/**
 * The evidence that a key may go: every hook looks at all the data again, in as many slices as it takes. What cannot
 * be read counts as left until a person has acknowledged it, row by row.
 *
 * A count is of one version, one attempt and one moment at which it began, and its cursors are of no other: what was
 * counted before the consumers were verified, or under other keys, never stands for data that was not looked at.
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
    let count = begun(state, context.ports.clock.now());
    if (state.previousVersionId === null) return { ...state, count: ended(count) };
    const secret = secretOf(context, state);
    const { tags } = await context.ports.secrets.describe(state.secretId);
    const acknowledged = acknowledgedRows(tags);
    const ring = await ringOf(state, secret, context);
    const { versionIds } = ring;
    const hooks = reencryptionsOf(secret, context);
    const ports = reencryptPorts(context);
    const about = {
      ...{ ring, dryRun: true, secretId: state.secretId, versionIds },
      ...{ acknowledged, work: workOf(count) },
    };
    const { hook: first } = count;
    for (let hook = hooks[first]; hook !== undefined; hook = hooks[count.hook]) {
      if (count.hook > first && ports.remaining() < leastTime) return { ...state, count };
      const report = await hook.count({ ...about, cursor: count.cursor }, ports);
      if (!isFurther(report, count.cursor)) throw notToTheEnd(secret.key);
      count = added(count, report, acknowledged);
      if (!report.finished) return { ...state, count };
    }
    demandNothingLeft(count, secret.key, ring);
    return { ...state, keys: heldBy(ring, count.targets), count: ended(count) };
  },
};

/** Where the count stands, if it is this very one. */
function begun(state: RolloutState, now: Date): CountState {
  const { count, versionId, attempt } = state;
  const rolledBackFrom = state.rolledBackFrom ?? null;
  const isSame =
    count?.versionId === versionId && count.rolledBackFrom === rolledBackFrom && count.attempt === attempt;
  if (count !== undefined && isSame && !count.finished) return count;
  return {
    finished: false,
    versionId,
    rolledBackFrom,
    attempt,
    startedAt: now.toISOString(),
    hook: 0,
    cursor: null,
    slices: 0,
    targets: [],
    setAside: [],
  };
}

function workOf({ versionId, rolledBackFrom, attempt, startedAt }: CountState): string {
  return JSON.stringify([versionId, rolledBackFrom, attempt, startedAt]);
}

/** Nothing was left: there is nothing to tell but that. */
function ended(count: CountState): CountState {
  return { ...count, finished: true, cursor: null, targets: [], setAside: [] };
}

/** Two hooks may call a target by one name: each counts for itself. */
function added(before: CountState, report: SliceReport, acknowledged: ReadonlySet<string>): CountState {
  const targets = new Map(before.targets.map((one) => [`${one.hook} ${one.target}`, one]));
  for (const { target, left, poisoned, under } of report.targets) {
    const name = `${before.hook} ${target}`;
    const ids = report.setAside.flatMap((one) => (one.target === target ? rowId(target, one.row) : []));
    const known = new Set(targets.get(name)?.acknowledged);
    for (const id of ids) if (acknowledged.has(id)) known.add(id);
    const counts = { hook: before.hook, target, left, poisoned, ...(under === undefined ? {} : { under }) };
    targets.set(name, { ...counts, acknowledged: [...known] });
  }
  const open = report.setAside.filter(({ target, row }) => !acknowledged.has(rowId(target, row)));
  const { setAside } = together({ targets: [], setAside: before.setAside }, { targets: [], setAside: open });
  return {
    ...before,
    hook: report.finished ? before.hook + 1 : before.hook,
    cursor: report.finished ? null : report.cursor,
    slices: before.slices + 1,
    targets: [...targets.values()],
    setAside: setAside.slice(0, mostNamed),
  };
}

function notToTheEnd(key: string): KeyturnError {
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message: `The count of the data under ${key} did not get any further within one invocation.`,
    hint: `Count it from a machine that has the time: ${command('reencrypt', key)} --verify.`,
    retryable: true,
  });
}

function demandNothingLeft({ targets, setAside }: CountState, key: string, ring: RingInUse): void {
  // An acknowledged row takes the place of one that was counted, and of no other: it is named once, and only poisoned.
  const sums = targets.map(({ left, poisoned, acknowledged }) => {
    const known = Math.min(acknowledged.length, poisoned, left);
    return { left: left - known, unread: Math.min(poisoned, left) - known };
  });
  const left = sums.reduce((sum, one) => sum + one.left, 0);
  if (left <= 0) return;
  const unread = Math.max(
    setAside.length,
    sums.reduce((sum, one) => sum + one.unread, 0),
  );
  throw new KeyturnError({
    code: 'DataLeft',
    message: `${left} data of ${key} still need another key than the one that they are to be under${byKey(targets, ring)}${named(setAside, unread)}.`,
    hint:
      setAside.length === 0
        ? `See what still writes under the other key, then go on: ${command('resume', key)}.`
        : `Repair or remove each of them, or acknowledge it (${command('acknowledge', key)}), then go on: ${command('resume', key)}. All of them: ${command('reencrypt', key)} --verify.`,
    retryable: true,
  });
}

/** How much lies under each of the other keys, by their ids; empty where no hook tells. */
function byKey(targets: CountState['targets'], ring: RingInUse): string {
  const { rows = {} } = heldBy(ring, targets);
  const found = ring.others.flatMap(({ id }) =>
    (rows[id] ?? 0) === 0 ? [] : [`${rows[id]} under the key ${id}`],
  );
  return found.length === 0 ? '' : ` (${found.join(', ')})`;
}

/** @param all how many there are. */
function named(rows: CountState['setAside'], all: number): string {
  if (rows.length === 0) return '';
  const shown = rows.map(({ target, row, poison }) => `${target} ${row} (${poison})`);
  const more = all > shown.length ? ` and ${all - shown.length} more` : '';
  return `; cannot be read: ${shown.join(', ')}${more}`;
}
