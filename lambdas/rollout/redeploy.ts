import { KeyturnError } from '../contract/errors.ts';
import type { BoundConsumer, Renewing } from '../contract/hooks.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { secretOf } from './secret-of.ts';

/** Milliseconds between looks at the consumers: short at first, since a small service is quick. */
const firstWait = 500;
const longestWait = 15_000;

/** Milliseconds that must be left for one more look and the answer. */
const margin = 20_000;

interface NamedConsumer {
  readonly name: string;
  readonly hook: BoundConsumer;
}

/**
 * Restarts the consumers of the secret, at once or one after the other, and waits until what runs is healthy
 * and younger than the version. May run again: a restart that is young enough is not repeated.
 */
export const stage: StageDefinition = {
  id: 'redeploy',
  secretActions: [],
  readsValues: false,
  putsEvents: false,
  redeploys: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    const secret = secretOf(context, state);
    const consumers = secret.consumers.map((consumer) => bound(secret, consumer, context));
    const renewing: Renewing = {
      secretId: state.secretId,
      versionId: state.versionId,
      since: new Date(state.publishedAt),
    };
    const rounds = secret.together ? [consumers] : consumers.map((consumer) => [consumer]);
    for (const round of rounds) await renew(round, renewing, context);
    return { ...state, consumersRenewed: consumers.length };
  },
};

async function renew(
  consumers: readonly NamedConsumer[],
  renewing: Renewing,
  context: StageContext,
): Promise<void> {
  const { clock } = context.ports;
  await Promise.all(consumers.map(({ hook }) => hook.begin(renewing, clock)));
  for (let wait = firstWait; ; wait = Math.min(wait * 1.5, longestWait)) {
    const missing = await missingOf(consumers, renewing, context);
    if (missing.length === 0) return;
    const over = missing.some((one) => one.over);
    if (over || context.remaining() < wait + margin) throw notHealthy(missing.map(({ reason }) => reason));
    await clock.sleep(wait);
  }
}

async function missingOf(
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

function notHealthy(reasons: readonly string[]): KeyturnError {
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
): NamedConsumer {
  const { name, ...members } = consumer;
  const result = ports.consumers.get(consumer.kind)?.bind(members);
  if (result?.ok) return { name, hook: result.hook };
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The consumer ${name} of ${secret.key} must be of a known kind with its members; it is of kind ${consumer.kind}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
