/**
 * The events on the keyturn bus: one table, from which come the schema that they are checked against, the rules
 * that tell people, and the README.
 *
 * Not events: a rollout that has begun (`Rotation Finished` says so), each stage (its time is a metric, its
 * place in the execution's history), and a rollout that a later one took over (which ends in an event itself).
 */
import * as z from 'zod/mini';

/** The `source` of every event of ours. */
export const eventSource = 'keyturn';

/** Members that some events have and others have not. */
type Optional = 'code' | 'reason' | 'works' | 'next';

export interface EventDescription {
  /** What has happened, for the README. */
  readonly means: string;
  /** The step or stage that sends it. */
  readonly sentBy: string;
  /**
   * `progress`: nobody is told. `success`: people are told. `failure`: people are told and one of them has to do
   * something.
   */
  readonly severity: 'progress' | 'success' | 'failure';
  /** The optional members of its detail; it has all of them, always, since the notifications name them. */
  readonly has: readonly Optional[];
}

/** What happened, as `detail-type` says it. */
export const eventTypes = {
  'Rotation Finished': {
    means: 'AWSCURRENT has moved to the new version; its rollout begins',
    sentBy: 'the step finish',
    severity: 'progress',
    has: [],
  },
  'Rotation Failed': {
    means: 'a step failed; Secrets Manager tries the rotation again a few times, each with its event',
    sentBy: 'any step',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Rollout Completed': {
    means: 'every consumer runs with the new value, and the old one is dead as far as it can be probed',
    sentBy: 'the stage complete',
    severity: 'success',
    has: ['reason'],
  },
  'Rollout Rolled Back': {
    means: 'the consumers did not become healthy with the new value and run with the previous one again',
    sentBy: 'the stage rolled-back',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Rollout Stalled': {
    means: 'the rollout cannot go forward and has stopped safely',
    sentBy: 'the stage stall, and the reconciler once a day while it lasts',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Rollout Late': {
    means: 'the rollout runs longer than any should',
    sentBy: 'the reconciler, once a day while it lasts',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Rotation Stuck': {
    means: 'a version has been pending for six hours and keeps the secret from rotating',
    sentBy: 'the reconciler, once a day while it lasts',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Rotation Dropped': {
    means: 'a pending value that was rejected again and again was dropped; the next rotation makes a new one',
    sentBy: 'the reconciler',
    severity: 'success',
    has: ['code', 'reason'],
  },
  'Rotation Overdue': {
    means: 'the secret has not rotated in its window, or its rotation is switched off',
    sentBy: 'the reconciler, once a day while it lasts',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Supply Due': {
    means: 'a person should supply a new value',
    sentBy: 'the reconciler, once a week while it lasts',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
  'Secret Edited': {
    means: 'somebody made a value current by hand; no consumer is restarted for it',
    sentBy: 'the reconciler, once for a version',
    severity: 'failure',
    has: ['code', 'reason', 'works', 'next'],
  },
} as const satisfies Record<string, EventDescription>;

export type DetailType = keyof typeof eventTypes;

/** Most characters of a text for people: EventBridge and e-mail have room, a reader's patience has not. */
const longestText = 900;

/**
 * Text that may stand in an event: one line, without the characters that a template of EventBridge could take
 * for its own. The user guide ("Amazon EventBridge input transformation") says that variables are not escaped
 * in every place, and not what becomes of a quotation mark inside of a text: so there are none.
 */
const Text = z.string().check(z.minLength(1), z.maxLength(longestText), z.regex(/^[^"\\<>\p{Cc}]+$/u));

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
  /**
   * Of a rotation whose target knows one value only: for how many seconds what was current did not work there, at
   * most. Left out: it always did, or a repeated step could not tell.
   */
  gapSeconds: z.optional(z.number()),
  /** The step or stage that the event tells of. */
  at: z.string(),
  /** The error's code, for events that tell of a failure. */
  code: z.optional(Text),
  /** For rollouts that redeploy instances: how many are confirmed and how many are not, the first 20 of these by id. */
  instances: z.optional(z.object({ confirmed: z.int(), failed: z.int(), failedIds: z.array(z.string()) })),
  /** What happened, in sentences for a person. */
  reason: z.optional(Text),
  /** What still works, in a sentence. */
  works: z.optional(Text),
  /** The one command to go on. */
  next: z.optional(Text),
});
export type EventDetail = z.infer<typeof EventDetail>;

export interface KeyturnEvent {
  readonly type: DetailType;
  readonly detail: EventDetail;
}

/** An event whose texts are fit for every reader: what every sender makes its events with. */
export function keyturnEvent(type: DetailType, detail: EventDetail): KeyturnEvent {
  const texts = Object.fromEntries(
    (['code', 'reason', 'works', 'next'] as const).flatMap((member) => {
      const text = detail[member];
      return text === undefined ? [] : [[member, plain(text)]];
    }),
  );
  return { type, detail: { ...detail, ...texts } };
}

/** What is wrong with an event, as the path of the first member that does not fit; null: nothing. */
export function flawOf({ type, detail }: KeyturnEvent): string | null {
  const result = EventDetail.safeParse(detail);
  if (!result.success) return result.error.issues[0]?.path.join('.') ?? 'detail';
  const has: readonly Optional[] = eventTypes[type].has;
  const wrong = (['code', 'reason', 'works', 'next'] as const).find(
    (member) => has.includes(member) !== (detail[member] !== undefined),
  );
  return wrong ?? null;
}

/** The types of events that people are told of. */
export function typesToTell(severity: 'success' | 'failure'): DetailType[] {
  return (Object.keys(eventTypes) as DetailType[]).filter((type) => eventTypes[type].severity === severity);
}

/** The same text for the eye, as `Text` demands it. */
function plain(text: string): string {
  const line = text
    .replaceAll(/["“”]/g, "'")
    .replaceAll('\\', '/')
    .replaceAll('<', '(')
    .replaceAll('>', ')')
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  if (line === '') return 'not said';
  return line.length > longestText ? `${line.slice(0, longestText - 1)}…` : line;
}
