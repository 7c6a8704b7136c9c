import * as z from 'zod/mini';
import { KeyturnError } from '../../contract/errors.ts';

/**
 * The state machines that a function may start: plan id -> ARN.
 *
 * @param text KEYTURN_STATE_MACHINES of the environment.
 * @throws KeyturnError SettingsInvalid.
 */
export function machinesOf(text: string | undefined): ReadonlyMap<string, string> {
  const parsed = z
    .record(z.string(), z.string())
    .safeParse(text === undefined ? undefined : JSON.parse(text));
  if (parsed.success) return new Map(Object.entries(parsed.data));
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: 'The environment must have KEYTURN_STATE_MACHINES, a JSON object of plans and ARNs.',
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
