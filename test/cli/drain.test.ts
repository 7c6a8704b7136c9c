/** What `status` says while a rollout waits for sessions of the old value. */
import { describe, expect, test } from 'vitest';
import { findingsOf, sessionsEndAt } from '../../lib/operations/findings.ts';
import { standingOf } from '../../lib/operations/rollout-standing.ts';
import { now, overview, sighting, state, subject, walked } from './sightings.ts';

const failure = {
  error: 'OldValueInUse',
  cause: JSON.stringify({
    errorMessage:
      'Sessions of the old value of DATABASE_URL are still open at its target: nightly-report (2), psql (1).',
  }),
};

/** A rollout that was published 59 minutes ago and has been at this stage for 57. */
function waitingAt(stage: string, example: string) {
  const way = walked({ status: 'RUNNING', stoppedAt: null }, [
    ['verify', state],
    [stage, state, failure],
  ]);
  const shown = { tags: {} };
  const rollout = standingOf({ overview: overview(shown), now, walked: way, overtaken: false });
  return { ...sighting(subject('DATABASE_URL', example), shown, rollout), walked: way };
}

const sentenceOf = (seen: ReturnType<typeof waitingAt>) =>
  findingsOf(seen).find(({ id }) => id === 'rollout-running')?.sentence;

describe('a rollout at drain', () => {
  test('says who has sessions, since when, and when they are ended', () => {
    const seen = waitingAt('drain', 'kaireon-database');
    expect(sentenceOf(seen)).toBe(
      'The rollout is at drain since 57 m. 1 try has failed; the last: Sessions of the old value of DATABASE_URL are still open at its target: nightly-report (2), psql (1). Sessions that are still open are ended on 2026-11-21 13:01 UTC.',
    );
    expect(sessionsEndAt(seen)?.toISOString()).toBe('2026-11-21T13:01:00.000Z');
  });

  test('says that nothing ends them where the deployment has no limit', () => {
    const seen = waitingAt('drain', 'ocore-database');
    expect(sentenceOf(seen)).toContain(
      'psql (1). Sessions are never ended (endSessionsAfterMinutes is not set): it waits for them.',
    );
    expect(sessionsEndAt(seen)).toBeNull();
  });

  test('and at another stage nothing of it', () => {
    const seen = waitingAt('prove', 'kaireon-database');
    expect(sentenceOf(seen)).not.toContain('ended');
    expect(sessionsEndAt(seen)).toBeNull();
  });
});
