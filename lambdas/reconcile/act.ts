/** Does what was decided about one secret. Each act may be repeated, and may end between any two of its calls. */

import { KeyturnError } from '../contract/errors.ts';
import { type EventDetail, keyturnEvent } from '../contract/events.ts';
import { pendingSinceTag, toldTag } from '../contract/marks.ts';
import type { RolloutState } from '../contract/rollout-state.ts';
import { startAttempt } from '../rollout/start.ts';
import type { ReconcileContext, SweepCounts } from './context.ts';
import type { Decision } from './decide.ts';
import type { Finding, Publication } from './decision.ts';
import { findings, isFresh, toldOf, toldValue } from './findings.ts';
import type { Observed } from './observed.ts';
import type { Pace } from './pace.ts';

export interface Paces {
  /** Before each write to Secrets Manager. */
  readonly write: Pace;
  /** Before each start of a rollout. */
  readonly start: Pace;
}

export async function act(
  decision: Decision,
  about: Observed,
  context: ReconcileContext,
  paces: Paces,
  counts: SweepCounts,
): Promise<void> {
  switch (decision.is) {
    case 'nothing':
      return;
    case 'start':
      return start(decision.state, decision.sentence, about, context, paces, counts);
    case 'drop':
      return drop(decision.versionId, decision.sentence, about, context, paces, counts);
    case 'mark':
      await paces.write();
      return context.ports.fleet.tag(
        about.seen.arn,
        new Map([[pendingSinceTag, `${decision.versionId} ${about.now.toISOString()}`]]),
      );
    case 'tell':
      return tell(decision, about, context, paces, counts);
  }
}

/** The execution has the name that the lost event would have given it: whoever comes second starts nothing. */
async function start(
  { versionId, previousVersionId, lastProvenVersionId, publishedAt, attempt }: Publication,
  sentence: string,
  { secret, seen }: Observed,
  { stateMachines, ports }: ReconcileContext,
  paces: Paces,
  counts: SweepCounts,
): Promise<void> {
  const machine = stateMachines.get(secret.plan);
  if (machine === undefined) {
    throw new KeyturnError({
      code: 'SettingsInvalid',
      message: `The plan ${secret.plan} of ${secret.key} must be deployed; no state machine of it is known.`,
      hint: 'Deploy the stack again: the function and its settings are made together.',
    });
  }
  const state: RolloutState = {
    schema: 1,
    secretId: seen.arn,
    versionId,
    previousVersionId,
    ...(lastProvenVersionId === undefined ? {} : { lastProvenVersionId }),
    plan: secret.plan,
    publishedAt: publishedAt.toISOString(),
    attempt,
  };
  await paces.start();
  const started = await startAttempt(ports.rollouts, machine, secret.key, state);
  if (started) counts.started += 1;
  const message = started ? sentence : 'nothing: the rollout of this version was started before';
  ports.log({ message, secret: secret.key, versionId });
}

/** First taken away, then told: a notice that is lost between the two costs nothing, a false one would. */
async function drop(
  versionId: string,
  sentence: string,
  about: Observed,
  context: ReconcileContext,
  paces: Paces,
  counts: SweepCounts,
): Promise<void> {
  const { ports } = context;
  await paces.write();
  await ports.fleet.removePending(about.seen.arn, versionId);
  counts.dropped += 1;
  ports.log({ message: sentence, secret: about.secret.key, versionId, code: 'value-rejected' });
  await ports.events.put(
    keyturnEvent('Rotation Dropped', {
      ...detailOf(about, context),
      versionId,
      code: 'ValueRejected',
      reason: sentence,
    }),
  );
}

/** Told first, then remembered: after a crash between the two it is told twice, never not at all. */
async function tell(
  { finding, sentence, versionId, next }: Finding,
  about: Observed,
  context: ReconcileContext,
  paces: Paces,
  counts: SweepCounts,
): Promise<void> {
  const { ports } = context;
  if (isFresh(toldOf(about.seen.tags), finding, versionId, about.now)) return;
  ports.log({ message: sentence, secret: about.secret.key, versionId, code: finding });
  const { type, works } = findings[finding];
  await ports.events.put(
    keyturnEvent(type, {
      ...detailOf(about, context),
      versionId,
      code: finding,
      reason: sentence,
      works,
      next,
    }),
  );
  counts.told += 1;
  if (finding === 'rotation-stuck') counts.stuck += 1;
  await paces.write();
  await ports.fleet.tag(
    about.seen.arn,
    new Map([[toldTag, toldValue({ finding, versionId, at: about.now })]]),
  );
}

function detailOf(
  { secret, seen, versions }: Observed,
  { settings }: ReconcileContext,
): Omit<EventDetail, 'versionId'> {
  return {
    schema: 1,
    deployment: settings.deployment,
    platform: settings.platform,
    secret: secret.key,
    secretId: seen.arn,
    previousVersionId: versions.previous,
    class: secret.class,
    plan: secret.plan,
    publishedAt: seen.lastRotatedAt?.toISOString() ?? null,
    at: 'reconcile',
  };
}
