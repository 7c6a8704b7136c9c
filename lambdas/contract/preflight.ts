/** A preflight: what a rotation function finds on its way to a server, step by step. It changes nothing. */
import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';

/** What an operator invokes a rotation function with. */
const Wire = z.object({
  keyturn: z.literal('preflight'),
  /** The full ARN. */
  SecretId: z.string().check(z.minLength(20), z.maxLength(2048), z.startsWith('arn:')),
});
export type PreflightEvent = z.infer<typeof Wire>;

/** Each presupposes those before it: the first that fails is the last one of its login. */
export const preflightSteps = {
  read: 'the value can be read, and says where to log in',
  dns: 'the name of the host is resolved',
  tcp: 'a connection opens',
  tls: 'the server is verified by TLS',
  login: 'the server lets the user in',
  test: 'the test of the class passes: its rights, its format',
} as const;
export type PreflightStep = keyof typeof preflightSteps;

/** Addresses, names of users, versions and sentences: never a password, a token or a key. */
const Found = z.strictObject({
  /** Whose: `current value`, `administrator`. */
  of: z.string(),
  step: z.enum(Object.keys(preflightSteps) as [PreflightStep, ...PreflightStep[]]),
  ok: z.boolean(),
  /** What was found, or what is wrong. */
  says: z.string(),
  /** Name of the error; null where there is none. */
  code: z.nullable(z.string()),
  /** What to look at; null: nothing. */
  hint: z.nullable(z.string()),
});
export type Found = z.infer<typeof Found>;

export const PreflightReport = z.strictObject({ steps: z.array(Found) });
export type PreflightReport = z.infer<typeof PreflightReport>;

export function isPreflight(event: unknown): boolean {
  return typeof event === 'object' && event !== null && 'keyturn' in event;
}

/** @throws KeyturnError EventInvalid, naming the field. */
export function parsePreflight(event: unknown): PreflightEvent {
  const result = Wire.safeParse(event);
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'EventInvalid',
    message: `The event of a preflight must have ${result.error.issues[0]?.path.join('.') || 'another shape'} as its schema says.`,
  });
}

export function passed(of: string, step: PreflightStep, says: string): Found {
  return { of, step, ok: true, says, code: null, hint: null };
}

/** @param caught what is not ours is shown by nothing but its absence: it may quote a value. */
export function failed(of: string, step: PreflightStep, caught: unknown): Found {
  const error =
    caught instanceof KeyturnError
      ? caught
      : new KeyturnError({ code: 'Internal', message: 'An unexpected error; its text is withheld.' });
  return { of, step, ok: false, says: error.message, code: error.code, hint: error.hint };
}
