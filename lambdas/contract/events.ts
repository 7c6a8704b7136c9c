import * as z from 'zod/mini';

/** The `source` of every event of ours. */
export const eventSource = 'keyturn';

/** What happened, as `detail-type` says it. */
export const detailTypes = [
  'Rotation Finished',
  'Rotation Failed',
  'Rollout Completed',
  'Rollout Rolled Back',
  'Rollout Stalled',
] as const;
export type DetailType = (typeof detailTypes)[number];

/** The detail of every event of ours: names, ids, codes and sentences; never a value. */
export const EventDetail = z.object({
  schema: z.literal(1),
  deployment: z.string(),
  platform: z.string(),
  /** The secret's key in the deployment file. */
  secret: z.string(),
  secretId: z.string(),
  versionId: z.string(),
  /** The version that was current before; null for a secret's first value. */
  previousVersionId: z.nullable(z.string()),
  /**
   * The youngest version that consumers are known to run with: where a roll-back leads. It is the previous one,
   * unless rotations followed each other faster than their rollouts. Left out: the previous one.
   */
  lastProvenVersionId: z.optional(z.string()),
  class: z.string(),
  plan: z.string(),
  /** ISO 8601: when AWSCURRENT moved to `versionId`. Null where it did not. */
  publishedAt: z.nullable(z.string()),
  /** The step or stage that the event tells of. */
  at: z.string(),
  /** The error's code, for events that tell of a failure. */
  code: z.optional(z.string()),
  /** For rollouts that redeploy instances: how many are confirmed and how many are not, the first 20 of these by id. */
  instances: z.optional(z.object({ confirmed: z.int(), failed: z.int(), failedIds: z.array(z.string()) })),
  /** One sentence for a person. */
  reason: z.optional(z.string()),
});
export type EventDetail = z.infer<typeof EventDetail>;

export interface KeyturnEvent {
  readonly type: DetailType;
  readonly detail: EventDetail;
}
