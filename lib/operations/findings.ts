/**
 * What a person should know of a secret's state, in sentences: an ordered list of questions to one sighting.
 * Each answers with what is the matter and the one command to go on.
 */
import { stoppedIn, suppliedLabel } from '../../lambdas/contract/marks.ts';
import { holderOf } from '../../lambdas/rotation/guards.ts';
import { consentOn, takesConsent } from './consents.ts';
import { ageOf, type Sighting } from './look.ts';
import { stateOf } from './rollout-standing.ts';
import { moment, span } from './spans.ts';

export interface Finding {
  /** What was found, for programs. */
  readonly id: string;
  /** `wrong` makes `status` exit with 1; `waiting` is under way by itself; `note` is worth knowing. */
  readonly weight: 'wrong' | 'waiting' | 'note';
  readonly sentence: string;
  /** The one command to go on, or null where nothing is to be done. */
  readonly command: string | null;
}

export interface Limits {
  /** Milliseconds after which a pending version is taken for stuck: Secrets Manager's own first retries are over. */
  readonly stuckAfter: number;
}

export const usualLimits: Limits = { stuckAfter: 15 * 60_000 };

/** Milliseconds that a rotation may be late: a window's last second and the run itself. */
const lateness = 3_600_000;

type Found = Omit<Finding, 'id'> | null;

interface Question {
  readonly id: string;
  find(sighting: Sighting, limits: Limits): Found;
}

const wrong = (sentence: string, command: string | null): Found => ({ weight: 'wrong', sentence, command });
const waiting = (sentence: string, command: string | null): Found => ({
  weight: 'waiting',
  sentence,
  command,
});
const note = (sentence: string, command: string | null): Found => ({ weight: 'note', sentence, command });

export const questions: readonly Question[] = [
  {
    id: 'deleted',
    find: ({ overview }) =>
      overview.deleted
        ? wrong('The secret is scheduled for deletion; it neither rotates nor can it be read.', null)
        : null,
  },
  {
    id: 'rotation-off',
    find: ({ overview, subject }) =>
      overview.rotationEnabled || overview.deleted
        ? null
        : wrong(
            'Rotation is switched off: no schedule fires. CancelRotateSecret does this, and a stack that is not deployed yet.',
            overview.rotationFunctionArn === null ? null : `keyturn rotate ${subject.secret.key}`,
          ),
  },
  {
    id: 'pending-took-part',
    find: (sighting) => {
      const { overview, pendingId, previousId, subject } = sighting;
      if (pendingId === null || pendingId !== previousId) return null;
      const labels = overview.labels.get(pendingId) ?? [];
      return wrong(
        `${labels.join(' and ')} are both on version ${pendingId}: it was current, and AWSCURRENT was moved back by hand. Secrets Manager takes it for an unfinished rotation, refuses the next one, and may make that version current again.`,
        `keyturn discard ${subject.secret.key}`,
      );
    },
  },
  {
    id: 'pending-stuck',
    find: (sighting, { stuckAfter }) => {
      const { pendingId, previousId, currentId, subject } = sighting;
      if (pendingId === null || pendingId === previousId) return null;
      const age = ageOf(sighting, pendingId);
      const since = age === null ? 'an unknown time' : span(age);
      const what = `AWSPENDING is on version ${pendingId} since ${since}, and ${currentId === null ? 'no version is current' : `AWSCURRENT is on ${currentId}`}`;
      return age !== null && age < stuckAfter
        ? waiting(
            `${what}: a rotation is under way, or it failed and Secrets Manager is about to try it again.`,
            null,
          )
        : wrong(
            `${what}: a rotation began and did not finish, so Secrets Manager refuses every further one. What runs is not touched by it.`,
            `keyturn discard ${subject.secret.key}`,
          );
    },
  },
  {
    id: 'empty',
    find: ({ currentId, pendingId, subject }) =>
      currentId !== null || pendingId !== null
        ? null
        : wrong(
            'The secret has no value yet: no version is labelled AWSCURRENT.',
            `keyturn ${subject.secret.class.supplied ? 'supply' : 'rotate'} ${subject.secret.key}`,
          ),
  },
  {
    id: 'consumers-stopped',
    find: ({ overview, rollout, subject }) => {
      const stopped = stoppedIn(overview.tags);
      if (stopped === null || rollout.is === 'running') return null;
      return wrong(
        `The consumers are stopped since ${moment(stopped.since)}, so that data could be moved by the rollout of version ${stopped.versionId}, and no rollout that would start them is under way. That version holds every key that the data is under.`,
        `keyturn resume ${subject.secret.key}`,
      );
    },
  },
  {
    id: 'rollout-stalled',
    find: ({ rollout, subject }) =>
      rollout.is === 'stalled'
        ? wrong(
            `The rollout stalled at ${rollout.at} on ${moment(rollout.when)} (${rollout.code}): ${rollout.reason}`,
            `keyturn resume ${subject.secret.key}`,
          )
        : null,
  },
  {
    id: 'rollout-missing',
    find: ({ rollout, subject, currentId }) =>
      rollout.is === 'missing'
        ? wrong(
            `Version ${currentId} is current, but nothing has brought it to the consumers: ${rollout.why}. They may still run with another value.`,
            `keyturn resume ${subject.secret.key}`,
          )
        : null,
  },
  {
    id: 'rollout-running',
    find: (sighting) => {
      const { rollout, now } = sighting;
      if (rollout.is !== 'running') return null;
      const { stage, since, failures, reason } = rollout.trying;
      const tries =
        failures === 0
          ? ''
          : ` ${failures} ${failures === 1 ? 'try has' : 'tries have'} failed; the last: ${reason}`;
      return waiting(
        `The rollout ${rollout.goingBack ? 'back to the previous version ' : ''}is at ${stage} since ${span(now.getTime() - since.getTime())}.${tries}${endOfSessions(sighting)}`,
        null,
      );
    },
  },
  {
    id: 'rollout-starting',
    find: ({ rollout }) =>
      rollout.is === 'starting'
        ? waiting('The rotation has just ended; its rollout is about to start.', null)
        : null,
  },
  {
    id: 'rolled-back',
    find: ({ rollout, currentId, subject }) =>
      rollout.is === 'rolled-back'
        ? note(
            `Version ${rollout.from} was given up; version ${currentId}, which was current before, is current again and runs everywhere.`,
            `keyturn rotate ${subject.secret.key}`,
          )
        : null,
  },
  {
    id: 'overdue',
    find: ({ overview, now, pendingId }) => {
      const { nextRotationAt, rotationEnabled } = overview;
      if (nextRotationAt === null || !rotationEnabled || pendingId !== null) return null;
      const late = now.getTime() - nextRotationAt.getTime();
      return late > lateness
        ? wrong(`A rotation was due by ${moment(nextRotationAt)}, ${span(late)} ago, and has not come.`, null)
        : null;
    },
  },
  {
    id: 'supplied-waiting',
    find: (sighting) => {
      const { overview, currentId, subject } = sighting;
      const suppliedId = holderOf(overview, suppliedLabel);
      if (suppliedId === null || !isNewer(sighting, suppliedId, currentId)) return null;
      return note(
        `${suppliedLabel} is on version ${suppliedId} since ${span(ageOf(sighting, suppliedId) ?? 0)}: a value that a person supplied waits; the next rotation copies it.`,
        `keyturn rotate ${subject.secret.key}`,
      );
    },
  },
  {
    id: 'consent',
    find: ({ overview, now, subject }) => {
      const consent = consentOn(overview, now);
      return consent?.is === 'in force' && takesConsent(subject)
        ? note(
            `A consent is in force until ${moment(consent.until)} (${consent.text}); it is good for one rotation.`,
            `keyturn rotate ${subject.secret.key}`,
          )
        : null;
    },
  },
];

