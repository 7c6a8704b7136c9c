/**
 * One sweep over the secrets of a deployment: gather, decide, act.
 *
 * It is level-triggered and keeps nothing: what it did shows in what the next sweep sees, so a sweep that dies
 * anywhere, or runs beside another, leaves nothing to repair. One that runs out of time needs no cursor either:
 * whatever it has seen to is not suspicious any more, and the next sweep begins with the rest.
 */
import { KeyturnError, publicError } from '../contract/errors.ts';
import type { FleetSecret } from '../contract/fleet.ts';
import { deploymentTag } from '../contract/marks.ts';
import type { SecretSettings } from '../contract/settings.ts';
import { act, type Paces } from './act.ts';
import type { ReconcileContext, SweepCounts } from './context.ts';
import { decide } from './decide.ts';
import { limits } from './limits.ts';
import { observed } from './observed.ts';
import { type Pace, pace } from './pace.ts';
import { type RolloutOf, rolloutsSeen } from './rollouts-seen.ts';
import { slotOf } from './slot.ts';
import { isKnownStuck, isOverdue, type Suspicion, suspicionOf, suspicions } from './suspicion.ts';

interface Suspect {
  readonly secret: SecretSettings;
  readonly arn: string;
  readonly name: string;
  readonly suspicion: Suspicion;
}

interface Work {
  readonly context: ReconcileContext;
  readonly rolloutOf: RolloutOf;
  readonly paces: Paces & { readonly versions: Pace };
  readonly spread: number;
  readonly counts: SweepCounts;
}

/** @throws KeyturnError when the fleet or its rollouts cannot be listed; what fails on one secret is counted. */
export async function sweep(context: ReconcileContext): Promise<SweepCounts> {
  const { settings, ports, stateMachines } = context;
  const counts: SweepCounts = {
    ...{ secrets: 0, looked: 0, overdue: 0, stuck: 0 },
    ...{ started: 0, dropped: 0, told: 0, failed: 0, left: 0 },
  };
  const rolloutOf = await rolloutsSeen(ports.executions, stateMachines.values());
  const spread = Math.min(settings.secrets.length * limits.spreadPerSecret, limits.spread);
  const suspects = inOrder(await suspectsOf(context, rolloutOf, spread, counts), ports.clock.now());
  const work: Work = {
    context,
    rolloutOf,
    paces: {
      write: pace(ports.clock, limits.writesPerSecond),
      start: pace(ports.clock, limits.startsPerSecond),
      versions: pace(ports.clock, limits.versionReadsPerSecond),
    },
    spread,
    counts,
  };
  const queue = suspects.values();
  await Promise.all(Array.from({ length: limits.lanes }, () => lane(queue, work)));
  report(counts, context);
  return counts;
}

/** The reconciler's sign of life, and what stays until somebody does something about it. */
function report({ overdue, stuck }: SweepCounts, { settings, ports }: ReconcileContext): void {
  const of = { Deployment: settings.deployment };
  ports.metrics.put({ metric: 'RotationOverdue', value: overdue, of });
  ports.metrics.put({ metric: 'RotationStuck', value: stuck, of });
  ports.metrics.put({ metric: 'SweepCompleted', value: 1, of });
}

/** Lists the fleet page by page and keeps only what is suspicious: memory holds no fleet. */
async function suspectsOf(
  context: ReconcileContext,
  rolloutOf: RolloutOf,
  spread: number,
  counts: SweepCounts,
): Promise<Suspect[]> {
  const { settings, ports } = context;
  const missing = new Map(settings.secrets.map((secret) => [secret.id, secret]));
  const suspects: Suspect[] = [];
  const consider = (secret: SecretSettings, seen: FleetSecret) => {
    counts.secrets += 1;
    if (isOverdue(seen, ports.clock.now())) counts.overdue += 1;
    if (isKnownStuck(seen)) counts.stuck += 1;
    const suspicion = suspicionOf(secret, seen, { now: ports.clock.now(), spread }, (versionId) =>
      rolloutOf(secret.key, seen.arn, versionId),
    );
    if (suspicion !== null) suspects.push({ secret, arn: seen.arn, name: seen.name, suspicion });
  };
  let cursor: string | null = null;
  do {
    const page = await ports.fleet.list({ key: deploymentTag, value: settings.deployment }, cursor);
    for (const seen of page.secrets) {
      const id = missing.has(seen.arn) ? seen.arn : seen.name;
      const secret = missing.get(id);
      if (secret === undefined) continue;
      missing.delete(id);
      consider(secret, seen);
    }
    cursor = page.next;
  } while (cursor !== null);
  // Imported secrets, which have no tag of the deployment's, and those that the list does not show yet.
  const unlisted = missing.values();
  const look = async () => {
    for (const secret of unlisted) {
      const seen = await found(secret, context, counts);
      if (seen !== null) consider(secret, seen);
    }
  };
  await Promise.all(Array.from({ length: limits.lanes }, look));
  return suspects;
}

/** Null: it is gone, or could not be seen this time. */
async function found(
  secret: SecretSettings,
  { ports }: ReconcileContext,
  counts: SweepCounts,
): Promise<FleetSecret | null> {
  try {
    return await ports.fleet.look(secret.id);
  } catch (caught) {
    if (!(caught instanceof KeyturnError && caught.code === 'AwsNotFound')) counts.failed += 1;
    ports.log({ message: publicError(caught).message, secret: secret.key, code: publicError(caught).code });
    return null;
  }
}

/** What matters most first; then an order that is another in every sweep, so that none is always the last. */
function inOrder(suspects: readonly Suspect[], now: Date): Suspect[] {
  const drawn = new Map(suspects.map(({ arn }) => [arn, slotOf(`${arn} ${now.getTime()}`, 2 ** 32)]));
  const rank = ({ suspicion }: Suspect) => suspicions.indexOf(suspicion);
  return [...suspects].sort((a, b) => rank(a) - rank(b) || (drawn.get(a.arn) ?? 0) - (drawn.get(b.arn) ?? 0));
}

async function lane(queue: IterableIterator<Suspect>, work: Work): Promise<void> {
  const { context, counts } = work;
  for (const suspect of queue) {
    if (context.remaining() < limits.margin) {
      counts.left += 1;
      continue;
    }
    try {
      counts.looked += 1;
      await seeTo(suspect, work);
    } catch (caught) {
      // One secret that cannot be seen to must not keep the others from it.
      const { message, code } = publicError(caught);
      counts.failed += 1;
      context.ports.log({ message, code, secret: suspect.secret.key });
    }
  }
}

async function seeTo({ secret, arn, suspicion }: Suspect, work: Work): Promise<void> {
  const { context, rolloutOf, paces, spread, counts } = work;
  const { ports } = context;
  const seen = await ports.fleet.look(arn);
  await paces.versions();
  const made = await ports.fleet.versions(arn);
  const about = observed({ secret, seen, made, now: ports.clock.now(), spread }, (versionId) =>
    rolloutOf(secret.key, arn, versionId),
  );
  const decision = decide(about);
  const { is, because, sentence } = decision;
  if (is === 'nothing')
    ports.log({ message: sentence, secret: secret.key, code: `${suspicion}: ${because}` });
  await act(decision, about, context, paces, counts);
}
