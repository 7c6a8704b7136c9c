import type { Renewing } from '../contract/hooks.ts';
import { parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { consumersOf, missingOf, type NamedConsumer, notHealthy, renewingOf } from './consumers.ts';
import { secretOf } from './secret-of.ts';

/** Milliseconds between looks at the consumers: short at first, since a small service is quick. */
const firstWait = 200;
const longestWait = 15_000;

/**
 * Milliseconds between the turns of secrets that reach the same consumer. Rollouts that come here at the same moment
 * would each look before the other restarts it, and restart it twice; a look and a restart take less than that.
 */
const turnTime = 1_000;

/** Milliseconds that must be left for one more look and the answer. */
const margin = 20_000;

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
    const consumers = consumersOf(secret, context);
    const renewing = renewingOf(state);
    // All of them in the latest turn: what restarts together must not drift apart.
    const turn = Math.max(0, ...consumers.map((consumer) => consumer.turn));
    if (turn > 0) await context.ports.clock.sleep(turn * turnTime);
    const rounds = secret.together ? [consumers] : consumers.map((consumer) => [consumer]);
    for (const round of rounds) await renew(round, renewing, context);
    measureGap(state, secret, context);
    return { ...state, consumersRenewed: consumers.length };
  },
};

/** Only on the way forward: what a rollback takes says nothing of the rotation. */
function measureGap(
  { publishedAt, rolledBackFrom }: RolloutState,
  secret: SecretSettings,
  { ports, settings }: StageContext,
): void {
  if (!secret.cutover || secret.consumers.length === 0 || rolledBackFrom !== undefined) return;
  ports.metrics.put({
    metric: 'GapSeconds',
    value: (ports.clock.now().getTime() - Date.parse(publishedAt)) / 1000,
    of: { Deployment: settings.deployment, Secret: secret.key },
  });
}

async function renew(
  consumers: readonly NamedConsumer[],
  renewing: Renewing,
  context: StageContext,
): Promise<void> {
  const { clock } = context.ports;
  await Promise.all(consumers.map(({ hook, shared }) => hook.begin({ ...renewing, shared }, clock)));
  for (let wait = firstWait; ; wait = Math.min(wait * 1.5, longestWait)) {
    const missing = await missingOf(consumers, renewing, context);
    if (missing.length === 0) return;
    const over = missing.some((one) => one.over);
    if (over || context.remaining() < wait + margin) throw notHealthy(missing.map(({ reason }) => reason));
    await clock.sleep(wait);
  }
}
