import * as z from 'zod/mini';
import { Phase } from './document.ts';
import { KeyturnError } from './errors.ts';
import { KeyRange } from './ranges.ts';
import { SetAside, TargetCount } from './reencryption.ts';

/** What Catch puts into the state of a rollout whose stage failed for good. */
export const RolloutFailure = z.object({ Error: z.string(), Cause: z.optional(z.string()) });
export type RolloutFailure = z.infer<typeof RolloutFailure>;

/** How far the stored data is: counts, names and positions, never a value. */
export const ReencryptionState = z.strictObject({
  /** False: the stage runs again, on this state. */
  finished: z.boolean(),
  /** Index of the hook that works now. */
  hook: z.int().check(z.minimum(0)),
  /** Where that hook goes on; null: from its beginning. */
  cursor: z.nullable(z.string()),
  /** Slices so far. */
  slices: z.int(),
  targets: z.array(TargetCount),
  /** The first ones; the counts of the targets tell how many there are. */
  setAside: z.array(SetAside),
  /** Index of the hook that was asked for ranges last. Default: none was. */
  divided: z.optional(z.int()),
  /** What the ranges of that hook came to, by target. Default: it had none. */
  ranges: z.optional(
    z.array(
      z.strictObject({
        target: z.string(),
        swept: z.int(),
        /** Ranges that failed for good: their rows are moved by the hook itself. */
        failed: z.int(),
        moved: z.int(),
        /** Name of a failed range's error. */
        code: z.optional(z.string()),
      }),
    ),
  ),
});
export type ReencryptionState = z.infer<typeof ReencryptionState>;

/** Where no slice has run. */
export const notBegun: ReencryptionState = {
  finished: false,
  hook: 0,
  cursor: null,
  slices: 0,
  targets: [],
  setAside: [],
};

/** How far the count of what is left is. */
export const CountState = z.strictObject({
  /** False: the stage runs again, on this state. */
  finished: z.boolean(),
  /** What is counted, and since when. A count of other keys, or of another attempt, is begun anew. */
  versionId: z.string(),
  rolledBackFrom: z.nullable(z.string()),
  attempt: z.int(),
  startedAt: z.string(),
  /** Index of the hook that counts now. */
  hook: z.int().check(z.minimum(0)),
  /** Where that hook goes on; null: from its beginning. */
  cursor: z.nullable(z.string()),
  slices: z.int(),
  targets: z.array(
    z.strictObject({
      hook: z.int(),
      target: z.string(),
      left: z.int(),
      poisoned: z.int(),
      under: z.optional(z.record(z.string(), z.int())),
      /** Of the poisoned ones, those that a person has acknowledged, by `rowId`. */
      acknowledged: z.array(z.string()),
    }),
  ),
  /** The first ones that are not acknowledged. */
  setAside: z.array(SetAside),
});
export type CountState = z.infer<typeof CountState>;
/** Which keys the document of a version holds: their ids (`keyId`), never a key. */
export const KeysHeld = z.strictObject({
  /** The key with which the consumers write. */
  write: z.string(),
  /** The other keys that data may be under. */
  others: z.array(z.string()),
  /** Rows by the id of the key that they are under, as they were counted last. Left out: nothing has told. */
  rows: z.optional(z.record(z.string(), z.int())),
});
export type KeysHeld = z.infer<typeof KeysHeld>;

/** An id as it may stand in a state, a sentence and a path: no slash, no dot first, nothing to escape. */
export const InstanceId = z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/));

/** How it went with one instance. */
export const InstanceResult = z.strictObject({
  id: InstanceId,
  outcome: z.enum([
    /** Redeployed by this execution, and confirmed. */
    'renewed',
    /** Was confirmed already when it was looked at. */
    'found',
    /** The platform does not have it any more. */
    'gone',
    /** Failed in every try; `code` tells the last error's name. */
    'failed',
  ]),
  /** Invocations that it took. Left out for failed ones: all that the plan's table gives to their error. */
  attempts: z.optional(z.int()),
  code: z.optional(z.string()),
});
export type InstanceResult = z.infer<typeof InstanceResult>;

const identity = {
  schema: z.literal(1),
  secretId: z.string(),
  /** The version that this rollout brings to the consumers. */
  versionId: z.string(),
  /** The version that was current before; null for a secret's first value. */
  previousVersionId: z.nullable(z.string()),
  /** The version that was given up, once the rollout has been rolled back. */
  rolledBackFrom: z.optional(z.string()),
  plan: z.string(),
  /** ISO 8601: when AWSCURRENT moved. A consumer counts as renewed only if it started after this. */
  publishedAt: z.string(),
  /** 1 for the first execution of this rollout; more when it was resumed. Default: 1. */
  attempt: z._default(z.int().check(z.minimum(1)), 1),
};

