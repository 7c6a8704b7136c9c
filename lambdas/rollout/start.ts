import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { KeyturnError } from '../contract/errors.ts';
import { EventDetail } from '../contract/events.ts';
import type { Log, Rollouts } from '../contract/ports.ts';
import type { RolloutState } from '../contract/rollout-state.ts';
import { type Settings, secretOfArn } from '../contract/settings.ts';

const Delivered = z.object({ detail: EventDetail });

export interface StartContext {
  readonly settings: Settings;
  readonly self: string;
  /** Plan id -> ARN of its state machine. */
  readonly stateMachines: ReadonlyMap<string, string>;
  readonly rollouts: Rollouts;
  readonly log: Log;
}

/**
 * Starts the rollout that a `Rotation Finished` event asks for. Events may be doubled: the execution is named
 * after secret and version, and a name starts once.
 */
export async function startRollout(event: unknown, context: StartContext): Promise<void> {
  const delivered = Delivered.safeParse(event);
  if (!delivered.success) {
    throw new KeyturnError({
      code: 'EventInvalid',
      message: `The event does not fit at "${delivered.error.issues[0]?.path.join('.') ?? ''}".`,
    });
  }
  const { detail } = delivered.data;
  const secret = secretOfArn(context.settings, detail.secretId, context.self);
  const machine = context.stateMachines.get(detail.plan);
  if (secret === undefined || machine === undefined || detail.publishedAt === null) {
    throw new KeyturnError({
      code: 'EventInvalid',
      message:
        'The event must tell of a published version of a secret of this deployment, with a plan that is deployed.',
    });
  }
  const state: RolloutState = {
    schema: 1,
    secretId: detail.secretId,
    versionId: detail.versionId,
    previousVersionId: detail.previousVersionId,
    ...(detail.lastProvenVersionId === undefined ? {} : { lastProvenVersionId: detail.lastProvenVersionId }),
    plan: detail.plan,
    publishedAt: detail.publishedAt,
    attempt: 1,
  };
  const started = await startAttempt(context.rollouts, machine, secret.key, state);
  const message = started ? 'started the rollout' : 'nothing: the rollout of this version was started before';
  context.log({ message, secret: secret.key, versionId: detail.versionId });
}

/**
 * Starts this attempt of a rollout. Whoever starts it, an event, the reconciler or a person: the same attempt has
 * the same name, so that it starts once.
 *
 * @returns false when it was started before
 */
export function startAttempt(
  rollouts: Rollouts,
  machine: string,
  key: string,
  state: RolloutState,
): Promise<boolean> {
  return rollouts.start(machine, executionName(key, state), JSON.stringify(state));
}

/**
 * A name that only this version of this secret gives: readable in the console, at most 80 characters (the
 * limit of Step Functions), and without the characters that it refuses.
 */
export function executionName(
  key: string,
  { secretId, versionId, attempt }: Pick<RolloutState, 'secretId' | 'versionId' | 'attempt'>,
): string {
  const readable = key.replaceAll(/[^A-Za-z0-9_-]/g, '-').slice(0, 40);
  const digest = createHash('sha256').update(`${secretId} ${versionId}`).digest('hex').slice(0, 32);
  return attempt === 1 ? `${readable}-${digest}` : `${readable}-${digest}-${attempt}`;
}
