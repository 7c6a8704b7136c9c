import { KeyturnError } from '../contract/errors.ts';
import type { BoundConsumer, Renewing } from '../contract/hooks.ts';
import type { RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';

export interface NamedConsumer {
  readonly name: string;
  /** Whether another secret of the deployment reaches what it restarts. */
  readonly shared: boolean;
  /** Secrets before this one, in the order of the deployment, that reach what it restarts. */
  readonly turn: number;
  readonly hook: BoundConsumer;
}

/** What the consumers are to be renewed to. */
export function renewingOf({ secretId, versionId, publishedAt }: RolloutState): Renewing {
  return { secretId, versionId, since: new Date(publishedAt) };
}

/** The consumers of a secret, each with its hook. @throws KeyturnError SettingsInvalid */
export function consumersOf(secret: SecretSettings, context: StageContext): NamedConsumer[] {
  const { secrets } = context.settings;
  const reached = secrets.map((one) =>
    one.key === secret.key
      ? new Set<string>()
      : new Set(one.consumers.flatMap((consumer) => restartsOf(bound(one, consumer, context)))),
  );
  const own = secrets.findIndex(({ key }) => key === secret.key);
  return secret.consumers.map((consumer) => {
    const hook = bound(secret, consumer, context);
    const sharing = reached.map((by) => restartsOf(hook).some((what) => by.has(what)));
    return {
      name: consumer.name,
      hook,
      shared: sharing.includes(true),
      turn: sharing.slice(0, own).filter(Boolean).length,
    };
  });
}

const restartsOf = ({ restarts = [] }: BoundConsumer): readonly string[] => restarts;

/** What is still missing, a sentence for each consumer that is not renewed. Changes nothing. */
export async function missingOf(
  consumers: readonly NamedConsumer[],
  renewing: Renewing,
  { ports }: StageContext,
): Promise<{ reason: string; over: boolean }[]> {
  const renewals = await Promise.all(
    consumers.map(async ({ name, hook }) => ({ name, renewal: await hook.look(renewing, ports.clock) })),
  );
  const missing = renewals.flatMap(({ name, renewal }) => {
    if (renewal.renewed) return [];
    ports.log({ message: renewal.reason, consumer: name, stage: 'redeploy' });
    return [{ reason: `${name}: ${renewal.reason}`, over: renewal.over ?? false }];
  });
  if (missing.length > 0) return missing;
  for (const { name, renewal } of renewals) {
    // Counted as renewed, by a declaration and not by a proof: the log must not say more than is known.
    if (!renewal.renewed || renewal.unproven === undefined) continue;
    ports.log({ message: renewal.unproven, consumer: name, stage: 'redeploy' });
  }
  return [];
}

export function notHealthy(reasons: readonly string[]): KeyturnError {
  return new KeyturnError({
    code: 'ConsumersNotHealthy',
    message: `Not every consumer runs with the new version. ${reasons.join('; ')}.`,
    hint: 'See why the new tasks do not become healthy; until they do, the former ones serve.',
    retryable: true,
  });
}

function bound(
  secret: SecretSettings,
  consumer: SecretSettings['consumers'][number],
  { ports }: StageContext,
): BoundConsumer {
  const { name, ...members } = consumer;
  const result = ports.consumers.get(consumer.kind)?.bind(members);
  if (result?.ok) return result.hook;
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The consumer ${name} of ${secret.key} must be of a known kind with its members; it is of kind ${consumer.kind}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
