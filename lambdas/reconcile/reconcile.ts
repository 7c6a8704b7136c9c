import * as z from 'zod/mini';
import { KeyturnError } from '../contract/errors.ts';
import type { ReconcileContext } from './context.ts';
import { ObservedFailure, reportObservedFailure } from './observed-failure.ts';
import { countRejection, Rejection } from './rejection.ts';
import { sweep } from './sweep.ts';

/** What the schedule sends. */
export const sweepInput = { reconcile: 'sweep' } as const;
const Sweep = z.object({ reconcile: z.literal(sweepInput.reconcile) });

/**
 * What the reconciler is invoked for: a sweep, a rejected value, or a rotation that another service failed. Both may be doubled, late, or beside another.
 *
 * @throws KeyturnError EventInvalid for anything else.
 */
export async function reconcile(event: unknown, context: ReconcileContext): Promise<void> {
  if (Sweep.safeParse(event).success) {
    await sweep(context);
    return;
  }
  const failure = ObservedFailure.safeParse(event);
  if (failure.success) return reportObservedFailure(failure.data, context);
  const rejection = Rejection.safeParse(event);
  if (rejection.success) return countRejection(rejection.data, context);
  throw new KeyturnError({
    code: 'EventInvalid',
    message: `The event must be that of the schedule or a "Rotation Failed"; it does not fit at "${rejection.error.issues[0]?.path.join('.') ?? ''}".`,
    hint: `To sweep by hand, invoke the function with ${JSON.stringify(sweepInput)}.`,
  });
}
