import { KeyturnError } from '../contract/errors.ts';
import type { BoundConsumer, RedeployPorts } from '../contract/hooks.ts';
import type { Log } from '../contract/ports.ts';
import { parseRolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { redeployKinds } from '../hooks/redeploy/kinds.ts';
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
 * Restarts every consumer of the secret, all at once, and waits until what runs is healthy and younger than
 * the version. May run again: a restart that is young enough is not repeated.
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
    const consumers = secret.consumers.map((consumer) => bound(secret, consumer));
    const since = new Date(state.publishedAt);
    const ports = redeployPorts(context);
    await Promise.all(consumers.map(({ hook }) => hook.begin(since, ports)));
    for (let wait = firstWait; ; wait = Math.min(wait * 1.5, longestWait)) {
      const missing = await reasonsOf(consumers, since, ports, context.ports.log);
      if (missing.length === 0) return { ...state, consumersRenewed: consumers.length };
      if (context.remaining() < wait + margin) throw notHealthy(missing);
      await context.ports.clock.sleep(wait);
    }
  },
};

async function reasonsOf(
  consumers: readonly NamedConsumer[],
  since: Date,
  ports: RedeployPorts,
  log: Log,
): Promise<string[]> {
  const renewals = await Promise.all(
    consumers.map(async ({ name, hook }) => ({ name, renewal: await hook.look(since, ports) })),
  );
  return renewals.flatMap(({ name, renewal }) => {
    if (renewal.renewed) return [];
    log({ message: renewal.reason, consumer: name, stage: 'redeploy' });
    return [`${name}: ${renewal.reason}`];
  });
}

function redeployPorts({ ports }: StageContext): RedeployPorts {
  if (ports.consumers !== null) return { ...ports.consumers, clock: ports.clock };
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: 'The redeploy stage must be given the APIs of its consumers; it was bundled without them.',
  });
}

function notHealthy(reasons: readonly string[]): KeyturnError {
  return new KeyturnError({
    code: 'ConsumersNotHealthy',
    message: `Not every consumer runs with the new version. ${reasons.join('; ')}.`,
    hint: 'See why the new tasks do not become healthy; until they do, the former ones serve.',
    retryable: true,
  });
}

function bound(secret: SecretSettings, consumer: SecretSettings['consumers'][number]): NamedConsumer {
  const { name, ...members } = consumer;
  const result = redeployKinds.get(consumer.kind)?.bind(members);
  if (result?.ok) return { name, hook: result.hook };
  throw new KeyturnError({
    code: 'SettingsInvalid',
    message: `The consumer ${name} of ${secret.key} must be of a known kind with its members; it is of kind ${consumer.kind}.`,
    hint: 'Deploy the stack again: the function and its settings are made together.',
  });
}
