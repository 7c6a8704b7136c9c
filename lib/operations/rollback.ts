/**
 * Back to an earlier version: the label is moved, the consumers get that version, and the value that was
 * given up is proven dead. Moving the label by hand does the first of the three only.
 */
import { parseDocument } from '../../lambdas/contract/document.ts';
import type { KeyturnError } from '../../lambdas/contract/errors.ts';
import type { ProbePorts } from '../../lambdas/contract/hooks.ts';
import { completedTag, disabledTag, rolledBackTag } from '../../lambdas/contract/marks.ts';
import type { OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { goesBackByItself, keepsOldValue, plans } from '../../lambdas/contract/plan.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { lookAt, type Sighting } from './look.ts';
import { phaseOf } from './phase.ts';
import { verdictOn } from './probing.ts';
import { refusal } from './refusal.ts';
import { continued, type StartedRollout, startAttempt } from './resume.ts';
import type { Subject } from './subject.ts';

export interface Rollback {
  readonly secretArn: string;
  readonly givenUp: string;
  readonly restored: string;
  /** True when AWSPENDING lies on the version that is given up. */
  readonly clearsPending: boolean;
  /** For keys that stored data is under: the rollout that goes back by its plan's own way. Null: the label is moved. */
  readonly asked: Omit<RolloutState, 'attempt'> | null;
}

/**
 * Whether the secret can go back, and to what. Changes nothing.
 *
 * @param to the version to go back to. Default: the one under AWSPREVIOUS.
 * @throws KeyturnError OperationRefused with the reason.
 */
export async function prepareRollback(
  subject: Subject,
  to: string | null,
  ports: OperatorPorts & { readonly probe: ProbePorts },
): Promise<Rollback> {
  const sighting = await lookAt(subject, ports);
  const { overview, currentId, previousId } = sighting;
  if (goesBackByItself(plans[subject.secret.plan])) return prepareWayBack(sighting, to, ports);
  const restored = to ?? previousId;
  demandRestorable(sighting, restored);
  if (currentId === null || restored === null) throw noVersion(subject);
  await demandUsable(subject, overview.arn, restored, ports);
  return {
    secretArn: overview.arn,
    givenUp: currentId,
    restored,
    clearsPending: overview.labels.get(currentId)?.includes('AWSPENDING') ?? false,
    asked: null,
  };
}

/** Data may be under either key: it goes back with the label, and the rollout of the current version does both. */
async function prepareWayBack(
  sighting: Sighting,
  to: string | null,
  ports: OperatorPorts & { readonly probe: ProbePorts },
): Promise<Rollback> {
  const { subject, overview, currentId, rollout } = sighting;
  const { key } = subject.secret;
  demandIdle(sighting);
  if (phaseOf(sighting) === 'retired') {
    throw refusal(
      `The old key of ${key} is retired: a count said that no data is under it any more, so there is nothing to go back to.`,
      `Rotate forward instead: keyturn rotate ${key}.`,
    );
  }
  if (rollout.is !== 'stalled' && rollout.is !== 'missing') {
    throw refusal(
      `No rollout of ${key} is under way that could go back: version ${currentId} runs everywhere.`,
      `See: keyturn status ${key}.`,
    );
  }
  const asked = { ...continued(sighting), goBack: true };
  const { rolledBackFrom, versionId, lastProvenVersionId, previousVersionId } = asked;
  const restored = rolledBackFrom === undefined ? (lastProvenVersionId ?? previousVersionId) : versionId;
  if (currentId === null || restored === null) throw noVersion(subject);
  if (to !== null && to !== restored) {
    throw refusal(
      `The rollout of ${key} goes back to version ${restored} only: another one may lack a key that data is under.`,
      `Leave --to out: keyturn rollback ${key}.`,
    );
  }
  await demandUsable(subject, overview.arn, restored, ports);
  return {
    secretArn: overview.arn,
    givenUp: rolledBackFrom ?? currentId,
    restored,
    clearsPending: false,
    asked,
  };
}

/**
 * Does it. Each part may be repeated after a failure in between: until the new rollout has ended, `status`
 * shows the restored version as one that nothing has brought to the consumers, and `resume` goes on.
 */
export async function rollBack(
  subject: Subject,
  { secretArn, givenUp, restored, clearsPending, asked }: Rollback,
  ports: OperatorPorts,
): Promise<StartedRollout> {
  if (asked !== null) return startAttempt(subject, asked, ports);
  const { secrets, clock } = ports;
  // First: the version that is restored may have been completed once, and must not count as that meanwhile.
  await secrets.untag(secretArn, [completedTag]);
  await secrets.tag(secretArn, new Map([[rolledBackTag, givenUp]]));
  await secrets.moveCurrent(secretArn, restored, givenUp);
  if (clearsPending) await secrets.removePending(secretArn, givenUp);
  return startAttempt(
    subject,
    {
      schema: 1,
      secretId: secretArn,
      versionId: restored,
      previousVersionId: givenUp,
      plan: subject.secret.plan,
      publishedAt: clock.now().toISOString(),
      rolledBackFrom: givenUp,
    },
    ports,
  );
}

function demandRestorable(sighting: Sighting, restored: string | null): void {
  const { subject, overview, currentId } = sighting;
  const { key, class: secretClass, settings } = subject.secret;
  if (!settings.restorable) {
    throw refusal(
      `${key} cannot go back by itself: its class ${secretClass.id} has told a target outside of the new value, and moving the label back would not take that back.`,
      `Rotate forward instead: keyturn rotate ${key}.`,
    );
  }
  if (secretClass.bind(settings.options).phases !== null) {
    throw refusal(
      `The old and the new value of ${key} overlap: its rollout goes back by itself to the last phase that every consumer had, and going back from there would only publish the next phase again.`,
      `Let it go on (keyturn resume ${key}), or rotate forward: keyturn rotate ${key}.`,
    );
  }
  if (restored === null) throw noVersion(subject);
  if (restored === currentId) {
    throw refusal(`Version ${restored} of ${key} is current already.`, `See: keyturn status ${key}.`);
  }
  if (!overview.versions.has(restored)) {
    throw refusal(
      `${key} has no version of the id that --to names.`,
      `Its versions: ${[...overview.versions.keys()].join(', ')}.`,
    );
  }
  demandAlive(sighting, restored);
  demandIdle(sighting);
}

/** At a target that holds two values, only the one before works beside the current one, and only until it is disabled. */
function demandAlive({ subject, overview, currentId, previousId }: Sighting, restored: string): void {
  const { key, plan } = subject.secret;
  if (!keepsOldValue(plan)) return;
  if (overview.tags.get(disabledTag) !== currentId && restored === previousId) return;
  throw refusal(
    `The value in version ${restored} of ${key} was taken away at its target: to make it current would lock everybody out.`,
    `Rotate forward instead: keyturn rotate ${key}.`,
  );
}

function demandIdle({ subject, pendingId, rollout }: Sighting): void {
  const { key } = subject.secret;
  if (pendingId !== null) {
    throw refusal(
      `AWSPENDING is on version ${pendingId} of ${key}: a rotation is under way or stuck.`,
      `Wait for it, or clear it first: keyturn discard ${key}.`,
    );
  }
  if (rollout.is === 'running' || rollout.is === 'starting') {
    throw refusal(
      `The rollout of ${key} is under way, and goes back by itself when its consumers do not become healthy.`,
      `Wait until it is completed or stalled: keyturn status ${key}. To go back at once, end its execution first (StopExecution).`,
    );
  }
}

function noVersion({ secret }: Subject): KeyturnError {
  return refusal(
    `${secret.key} has no earlier version to go back to: none is labelled AWSPREVIOUS.`,
    'Name one with --to, or rotate.',
  );
}

/** The version must be what its class takes; a value from a provider must also be alive there still. */
async function demandUsable(
  subject: Subject,
  secretArn: string,
  versionId: string,
  { secrets, probe }: OperatorPorts & { readonly probe: ProbePorts },
): Promise<void> {
  const { key, class: secretClass, settings } = subject.secret;
  const { value } = await secrets.read(secretArn, versionId);
  const document = parseDocument(value, `Version ${versionId} of ${key}`);
  const bound = secretClass.bind(settings.options);
  // A server is asked by the rollout, from where it can be reached; here the members must be there.
  if (secretClass.usesTarget) for (const name of bound.variables()) document.value(name);
  else await bound.test(document);
  if (!secretClass.supplied) return;
  if ((await verdictOn(settings, document, probe)) === 'refused') {
    throw refusal(
      `Version ${versionId} of ${key} is refused by its target: it has been revoked there.`,
      `Get a new value and rotate forward: keyturn supply ${key}.`,
    );
  }
}
