/**
 * What a deployed function knows of its deployment. The constructs write it, the functions read it; one
 * schema for both, so that a missing member is a type error in the stack and a sentence at cold start.
 *
 * It lies as a file beside the code, because a function's environment holds 4 KB and a deployment may have
 * hundreds of secrets.
 */
import * as z from 'zod/mini';
import { KeyturnError } from './errors.ts';

/** Name of the file beside the function's code. */
export const settingsFile = 'settings.json';

export const SecretSettings = z.strictObject({
  /** The secret's key in the deployment file. */
  key: z.string(),
  /** Name in Secrets Manager, or the ARN where the deployment gave one. */
  id: z.string(),
  class: z.string(),
  /** Options of the class, complete. */
  options: z.unknown(),
  plan: z.string(),
  /** Whether moving AWSCURRENT back brings the previous value back: no target outside has to be restored. */
  restorable: z.boolean(),
  /** The maintenance window that the class asks a consent for when it is left; null: any time is fine. */
  window: z.nullable(z.strictObject({ cron: z.string(), hours: z.int() })),
  /** Whether a rotation ends what the old value made, at once: the time until all consumers restarted is a gap. */
  cutover: z.boolean(),
  /** Whether the service that manages the secret rotates it, and Keyturn only follows. Default: Keyturn rotates it. */
  observed: z.optional(z.boolean()),
  /** Whether the consumers restart at once; else one after the other, in their order. */
  together: z.boolean(),
  /** Consumers in full, each with its name. */
  consumers: z.array(z.looseObject({ name: z.string(), kind: z.string() })),
  /** The platform's deployed instances that hold tokens of this secret. Left out: the plan asks for none. */
  instances: z.optional(z.looseObject({ kind: z.string() })),
  /** How the stored data is moved to another key, in order. Left out: none is encrypted with this secret. */
  reencrypt: z.optional(z.array(z.looseObject({ kind: z.string() }))),
  /** Null: nothing can probe this secret. */
  probe: z.nullable(z.looseObject({ kind: z.string() })),
  /** Days after which a person is reminded to supply a new value. Default: no reminder. */
  remindAfterDays: z.optional(z.int()),
  /** Seconds for which a rollout holds the old value. Default: the class holds none. */
  holdSeconds: z.optional(z.int()),
});
export type SecretSettings = z.infer<typeof SecretSettings>;

export const Settings = z.strictObject({
  schema: z.literal(1),
  deployment: z.string(),
  platform: z.string(),
  secrets: z.array(SecretSettings),
});
export type Settings = z.infer<typeof Settings>;

/** The environment of every function. No value here is secret, and none is longer than a name. */
export const Environment = z.object({
  /** Name of the bus that gets our events. */
  KEYTURN_BUS: z.string().check(z.minLength(1)),
  /** Only for the functions that start rollouts: JSON object, plan id -> ARN of its state machine. */
  KEYTURN_STATE_MACHINES: z.optional(z.string()),
});
export type Environment = z.infer<typeof Environment>;

/** @throws KeyturnError SettingsInvalid, naming the member. */
export function parseSettings(json: unknown): Settings {
  return parsed(Settings, json, settingsFile);
}

/** @throws KeyturnError SettingsInvalid, naming the variable. */
export function parseEnvironment(environment: NodeJS.ProcessEnv): Environment {
  return parsed(Environment, environment, 'The environment');
}

function parsed<T>(schema: z.ZodMiniType<T>, input: unknown, what: string): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `${what} must have ${result.error.issues[0]?.path.join('.') ?? 'another shape'}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}

/**
 * Which of a function's secrets an ARN means.
 *
 * An ARN ends in the secret's name, a hyphen and six characters that Secrets Manager chose. Comparing the
 * whole of the rest keeps `shop` from matching `shop-live-AbCdEf`.
 *
 * @param self an ARN in the same account and Region: the function's own.
 * @returns undefined when the secret is none of this function's.
 */
export function secretOfArn(settings: Settings, secretArn: string, self: string): SecretSettings | undefined {
  const [, partition, , region, account] = self.split(':');
  const prefix = `arn:${partition}:secretsmanager:${region}:${account}:secret:`;
  return settings.secrets.find((secret) =>
    secret.id.startsWith('arn:')
      ? secret.id === secretArn
      : secretArn.startsWith(`${prefix}${secret.id}-`) &&
        secretArn.length === prefix.length + secret.id.length + 7,
  );
}