/** A range on its way: the input and output of each of its slices. */
export const RangeItem = z.strictObject({
  /** False: the range has another slice, on this state. */
  finished: z.boolean(),
  /** Index of the hook that moves it. */
  hook: z.int().check(z.minimum(0)),
  range: KeyRange,
  /** Where the hook goes on; null: from the range's beginning. */
  cursor: z.nullable(z.string()),
  moved: z.int(),
  slices: z.int(),
  /** What tells secret and versions, and no list. */
  rollout: z.strictObject(identity),
});
export type RangeItem = z.infer<typeof RangeItem>;

/** How it went with a range. */
export const RangeResult = z.strictObject({
  target: z.string(),
  outcome: z.enum(['swept', 'failed']),
  moved: z.int(),
  /** The last error's name. */
  code: z.optional(z.string()),
});
export type RangeResult = z.infer<typeof RangeResult>;

/**
 * What a rollout carries from stage to stage: the input and output of every state. Step Functions keeps it
 * for 90 days in clear, so it holds ids, times and counts, and nothing else.
 */
export const RolloutState = z.strictObject({
  ...identity,
  /** Where a roll-back leads. Left out: to `previousVersionId`. */
  lastProvenVersionId: z.optional(z.string()),
  /** Seconds that the old value is still held. */
  holdSeconds: z.optional(z.int().check(z.minimum(0))),
  /** Where the sessions at the target stood before the consumers restarted: a number and a server's name. */
  sessionMark: z.optional(z.nullable(z.string())),
  /** Consumers that the redeploy stage found healthy and younger than the version. */
  consumersRenewed: z.optional(z.int()),
  /** The ids of the platform's instances; after they were renewed, how it went with each. */
  instances: z.optional(z.union([z.array(InstanceId), z.array(InstanceResult)])),
  /** Instances that hold a token of the new key, once they were counted. */
  instancesConfirmed: z.optional(z.int()),
  /** Whether the old value was probed and refused; null when nothing can probe it. */
  oldValueRefused: z.optional(z.nullable(z.boolean())),
  /** The phase that this rollout published last, or found. Left out: none yet. */
  phase: z.optional(Phase),
  /** The data keys of `versionId`, once a stage has read them. Left out: none has, or there are none. */
  keys: z.optional(KeysHeld),
  /** How far the stored data is moved; left out where the plan moves none. */
  reencryption: z.optional(ReencryptionState),
  /** The ranges of a large target; after they were swept, how it went with each. */
  ranges: z.optional(z.union([z.array(RangeItem), z.array(RangeResult)])),
  /** How many of them are swept at once. */
  rangesAtOnce: z.optional(z.int().check(z.minimum(1))),
  /** How far what is left is counted; left out where no count has begun since the consumers were verified. */
  count: z.optional(CountState),
  /** True: an operator asked this rollout to go back, by its plan's own way. Default: it goes forward. */
  goBack: z.optional(z.boolean()),
  /** Why the rollout left its way. */
  failure: z.optional(RolloutFailure),
});
export type RolloutState = z.infer<typeof RolloutState>;

/** The input of a stage that runs once for each id. */
export const ItemState = z.strictObject({
  id: InstanceId,
  /** Tries before this one. */
  retries: z.int(),
  rollout: RolloutState,
});
export type ItemState = z.infer<typeof ItemState>;

/** The members of the state that every item is given: what tells secret and versions, and no list. */
export const itemMembers = [
  'schema',
  'secretId',
  'versionId',
  'previousVersionId',
  'plan',
  'publishedAt',
  'attempt',
] as const satisfies readonly (keyof RolloutState)[];

/** What an item of ranges is told of its rollout. */
export function identityOf(state: RolloutState): RangeItem['rollout'] {
  const { schema, secretId, versionId, previousVersionId, rolledBackFrom, plan, publishedAt, attempt } =
    state;
  const back = rolledBackFrom === undefined ? {} : { rolledBackFrom };
  return { schema, secretId, versionId, previousVersionId, ...back, plan, publishedAt, attempt };
}

/** @throws KeyturnError EventInvalid, naming the field. */
export function parseRangeItem(input: unknown): RangeItem {
  return parsed(RangeItem, input);
}

/** @throws KeyturnError EventInvalid, naming the field. */
export function parseItemState(input: unknown): ItemState {
  return parsed(ItemState, input);
}

/** The results in a state, or none: before the map its member holds ids. */
export function resultsOf({ instances }: RolloutState): readonly InstanceResult[] {
  return (instances ?? []).filter((one) => typeof one !== 'string');
}

/** @throws KeyturnError EventInvalid, naming the field. */
export function parseRolloutState(input: unknown): RolloutState {
  return parsed(RolloutState, input);
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
