/** Follows a rotation or a rollout to its end, telling of every change on the way. */
import type { EnteredState, OperatorPorts } from '../../lambdas/contract/operator-ports.ts';
import { rolledBackError } from '../../lambdas/contract/plan.ts';
import type { RolloutState } from '../../lambdas/contract/rollout-state.ts';
import { reasonOf } from '../../lambdas/rollout/failure-reason.ts';
import { nameOf } from '../names.ts';
import { stateOf, type Walked } from './rollout-standing.ts';
import type { Begun } from './rotate.ts';
import { span } from './spans.ts';
import { executionArn, type Subject } from './subject.ts';

export type End = 'completed' | 'superseded' | 'rolled-back' | 'stalled' | 'refused' | 'still-running';

export interface Passed {
  /** Steps or a stage. */
  readonly name: string;
  readonly seconds: number;
}

export interface Followed {
  readonly end: End;
  readonly passed: readonly Passed[];
  /** What happened, in a sentence; null where the end says it all. */
  readonly sentence: string | null;
  /** What to do next; null: nothing. */
  readonly hint: string | null;
}

export interface Following {
  readonly ports: OperatorPorts;
  /** Milliseconds between two looks. */
  readonly pause: number;
  /** Milliseconds after which following ends; what is followed goes on. */
  readonly patience: number;
  /** Hears what is done now, each time that it changes. */
  onProgress(what: string): void;
}

/** States of the machine that are ends, not work. */
const ends: ReadonlySet<string> = new Set(['done', 'superseded', 'stalled', 'rolled back']);

/** Milliseconds that the four steps may take: far more than they need, far less than their retries. */
const stepPatience = 600_000;

/** From the token of a rotation to the end of its rollout. */
export async function followRotation(
  subject: Subject,
  begun: Begun,
  following: Following,
): Promise<Followed> {
  const { ports, patience, onProgress } = following;
  const begin = ports.clock.now().getTime();
  const elapsed = () => ports.clock.now().getTime() - begin;
  const passed: Passed[] = [];
  const refused = await followSteps(subject, begun, following, passed);
  if (refused !== null) return refused;
  const moved = elapsed();
  onProgress('finish (set and test are done)');
  const rollout = { secretId: begun.secretArn, versionId: begun.token, attempt: 1 };
  const followed = await followRollout(subject, rollout, {
    ...following,
    patience: Math.max(0, patience - moved),
  });
  return { ...followed, passed: [...passed, ...followed.passed] };
}

/**
 * The steps, as far as Secrets Manager shows them without a value being read: the version is listed once create
 * has stored its value, and has AWSCURRENT once finish has moved it. What set and test do in between leaves no
 * trace there, so they are one entry, and done when finish is seen.
 *
 * @param passed gets what is done.
 * @returns null when AWSCURRENT has moved; else how the rotation ended before that.
 */
async function followSteps(
  { secret, deployment }: Subject,
  { secretArn, token }: Begun,
  { ports, pause, patience, onProgress }: Following,
  passed: Passed[],
): Promise<Followed | null> {
  const begin = ports.clock.now().getTime();
  const elapsed = () => ports.clock.now().getTime() - begin;
  let created: number | null = null;
  onProgress('create');
  for (;;) {
    // The list of versions is asked for until the new one is in it, and no longer.
    const overview = created === null ? await ports.secrets.overview(secretArn) : null;
    const seen = overview ?? (await ports.secrets.describe(secretArn));
    const at = elapsed();
    const labels = seen.labels.get(token) ?? [];
    const isCurrent = labels.includes('AWSCURRENT');
    if (created === null && (isCurrent || overview?.versions.has(token))) {
      created = at;
      passed.push({ name: 'create', seconds: at / 1_000 });
      if (!isCurrent) onProgress('set, test (create is done)');
    }
    if (isCurrent) {
      passed.push({ name: 'set, test, finish', seconds: (at - (created ?? at)) / 1_000 });
      return null;
    }
    if (!labels.includes('AWSPENDING') && at > pause * 3) {
      return ended(
        'refused',
        passed,
        'The rotation was withdrawn: its version lost the label AWSPENDING.',
        null,
      );
    }
    if (at > Math.min(patience, stepPatience)) {
      const stopped = created === null ? 'create' : 'set, test or finish';
      return ended(
        'refused',
        passed,
        `The steps were not through after ${span(at)}: ${stopped} has not ended. What is current has not changed, and Secrets Manager will try again.`,
        `Why a step failed stands in the log group /aws/lambda/${nameOf(deployment, secret.class.id)}. To clear it: keyturn discard ${secret.key}.`,
      );
    }
    await ports.clock.sleep(pause);
  }
}