/** Of a rollout that waits for sessions of the old value: what becomes of those that stay open. */
function endOfSessions(sighting: Sighting): string {
  if (sighting.rollout.is !== 'running' || sighting.rollout.trying.stage !== 'drain') return '';
  const ends = sessionsEndAt(sighting);
  return ends === null
    ? ' Sessions are never ended (endSessionsAfterMinutes is not set): it waits for them.'
    : ` Sessions that are still open are ended on ${moment(ends)}.`;
}

/** When the drain stage ends sessions of the old value by itself; null: never, or none is waited for. */
export function sessionsEndAt({ subject: { secret }, rollout, walked }: Sighting): Date | null {
  if (walked === null || rollout.is !== 'running' || rollout.trying.stage !== 'drain') return null;
  const patience = secret.class.bind(secret.settings.options).oldValue?.patienceMinutes() ?? null;
  return patience === null ? null : new Date(Date.parse(stateOf(walked).publishedAt) + patience * 60_000);
}

/** Everything that there is to say, the weighty first. */
export function findingsOf(sighting: Sighting, limits: Limits = usualLimits): Finding[] {
  const found = questions.flatMap(({ id, find }) => {
    const answer = find(sighting, limits);
    return answer === null ? [] : [{ id, ...answer }];
  });
  const rank = { wrong: 0, waiting: 1, note: 2 } as const;
  return found.sort((a, b) => rank[a.weight] - rank[b.weight]);
}

/** A supplied version that is older than the current one was what that one, or an earlier one, was copied from. */
export function isNewer({ overview }: Sighting, suppliedId: string, currentId: string | null): boolean {
  const supplied = overview.versions.get(suppliedId)?.createdAt.getTime() ?? 0;
  const current = currentId === null ? 0 : (overview.versions.get(currentId)?.createdAt.getTime() ?? 0);
  return supplied > current;
}
