import { command } from '../contract/commands.ts';
import { parseDocument } from '../contract/document.ts';
import { KeyturnError } from '../contract/errors.ts';
import {
  acknowledgedRows,
  type BoundReencryption,
  type ReencryptPorts,
  rowId,
  type Slice,
  type SliceReport,
} from '../contract/reencryption.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import { isFurther } from '../contract/slices.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { dataKeysOf } from './class-of.ts';
import { documentOf, joined, type RingInUse, reencryptionsOf, reencryptPorts } from './data-keys.ts';
import { secretOf } from './secret-of.ts';

/** Milliseconds that another slice should have at least. */
const leastTime = 60_000;

/**
 * A value was made current by hand while the consumers are stopped. They are started with it only when all data is
 * under its key; else they would meet data that they cannot read, and write more that nobody else can. Then the
 * rollout stalls, the consumers stay stopped, and the mark on the secret lets the reconciler tell it every day.
 */
export const stage: StageDefinition = {
  id: 'hand-over',
  secretActions: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  asksClass: true,
  reencrypts: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const { secrets, clock } = context.ports;
    const secret = secretOf(context, state);
    const description = await secrets.describe(state.secretId);
    const current = [...description.labels].find(([, labels]) => labels.includes('AWSCURRENT'))?.[0] ?? null;
    if (current === null || current === state.versionId) {
      throw stopped(
        secret,
        state,
        `Version ${state.versionId} is current again, and its rollout had stopped.`,
      );
    }
    const ring = await ringAcross(state, current, secret, context);
    const { versionIds } = ring;
    const slice = { ring, dryRun: true, secretId: state.secretId, versionIds };
    const acknowledged = acknowledgedRows(description.tags);
    for (const hook of reencryptionsOf(secret, context)) {
      const report = await counted(hook, slice, reencryptPorts(context));
      const left = leftIn(report, acknowledged);
      if (report.finished && left <= 0) continue;
      const what = report.finished ? `${left} data are` : 'data may be';
      throw stopped(
        secret,
        state,
        `Version ${current} of ${secret.key} was made current by hand, and ${what} under another key than its own (${ring.inUse}).`,
      );
    }
    const { schema, secretId, plan, attempt } = state;
    return {
      ...{ schema, secretId, plan, attempt },
      versionId: current,
      previousVersionId: state.versionId,
      publishedAt: clock.now().toISOString(),
    };
  },
};

/**
 * Slice after slice, in this one invocation: nobody is served meanwhile, and the state of a rollout that was given up
 * is kept as it is. Data that one invocation cannot count are said to be unknown.
 *
 * @returns what the last slice counted, with the rows that all of them set aside.
 */
async function counted(
  hook: BoundReencryption,
  slice: Omit<Slice, 'cursor'>,
  ports: ReencryptPorts,
): Promise<SliceReport> {
  const setAside: SliceReport['setAside'][number][] = [];
  let cursor: string | null = null;
  for (;;) {
    const report: SliceReport = await hook.count({ ...slice, cursor }, ports);
    setAside.push(...report.setAside);
    if (report.finished || ports.remaining() < leastTime || !isFurther(report, cursor)) {
      return { ...report, setAside };
    }
    cursor = report.cursor;
  }
}

/** The key of what is current now, before every key that this rollout knows. */
async function ringAcross(
  state: RolloutState,
  current: string,
  secret: SecretSettings,
  { ports }: StageContext,
): Promise<RingInUse> {
  const data = dataKeysOf(secret, ports);
  const version = await ports.secrets.read(state.secretId, current);
  const { write } = data.ring(parseDocument(version.value, `The current value of ${secret.key}`), true);
  const known = data.ring(await documentOf(state, state.versionId, ports.secrets), true);
  return { ...joined({ write, others: [] }, known), inUse: write.id, versionIds: [current, state.versionId] };
}

function stopped({ key }: SecretSettings, { versionId }: RolloutState, what: string): KeyturnError {
  return new KeyturnError({
    code: 'ConsumersStopped',
    message: `${what} The consumers of ${key} are stopped and stay so. Version ${versionId} holds every key that the data is under.`,
    hint: `To go back to the key before: ${command('resume', key)}. To complete the rotation: first move AWSCURRENT to that version.`,
  });
}

/** Data that still needs another key, without the rows that a person has acknowledged. */
function leftIn({ targets, setAside }: SliceReport, acknowledged: ReadonlySet<string>): number {
  return targets.reduce((sum, { target, left, poisoned }) => {
    // An acknowledged row takes the place of one that was counted, and of no other: it is named once, and only poisoned.
    const mine = setAside.filter((one) => one.target === target && acknowledged.has(rowId(target, one.row)));
    const known = new Set(mine.map(({ row }) => row));
    return sum + left - Math.min(known.size, poisoned, left);
  }, 0);
}
