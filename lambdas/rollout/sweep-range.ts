import { parseRangeItem, type RangeItem } from '../contract/rollout-state.ts';
import type { StageDefinition } from '../contract/stage.ts';
import { reencryptionsOf, reencryptPorts, ringOf } from './data-keys.ts';
import { secretOf } from './secret-of.ts';

/**
 * Moves the rows of one range, one slice per invocation; the state machine comes back until `finished`. It may be
 * killed, run twice, or run beside another worker on the same range: a row is written only as it was read.
 */
export const stage: StageDefinition = {
  id: 'sweep-range',
  secretActions: ['secretsmanager:GetSecretValue'],
  readsValues: true,
  putsEvents: false,
  redeploys: false,
  asksClass: true,
  reencrypts: true,

  async run(input, context): Promise<RangeItem> {
    const item = parseRangeItem(input);
    const { cursor, range, rollout } = item;
    const secret = secretOf(context, rollout);
    const hook = reencryptionsOf(secret, context)[item.hook];
    if (hook === undefined) return { ...item, finished: true };
    const ring = await ringOf(rollout, secret, context);
    const { versionIds } = ring;
    const slice = { ring, cursor, dryRun: false, secretId: rollout.secretId, versionIds, range };
    const report = await hook.run(slice, reencryptPorts(context));
    const moved = report.targets.reduce((sum, count) => sum + count.moved, 0);
    context.ports.log({
      message: report.finished ? 'moved a range of the stored data' : 'moved a part of a range',
      secret: secret.key,
      stage: 'sweep-range',
      count: moved,
    });
    return {
      ...item,
      finished: report.finished,
      cursor: report.finished ? null : report.cursor,
      moved,
      slices: item.slices + 1,
    };
  },
};
