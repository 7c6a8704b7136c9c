import * as z from 'zod/mini';
import { brokenRules } from '../../lambdas/contract/deployment.ts';
import { KeyturnError } from '../../lambdas/contract/errors.ts';

/**
 * A consumer that only a rehearsal knows: a team's own application, in place of a twin. It runs as the tasks
 * of an ECS service would: started with the secret's variables in its environment, restarted when they change.
 */
const ProcessConsumer = z.strictObject({
  kind: z.literal('process'),
  /** Program and arguments. It must listen on 127.0.0.1 at the port in its variable PORT. */
  command: z.array(z.string()).check(z.minLength(1)),
  /** Directory in which it starts. Default: where the rehearsal was started. */
  cwd: z.optional(z.string()),
  /** Path (or whole address, of which the path counts) that answers 200 once the application can serve. */
  health: z.string(),
  /** Plain variables. Default: none. */
  environment: z._default(z.record(z.string(), z.string()), {}),
  /** Processes that serve side by side, 1–8. Default: 2. */
  instances: z._default(z.int().check(z.minimum(1), z.maximum(8)), 2),
});
export type ProcessConsumer = z.infer<typeof ProcessConsumer>;

/** @throws KeyturnError DeploymentInvalid, naming the field. */
export function parseProcessConsumer(name: string, consumer: unknown): ProcessConsumer {
  const result = ProcessConsumer.safeParse(consumer);
  if (result.success) return result.data;
  throw new KeyturnError({
    code: 'DeploymentInvalid',
    message: `consumers.${name}: ${brokenRules(result.error.issues, consumer)[0] ?? 'it breaks a rule.'}`,
  });
}

/** The path of a health address. */
export function healthPathOf({ health }: ProcessConsumer): string {
  return health.startsWith('/') ? health : new URL(health).pathname;
}
