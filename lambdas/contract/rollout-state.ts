import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';

/**
 * What a rollout carries from stage to stage: the input and output of every state. Step Functions keeps it
 * for 90 days in clear, so it holds ids, times and counts, and nothing else.
 */
export const RolloutState = z.strictObject({
  schema: z.literal(1),
  secretId: z.string(),
  versionId: z.string(),
  /** The version that was current before; null for a secret's first value. */
  previousVersionId: z.nullable(z.string()),
  plan: z.string(),
  /** ISO 8601: when AWSCURRENT moved. A consumer counts as renewed only if it started after this. */
  publishedAt: z.string(),
  /** Consumers that the redeploy stage found healthy and younger than the version. */
  consumersRenewed: z.optional(z.int()),
  /** Whether the old value was probed and refused; null when nothing can probe it. */
  oldValueRefused: z.optional(z.nullable(z.boolean())),
});
export type RolloutState = z.infer<typeof RolloutState>;

/** What Catch hands to the stage that ends a rollout badly. */
export const RolloutFailure = z.object({ Error: z.string(), Cause: z.optional(z.string()) });
export type RolloutFailure = z.infer<typeof RolloutFailure>;

/** The state with what Catch put beside it. */
export const FailedRollout = z.strictObject({ ...RolloutState.shape, failure: RolloutFailure });
export type FailedRollout = z.infer<typeof FailedRollout>;

/** @throws KeyturnError EventInvalid, naming the field. */
export function parseRolloutState(input: unknown): RolloutState {
  return parsed(RolloutState, input);
}

/** @throws KeyturnError EventInvalid, naming the field. */
export function parseFailedRollout(input: unknown): FailedRollout {
  return parsed(FailedRollout, input);
}

function parsed<T>(schema: z.ZodMiniType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'EventInvalid',
    message: `The rollout's input does not fit at "${result.error.issues[0]?.path.join('.') ?? ''}".`,
    hint: 'Start rollouts through their event, not by hand.',
  });
}
