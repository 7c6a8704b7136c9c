import * as z from 'zod/mini';
import type { Verdict } from '../../contract/hooks.ts';
import type { HttpResponse } from '../../contract/ports.ts';

/** What an answer must look like to mean something. */
export const Answer = z.strictObject({
  /** Any of these HTTP statuses. */
  status: z.array(z.int().check(z.minimum(200), z.maximum(499))).check(z.minLength(1)),
  /** JSON pointer (RFC 6901) to a member that the JSON body must have. */
  present: z.optional(z.string().check(z.startsWith('/'))),
  /** JSON pointer to a member that the body must not have. */
  absent: z.optional(z.string().check(z.startsWith('/'))),
});
export type Answer = z.infer<typeof Answer>;

/** The members that say where a probe goes and how its answer is read. */
export const target = {
  /** Whole address. https, or http on a loopback address. Either this or `path`. */
  url: z.optional(z.string()),
  /** Path at the deployment's `url`. */
  path: z.optional(z.string().check(z.startsWith('/'))),
  accepted: Answer,
  refused: Answer,
  /** How often in a row the target must say the same, 1–50: several instances answer in turn. Default: 5. */
  times: z._default(z.int().check(z.minimum(1), z.maximum(50)), 5),
};

/** Reads an answer; one that fits both descriptions or neither proves nothing. */
export function verdictOf(response: HttpResponse, accepted: Answer, refused: Answer): Verdict {
  const yes = fits(response, accepted);
  const no = fits(response, refused);
  if (yes === no) return 'inconclusive';
  return yes ? 'accepted' : 'refused';
}

export function fits(response: HttpResponse, answer: Answer): boolean {
  if (!answer.status.includes(response.status)) return false;
  if (answer.present === undefined && answer.absent === undefined) return true;
  const body = json(response.body);
  return (
    (answer.present === undefined || member(body, answer.present) !== undefined) &&
    (answer.absent === undefined || member(body, answer.absent) === undefined)
  );
}

/** The body as JSON; undefined when it is none. */
export function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a JSON pointer (RFC 6901) leads to; undefined: nothing. */
export function member(value: unknown, pointer: string): unknown {
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>(
      (inner, step) =>
        typeof inner === 'object' && inner !== null && Object.hasOwn(inner, step)
          ? Reflect.get(inner, step)
          : undefined,
      value,
    );
}