/** One execution to its end. */
export async function followRollout(
  subject: Subject,
  rollout: Pick<RolloutState, 'secretId' | 'versionId' | 'attempt'>,
  { ports, pause, patience, onProgress }: Following,
): Promise<Followed> {
  const { key } = subject.secret;
  const arn = executionArn(subject, rollout);
  const begin = ports.clock.now().getTime();
  for (;;) {
    const execution = await ports.rollouts.describe(arn);
    const walked =
      execution === null
        ? null
        : { number: rollout.attempt, execution, states: await ports.rollouts.states(arn) };
    if (walked !== null && walked.execution.status !== 'RUNNING') return endOf(walked, key);
    const last = walked?.states.at(-1);
    if (last !== undefined) onProgress(doing(last));
    const waited = ports.clock.now().getTime() - begin;
    if (waited > patience) {
      return walked === null
        ? ended(
            'still-running',
            [],
            'The rotation has finished, but no rollout of it has begun.',
            `Start it: keyturn resume ${key}.`,
          )
        : ended(
            'still-running',
            passedIn(walked, ports.clock.now()),
            `The rollout goes on: ${last === undefined ? 'it has just begun' : doing(last)}.`,
            `See how it gets on: keyturn status ${key}.`,
          );
    }
    await ports.clock.sleep(pause);
  }
}

function doing({ name, failures, lastFailure }: EnteredState): string {
  return lastFailure === null
    ? name
    : `${name}, ${failures} ${failures === 1 ? 'try' : 'tries'} failed (${lastFailure.error})`;
}

function endOf(walked: Walked, key: string): Followed {
  const { execution, states } = walked;
  const passed = passedIn(walked, execution.stoppedAt ?? execution.startedAt);
  if (execution.status === 'SUCCEEDED') {
    return states.at(-1)?.name === 'superseded'
      ? ended(
          'superseded',
          passed,
          'A later version became current meanwhile; its rollout takes over.',
          `See: keyturn status ${key}.`,
        )
      : ended('completed', passed, proof(stateOf(walked)), null);
  }
  const sentence = reasonOf(stateOf(walked));
  return execution.error === rolledBackError
    ? ended(
        'rolled-back',
        passed,
        `${sentence} The previous version is current again and runs everywhere.`,
        `When the cause is gone: keyturn rotate ${key}.`,
      )
    : ended('stalled', passed, sentence, `When the cause is gone: keyturn resume ${key}.`);
}

function proof({ oldValueRefused, previousVersionId, consumersRenewed = 0 }: RolloutState): string {
  const consumers = `${consumersRenewed} ${consumersRenewed === 1 ? 'consumer runs' : 'consumers run'} with the new value`;
  if (previousVersionId === null) return `${consumers}; there was no old one.`;
  return oldValueRefused === true
    ? `${consumers}; the old one was probed and is refused.`
    : `${consumers}; nothing can probe the old one.`;
}

function passedIn({ states }: Walked, until: Date): Passed[] {
  return states.flatMap(({ name, enteredAt }, index) => {
    if (ends.has(name)) return [];
    const left = states[index + 1]?.enteredAt ?? until;
    return [{ name, seconds: Math.max(0, left.getTime() - enteredAt.getTime()) / 1_000 }];
  });
}

function ended(end: End, passed: readonly Passed[], sentence: string | null, hint: string | null): Followed {
  return { end, passed, sentence, hint };
}
