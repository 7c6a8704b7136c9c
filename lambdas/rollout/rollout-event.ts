import { type DetailType, type EventDetail, type KeyturnEvent, keyturnEvent } from '../contract/events.ts';
import { type RolloutState, resultsOf } from '../contract/rollout-state.ts';
import type { SecretSettings } from '../contract/settings.ts';
import type { StageContext } from '../contract/stage.ts';
import { tallyOf } from './instance-tally.ts';

/** An event of a rollout: what its state says, and what the stage adds. */
export function rolloutEvent(
  type: DetailType,
  state: RolloutState,
  secret: SecretSettings,
  { settings }: StageContext,
  told: Pick<EventDetail, 'at' | 'code' | 'reason' | 'works' | 'next'>,
): KeyturnEvent {
  const results = resultsOf(state);
  return keyturnEvent(type, {
    schema: 1,
    deployment: settings.deployment,
    platform: settings.platform,
    secret: secret.key,
    secretId: state.secretId,
    versionId: state.versionId,
    previousVersionId: state.previousVersionId,
    class: secret.class,
    plan: state.plan,
    publishedAt: state.publishedAt,
    ...(results.length === 0 ? {} : { instances: tallyOf(results) }),
    ...told,
  });
}
