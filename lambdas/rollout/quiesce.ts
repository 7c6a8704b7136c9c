import { createHash } from 'node:crypto';
import { KeyturnError } from '../contract/errors.ts';
import type { Stopping } from '../contract/hooks.ts';
import { notBegun, parseRolloutState, type RolloutState } from '../contract/rollout-state.ts';
import type { StageContext, StageDefinition } from '../contract/stage.ts';
import { consumersOf, type NamedConsumer, notHealthy } from './consumers.ts';
import { secretOf } from './secret-of.ts';
import { standStill } from './stopped-mark.ts';

/** Milliseconds between two looks at what still runs. */
const pause = 2_000;

/** Milliseconds that must be left for one more look and the answer. */
const margin = 20_000;

/**
 * Stops every consumer, so that nothing reads data that is half under one key and half under the other. A
 * secret's first value has no data, and needs no stop.
 */
export const stage: StageDefinition = {
  id: 'quiesce',
  secretActions: ['secretsmanager:TagResource'],
  readsValues: false,
  putsEvents: false,
  redeploys: true,

  async run(input, context) {
    const state = parseRolloutState(input);
    if (state.previousVersionId === null || nothingMoved(state)) return state;
    const consumers = consumersOf(secretOf(context, state), context);
    const { secrets, clock } = context.ports;
    // Before the first of them stops: a mark too many is looked at and goes, one too few leaves them stopped unseen.
    await secrets.tag(state.secretId, new Map([standStill(state, clock.now())]));
    const stopping = { secretId: state.secretId, stop: stopOf(state) };
    for (;;) {
      const reasons = await running(consumers, stopping, context);
      if (reasons.length === 0) return { ...state, reencryption: state.reencryption ?? notBegun };
      if (context.remaining() < pause + margin) throw notHealthy(reasons);
      await clock.sleep(pause);
    }
  },
};

/**
 * On a way back that begins because the consumers could not be stopped in the first place: no data was moved, and
 * those that did stop must not wait for those that do not. An attempt that follows another one cannot know.
 */
function nothingMoved({ failure, reencryption, attempt }: RolloutState): boolean {
  return failure !== undefined && reencryption === undefined && attempt === 1;
}

/** An execution stops them once on its way forward and once on its way back, and no other one has its number. */
function stopOf({ versionId, publishedAt, attempt, failure, goBack }: RolloutState): string {
  const back = failure !== undefined || goBack === true;
  return createHash('sha256')
    .update(JSON.stringify([versionId, publishedAt, attempt, back]))
    .digest('hex')
    .slice(0, 20);
}

async function running(
  consumers: readonly NamedConsumer[],
  stopping: Stopping,
  { ports }: StageContext,
): Promise<string[]> {
  const seen = await Promise.all(
    consumers.map(async ({ name, hook }) => {
      if (hook.quiesce === null) {
        throw new KeyturnError({
          code: 'SettingsInvalid',
          message: `The consumer ${name} must be of a kind that can be stopped; it is not.`,
          hint: 'Deploy the stack again: a deployment that cannot be stopped is refused there.',
        });
      }
      return { name, idleness: await hook.quiesce(stopping, ports.clock) };
    }),
  );
  return seen.flatMap(({ name, idleness }) => (idleness.idle ? [] : [`${name}: ${idleness.reason}`]));
}
