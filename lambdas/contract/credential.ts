/** What a hook logs in with: a member of another secret, which the stage reads at use. */
import * as z from 'zod/mini';
import type { IamStatement } from './hooks.ts';

/**
 * A secret as a hook's members name it: by a key of the deployment's `secrets`, by its full ARN or by its name. In the
 * settings of a function the key is replaced by what it stands for.
 */
export const SecretReference = z
  .string()
  .check(
    z.regex(
      /^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@!-]{1,512}-[A-Za-z0-9]{6}|[A-Za-z0-9/_+=.@-]{1,512})$/,
      'must be a key of secrets, or the ARN or name of a secret',
    ),
  );

export const Credential = z.strictObject({
  secret: SecretReference,
  /** Member of the secret's JSON object. */
  member: z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of a member')),
  /** The customer key that the secret is encrypted with; left out: it is of the same deployment, or has none. */
  kmsKey: z.optional(
    z
      .string()
      .check(
        z.regex(
          /^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key\/[A-Za-z0-9-]+$/,
          'must be the ARN of a KMS key',
        ),
      ),
  ),
});
export type Credential = z.infer<typeof Credential>;

/** Use of the keys that the credentials are encrypted with, through Secrets Manager only. Reading them is added by the stacks. */
export function keyStatements(credentials: readonly Credential[]): IamStatement[] {
  const keys = new Set(credentials.flatMap(({ kmsKey }) => kmsKey ?? []));
  return [...keys].map((key) => ({
    actions: ['kms:Decrypt'],
    resources: [key],
    conditions: { StringEquals: { 'kms:ViaService': 'secretsmanager.{region}.amazonaws.com' } },
  }));
}
