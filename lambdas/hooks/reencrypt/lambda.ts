import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';
import {
  defineReencrypt,
  mostSetAside,
  type ReencryptPorts,
  type Slice,
  SliceReport,
} from '../../contract/reencryption.ts';
import { isName, shownName } from './names.ts';

/** What the function is told: ids only. It reads the values itself, with its own role. */
export interface ReencryptEvent {
  readonly schema: 1;
  /** `count`: look at everything again and change nothing. */
  readonly do: 'reencrypt' | 'count';
  /** Full ARN. */
  readonly secretArn: string;
  /**
   * Versions of it that together hold every key that data may be under, the one with the key that data is to be under
   * first. To be read by these ids: AWSPREVIOUS may be on another version by now.
   */
  readonly versionIds: readonly string[];
  /** The key that data is to be under, and those that it may be under: see `keyId` in `lambdas/contract/ciphers.ts`. */
  readonly writeKeyId: string;
  readonly otherKeyIds: readonly string[];
  /** As the function answered it; null for the first slice. */
  readonly cursor: string | null;
  /** True: tell what would be done, and change nothing. */
  readonly dryRun: boolean;
  /** Milliseconds within which it must have answered; what is left then is for the next slice. */
  readonly remaining: number;
}

/** What an invocation gave. */
export type Invoked =
  | { readonly ok: true; readonly payload: unknown }
  /** The function threw, timed out or ran out of memory; what it says is left out, since it may quote a value. */
  | { readonly ok: false };

export interface ReencryptFunctions {
  /** @throws KeyturnError HookUnreachable (retryable) when there is no answer within `deadline` milliseconds. */
  invoke(name: string, event: ReencryptEvent, deadline: number): Promise<Invoked>;
}

const Hook = z.strictObject({
  kind: z.literal('lambda'),
  /** Name of the function, with `:alias` or `:version` where one is meant. */
  function: z
    .string()
    .check(
      z.regex(
        /^[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,128})?$/,
        'must be the name of a function, with or without alias',
      ),
    ),
});
type Hook = z.infer<typeof Hook>;

/** Most targets of an answer: they travel in the rollout's state. */
const mostTargets = 100;
/** Milliseconds that are kept for reading the answer. */
const margin = 2_000;

/**
 * A function of the team that moves the data. It gets a `ReencryptEvent` and answers with a `SliceReport`: counts of
 * the whole run, not of the slice alone, which it carries in its cursor. It may be killed, and invoked again with a
 * cursor that it has had already, also while a former invocation still runs: it must compare what it replaces, and
 * never overwrite what it did not read.
 *
 * Its names are held to the form of ids; a target of another form is refused, a row of another form is shown by a
 * digest.
 */
export const hook = defineReencrypt<Hook, ReencryptFunctions>({
  kind: 'lambda',
  hook: Hook,

  check: () => null,

  statements: ({ function: name }) => [
    {
      actions: ['lambda:InvokeFunction'],
      resources: [`arn:{partition}:lambda:{region}:{account}:function:${name}`],
    },
  ],
  credentials: () => [],

  run: (hook, slice, functions, ports) => invoked(hook, slice, 'reencrypt', functions, ports),
  count: (hook, slice, functions, ports) => invoked(hook, slice, 'count', functions, ports),
});

/** Slice after slice, while there is time for another one as long as the last. */
async function invoked(
  { function: name }: Hook,
  slice: Slice,
  work: ReencryptEvent['do'],
  functions: ReencryptFunctions,
  { clock, remaining, progress }: ReencryptPorts,
): Promise<SliceReport> {
  let report: SliceReport = { finished: false, cursor: slice.cursor, targets: [], setAside: [] };
  for (;;) {
    const began = clock.now().getTime();
    const deadline = Math.max(1, remaining() - margin);
    const event = eventOf(slice, work, report.cursor, deadline);
    const answer = await functions.invoke(name, event, deadline);
    const next = joined(report, reportOf(name, answer));
    const stands = next.cursor === report.cursor;
    report = next;
    progress(report);
    const took = clock.now().getTime() - began;
    // A cursor that does not move would be asked about without end: the state machine waits in between.
    if (report.finished || stands || remaining() < 2 * took + margin) return report;
  }
}

function eventOf(
  { ring, secretId, versionIds, dryRun }: Slice,
  work: ReencryptEvent['do'],
  cursor: string | null,
  remaining: number,
): ReencryptEvent {
  return {
    schema: 1,
    do: work,
    secretArn: secretId,
    versionIds,
    writeKeyId: ring.write.id,
    otherKeyIds: ring.others.map(({ id }) => id),
    cursor,
    dryRun: dryRun || work === 'count',
    remaining,
  };
}

/** Counts are of the whole run, so the later ones stand; what was set aside is added. */
function joined(before: SliceReport, next: SliceReport): SliceReport {
  const targets = new Map([...before.targets, ...next.targets].map((count) => [count.target, count]));
  const rows = new Map(
    [...before.setAside, ...next.setAside].map((one) => [`${one.target} ${one.row}`, one]),
  );
  return {
    ...next,
    cursor: next.finished ? null : next.cursor,
    targets: [...targets.values()],
    setAside: [...rows.values()].slice(0, mostSetAside),
  };
}

function reportOf(name: string, answer: Invoked): SliceReport {
  if (!answer.ok) {
    throw failed(`The function ${name} must end without an error; it failed.`);
  }
  const result = SliceReport.safeParse(answer.payload);
  if (!result.success) {
    // Names of the schema and positions: what the answer calls a member that is not known is no part of it.
    const where = result.error.issues[0]?.path.join('.');
    throw failed(
      `The function ${name} must answer with a report as declared; ${where || 'the whole'} is not.`,
    );
  }
  // Free text is for the function's own log.
  const { notes: _free, ...report } = result.data;
  const { targets, setAside } = report;
  const named = [...targets, ...setAside].every(({ target }) => isName(target));
  const counted = targets.every(
    ({ total, moved, left, poisoned }) =>
      Math.min(total ?? 0, moved, left, poisoned) >= 0 && poisoned <= left,
  );
  if (!named || targets.length > mostTargets) {
    throw failed(
      `The function ${name} must answer with at most ${mostTargets} targets named by ids; it did not.`,
    );
  }
  if (!counted || setAside.some(({ poison }) => !isName(poison))) {
    throw failed(
      `The function ${name} must answer with counts from 0 on, poisoned ones among those left; it did not.`,
    );
  }
  return { ...report, setAside: setAside.map((one) => ({ ...one, row: shownName(one.row) })) };
}

function failed(message: string): KeyturnError {
  return new KeyturnError({
    code: 'ReencryptionFailed',
    message,
    hint: 'See the function’s own log.',
    retryable: true,
  });
}
