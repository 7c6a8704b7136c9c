import * as z from 'zod/mini';
import { EventDetail } from '../contract/events.ts';
import { rejectedTag } from '../contract/marks.ts';
import { secretOfArn } from '../contract/settings.ts';
import type { ReconcileContext } from './context.ts';
import { versionsOf } from './labels.ts';

/** A `Rotation Failed` event as EventBridge delivers it; doubles have the same id. */
export const Rejection = z.object({
  id: z.string(),
  'detail-type': z.literal('Rotation Failed'),
  detail: EventDetail,
});
export type Rejection = z.infer<typeof Rejection>;

/** The one failure that the same value meets at every try. Whatever else fails may pass by itself. */
const rejecting = 'ValueRejected';

/**
 * Counts a rejection of a pending value on the secret itself. A lost event, or two at the same instant, leave
 * the count too low: the value is then dropped later. It is never too high but by a double that does not
 * follow its first at once, and what is dropped is proven not to be in use whatever the count.
 */
export async function countRejection(
  { id, detail }: Rejection,
  { settings, self, ports }: ReconcileContext,
): Promise<void> {
  const { secretId, versionId, code } = detail;
  if (code !== rejecting || secretOfArn(settings, secretId, self) === undefined) return;
  const seen = await ports.fleet.look(secretId);
  // A preflight's copy, or a rotation that is over by now: nothing is left to count for.
  if (versionsOf(seen).pending !== versionId) return;
  const [version, count, last] = (seen.tags.get(rejectedTag) ?? '').split(' ');
  if (version === versionId && last === id) return;
  const before = version === versionId ? Number(count) || 0 : 0;
  await ports.fleet.tag(secretId, new Map([[rejectedTag, `${versionId} ${before + 1} ${id}`]]));
}
