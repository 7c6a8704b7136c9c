import * as z from 'zod/mini';
import type { Verdict } from '../../contract/hooks.ts';
import type { HttpResponse } from '../../contract/ports.ts';
import { atPointer, parsedJson } from '../json-pointer.ts';

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
  const body = parsedJson(response.body);
  return (
    (answer.present === undefined || atPointer(body, answer.present) !== undefined) &&
    (answer.absent === undefined || atPointer(body, answer.absent) === undefined)
  );
}
